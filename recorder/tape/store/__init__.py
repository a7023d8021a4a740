"""Where the files of a tape are kept: all that reads, writes, lists or locks them is in here.

The local file system is the only store so far. Another one needs what `local` does: reading from any byte,
durable writes, atomic replacement, exclusive creation, and a lock with one holder.
"""
