"""Digests: of the summaries of a run, and of the rows of a strategy."""
