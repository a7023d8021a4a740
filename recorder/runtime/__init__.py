"""The process of a run: signals, memory, loading of engines and strategies, version."""
