"""RUN directories: written under another name, renamed when complete, and read again."""
