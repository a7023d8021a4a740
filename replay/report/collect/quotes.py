"""The best prices over time, reduced to few points: the lowest bid and the highest ask of each bucket."""

from typing import Final

import numpy as np

from replay.comparing.sweep.order_statistics import Floats, Ints

_FIRST_SHIFT: Final = 20
"""Buckets begin as 2**20 ns, about a millisecond."""


class QuoteBand:
    """Keeps the lowest bid and the highest ask of each bucket of time, from the first quote in it on.

    If more than `buckets` of them hold a quote, they become twice as wide. What is kept depends on the
    quotes alone, not on the batches in which they came.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._shift = _FIRST_SHIFT
        self._times: Ints = np.empty(0, np.int64)
        self._bids: Floats = np.empty(0)
        self._asks: Floats = np.empty(0)

    @property
    def width_ns(self) -> int:
        """Current width of a bucket in nanoseconds."""
        return 1 << self._shift

    def add(self, times: Ints, bids: Floats, asks: Floats) -> None:
        """Add quotes (NaN if a side is empty) at their times, nanoseconds since 1970, not decreasing.

        O(rows + buckets): add some thousands at once.
        """
        present = ~(np.isnan(bids) | np.isnan(asks))
        times = np.concatenate([self._times, times[present]])
        if not len(times):
            return
        while np.count_nonzero(np.diff(times >> self._shift)) >= self._buckets:
            self._shift += 1
        firsts = np.append(0, np.flatnonzero(np.diff(times >> self._shift)) + 1)
        self._times = times[firsts]
        self._bids = np.minimum.reduceat(np.concatenate([self._bids, bids[present]]), firsts)
        self._asks = np.maximum.reduceat(np.concatenate([self._asks, asks[present]]), firsts)

    def points(self) -> tuple[Ints, Floats, Floats]:
        """Return times, lowest bids and highest asks."""
        return self._times, self._bids, self._asks
