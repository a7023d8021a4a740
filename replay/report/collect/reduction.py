"""Reduces a long series to few points that keep every spike: the extremes of each bucket of time."""

from typing import Final

import numpy as np

from replay.comparing.sweep.order_statistics import Floats, Ints

_FIRST_SHIFT: Final = 20
"""Buckets begin as 2**20 ns, about a millisecond."""


class MinMaxReduction:
    """Keeps the smallest and the largest value of each bucket of time, each at the time it was first seen.

    Buckets begin at multiples of their width, a power of two, so each one is two of the next smaller width.
    If more than `buckets` of them hold a value, the width doubles. The points kept depend on the values
    alone, not on the batches in which they came.

    Attributes:
        seen: number of values added.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._shift = _FIRST_SHIFT
        self._times: Ints = np.empty(0, np.int64)
        self._values: Floats = np.empty(0, np.float64)
        self.seen = 0

    @property
    def width_ns(self) -> int:
        """Current width of a bucket in nanoseconds."""
        return 1 << self._shift

    def add(self, times: Ints, values: Floats) -> None:
        """Add values (NaN if missing) at their times, nanoseconds since 1970, not decreasing.

        O(rows + buckets): add some thousands at once.
        """
        present = ~np.isnan(values)
        self.seen += int(np.count_nonzero(present))
        times = np.concatenate([self._times, times[present]])
        values = np.concatenate([self._values, values[present]])
        while np.count_nonzero(np.diff(times >> self._shift)) >= self._buckets:
            self._shift += 1
        kept = extremes(times >> self._shift, values)
        self._times, self._values = times[kept], values[kept]

    def points(self) -> tuple[Ints, Floats]:
        """Return times and values of the points kept, in order of time; at most two a bucket."""
        return self._times, self._values


def extremes(groups: Ints, values: Floats) -> Ints:
    """Return the indices of the first smallest and first largest value of each run of equal groups, in order.

    NaN is left out.

    >>> extremes(np.array([0, 0, 0, 1]), np.array([2.0, 1.0, 3.0, 5.0])).tolist()
    [1, 2, 3]
    """
    if not len(groups):
        return np.empty(0, np.int64)
    starts, run = _runs(groups)
    is_extreme = np.zeros(len(values), bool)
    for extreme in (np.fmin, np.fmax):
        is_extreme[_first_extremes(extreme, values, starts, run)] = True
    return np.flatnonzero(is_extreme)


def first_largest(groups: Ints, values: Ints) -> Ints:
    """Return the index of the first largest value of each run of equal groups.

    >>> first_largest(np.array([0, 0, 0, 1]), np.array([2, 3, 3, 5])).tolist()
    [1, 3]
    """
    return _first_extremes(np.fmax, values, *_runs(groups)) if len(groups) else np.empty(0, np.int64)


def _runs(groups: Ints) -> tuple[Ints, Ints]:
    """Return where each run of equal groups begins, and of each value the number of its run."""
    starts = np.append(0, np.flatnonzero(groups[1:] != groups[:-1]) + 1)
    return starts, np.repeat(np.arange(len(starts)), np.diff(starts, append=len(groups)))


def _first_extremes(extreme: np.ufunc, values: Ints | Floats, starts: Ints, run: Ints) -> Ints:
    found = np.flatnonzero(values == extreme.reduceat(values, starts)[run])
    is_first = np.append(True, np.diff(run[found]) > 0)[: len(found)]
    firsts: Ints = found[is_first]
    return firsts
