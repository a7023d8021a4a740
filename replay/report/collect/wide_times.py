"""The times in which the spread was above a threshold, reduced to few intervals."""

from typing import Final

import numpy as np

from orderbook.thresholds import is_above
from replay.comparing.sweep.order_statistics import Floats, Ints

_FIRST_SHIFT: Final = 20
"""Intervals that are less than 2**20 ns apart are joined, about a millisecond."""


class WideTimes:
    """Keeps when the spread of a product was above a threshold.

    Intervals that are near one another are joined. If there are more than `limit`, those twice as far apart
    are joined too. What is kept does not depend on the batches in which they came.

    Args:
        threshold: a fraction of the best ask.
        limit: number of intervals at most.
    """

    def __init__(self, threshold: float, limit: int) -> None:
        self._threshold = threshold
        self._limit = limit
        self._shift = _FIRST_SHIFT
        self._found: Ints = np.empty((0, 2), np.int64)

    @property
    def joined_ns(self) -> int:
        """Time in nanoseconds by which two intervals are apart at least."""
        return 1 << self._shift

    def add(self, starts: Ints, durations: Ints, spreads: Floats) -> None:
        """Add intervals, in order of time, with the spread during each. O(intervals)."""
        new = np.column_stack([starts, starts + durations])[is_above(spreads, self._threshold)]
        self._found = self._joined(np.concatenate([self._found, new]))
        while len(self._found) > self._limit:
            self._shift += 1
            self._found = self._joined(self._found)

    def found(self) -> list[tuple[int, int]]:
        """Return start and end of each interval, in nanoseconds since 1970."""
        return [(start, end) for start, end in self._found.tolist()]

    def _joined(self, found: Ints) -> Ints:
        is_first = np.append(True, found[1:, 0] - found[:-1, 1] >= self.joined_ns)[: len(found)]
        is_last = np.append(is_first[1:], True)[: len(found)]
        return np.column_stack([found[is_first, 0], found[is_last, 1]])
