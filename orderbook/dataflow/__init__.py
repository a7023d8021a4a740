"""The core as bytewax operators: the only modules of this package that import bytewax."""
