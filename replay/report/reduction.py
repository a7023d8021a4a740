"""A long series in few points that keep every spike: the extremes of each bucket of time."""

from typing import Final

import numpy as np

from replay.order_statistics import Floats, Ints

_FIRST_SHIFT: Final = 20
"""Buckets begin as 2**20 ns, about a millisecond."""


class MinMaxReduction:
    """Keeps the smallest and the largest value of each bucket of time, each at the time it was first seen.

    Time is cut at the multiples of a power of two, so a bucket is two of the next smaller width. Where more
    than `buckets` of them hold a value, the width doubles. What is kept depends on the values alone: not on
    how they came in batches, nor on whether two parts were reduced apart and merged.

    Attributes:
        width_ns: of a bucket, so far.
        seen: how many values were added.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._shift = _FIRST_SHIFT
        self._times: Ints = np.empty(0, np.int64)
        self._values: Floats = np.empty(0, np.float64)
        self.seen = 0

    @property
    def width_ns(self) -> int:
        """Width of a bucket so far."""
        return 1 << self._shift

    def add(self, times: Ints, values: Floats) -> None:
        """Take values (NaN: none) at their times, ns since 1970, none before an earlier one.

        O(rows + buckets): give it some thousands at once.
        """
        present = ~np.isnan(values)
        self.seen += int(np.count_nonzero(present))
        self._put(times[present], values[present])

    def merge(self, later: "MinMaxReduction") -> None:
        """Take up the part that follows this one, reduced to the same number of buckets."""
        self._shift = max(self._shift, later._shift)  # noqa: SLF001  of our own kind
        self.seen += later.seen
        self._put(*later.points())

    def points(self) -> tuple[Ints, Floats]:
        """Return times and values of all that is kept, in order of time; at most two a bucket."""
        return self._times, self._values

    def _put(self, times: Ints, values: Floats) -> None:
        times = np.concatenate([self._times, times])
        values = np.concatenate([self._values, values])
        while np.count_nonzero(np.diff(times >> self._shift)) >= self._buckets:
            self._shift += 1
        kept = extremes(times >> self._shift, values)
        self._times, self._values = times[kept], values[kept]


def extremes(groups: Ints, values: Floats) -> Ints:
    """Return the places of the first smallest and first largest value of each run of equal groups, in order.

    >>> extremes(np.array([0, 0, 0, 1]), np.array([2.0, 1.0, 3.0, 5.0])).tolist()
    [1, 2, 3]
    """
    if not len(groups):
        return np.empty(0, np.int64)
    changes = np.diff(groups) != 0
    run = np.concatenate([[0], np.cumsum(changes)])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    places = []
    for extreme in (np.minimum, np.maximum):
        found = np.flatnonzero(values == extreme.reduceat(values, starts)[run])
        is_first = np.concatenate([[True], np.diff(run[found]) > 0])
        places.append(found[is_first])
    return np.union1d(*places)
