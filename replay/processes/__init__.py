"""Processes of this machine that do one job: each takes pieces of work, one after another.

No row travels between processes. What cannot be cut into pieces (`replay.pieces`) is shared out by product,
in as many groups as there are processes, of about as many bytes each.
"""
