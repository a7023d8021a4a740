"""What the numbers are split by: each part of the time has a key, an integer.

A signal, an episode and its mark-outs belong to the part in which they begin; an interval is cut at its
edges. So the parts add up to the whole exactly.
"""

from typing import Final, Literal, NamedTuple

import numpy as np

from orderbook.times import NS
from replay.order_statistics import Ints

By = Literal["hour", "day", "connection"]

PERIODS_NS: Final[dict[By | None, int]] = {"hour": 3600 * NS, "day": 86400 * NS}
"""How long a part of the clock lasts."""


class Intervals(NamedTuple):
    """Times above 0 between summaries: which row opens each, how long, under which key."""

    row: Ints
    duration: Ints
    key: Ints


class Split:
    """How rows and intervals are assigned to parts."""

    def __init__(self, by: By | None) -> None:
        self.by = by
        self._period = PERIODS_NS.get(by)

    def keys(self, times: Ints, connections: Ints) -> Ints:
        """Return the key of each row."""
        if self._period is not None:
            return times // self._period
        return connections if self.by == "connection" else np.zeros_like(times)

    def part(self, key: int) -> int | None:
        """Return what a key stands for: a start in nanoseconds since 1970, or a connection."""
        if self._period is not None:
            return key * self._period
        return key if self.by == "connection" else None

    def intervals(self, times: Ints, keys: Ints, rows: Ints) -> Intervals:
        """Return the intervals from these rows to the next ones, cut where a part ends."""
        start, end = times[rows], times[rows + 1]
        if self._period is None:
            return Intervals(rows, end - start, keys[rows])
        first, last = keys[rows], (end - 1) // self._period
        if np.array_equal(first, last):
            return Intervals(rows, end - start, first)
        pieces = last - first + 1
        begins = np.cumsum(pieces) - pieces
        row = np.repeat(np.arange(len(rows)), pieces)
        key = first[row] + np.arange(len(row)) - begins[row]
        low = np.maximum(start[row], key * self._period)
        high = np.minimum(end[row], (key + 1) * self._period)
        return Intervals(rows[row], high - low, key)
