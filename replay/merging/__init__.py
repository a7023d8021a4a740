"""Merging the tapes of several recorders: one is followed while it was up, another from the same book.

    tapes -> connections (indexing) -> seams between two of them -> plan (planning) -> tape (writing)

Everything is decided before a row is written, so that a `connected` row can name all its origins.
"""
