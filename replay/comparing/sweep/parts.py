"""Splitting the numbers by hour, day or connection: each part has an integer as its key.

A signal, an episode and its mark-outs belong to the part in which they begin; an interval is cut at the
edges of parts. So the parts add up to the whole exactly.
"""

from typing import Final, NamedTuple

import numpy as np

from orderbook.times import NS, format_time
from replay.comparing.metrics import By
from replay.comparing.sweep.order_statistics import Ints

PERIODS_NS: Final[dict[By | None, int]] = {"hour": 3600 * NS, "day": 86400 * NS}
"""Duration of an hour and a day in nanoseconds."""


def part_label(part: int, by: By | None) -> str | int:
    """Return the name of a part: its UTC hour or date, or the number of its connection.

    >>> part_label(3600 * 10**9, "hour"), part_label(0, "day"), part_label(3, "connection")
    ('1970-01-01T01:00Z', '1970-01-01', 3)
    """
    if by == "connection":
        return part
    text = format_time(part)
    return text[:10] if by == "day" else f"{text[:16]}Z"


class Intervals(NamedTuple):
    """Intervals longer than 0 between summaries: number of the first row, duration in ns, key of the part."""

    row: Ints
    duration: Ints
    key: Ints


class Split:
    """Assigns rows and intervals to parts."""

    def __init__(self, by: By | None) -> None:
        self.by = by
        self._period = PERIODS_NS.get(by)

    def keys(self, times: Ints, connections: Ints) -> Ints:
        """Return the key of each row."""
        if self._period is not None:
            return times // self._period
        return connections if self.by == "connection" else np.zeros_like(times)

    def part(self, key: int) -> int | None:
        """Return the start of a part in nanoseconds since 1970, or its connection; None without a split."""
        if self._period is not None:
            return key * self._period
        return key if self.by == "connection" else None

    def intervals(self, times: Ints, keys: Ints, rows: Ints) -> Intervals:
        """Return the intervals from these rows to the next ones, cut at the edges of parts."""
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
