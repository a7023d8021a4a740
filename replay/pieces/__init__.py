"""Pieces of a tape: runs of segments that are worked on apart, and the merging of their results."""
