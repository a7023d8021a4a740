"""Comparing thresholds: the passes over tapes, the metrics, the groups and the result."""

from typing import Final

DEFAULT_MARKOUTS: Final = "100ms,1s,5s,30s"
"""The default horizons of the mark-outs."""
