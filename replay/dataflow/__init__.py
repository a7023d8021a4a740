"""The dataflow of replays: the only modules of replay that import bytewax."""
