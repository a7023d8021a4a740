"""How long the relative spread was at each value: the time-weighted distribution of a product as a whole."""

from collections.abc import Callable
from typing import Final

import numpy as np

from orderbook.times import NS
from replay.order_statistics import Ints
from replay.sweep.bins import SparseSums, Sums, bins_of, middles_of
from replay.sweep.results import QUANTILES, SpreadStatistics

MAX_DISTINCT: Final = 20_000
"""Spreads that are kept one by one; beyond that logarithmic bins with errors under 0.4 % hold them."""


class SpreadTimes:
    """Nanoseconds by relative spread, in units of 1e-12; below 0 the book is crossed."""

    sums: Callable[[], Sums] = SparseSums

    def __init__(self) -> None:
        self._times = self.sums()
        self.is_exact = True

    def add(self, units: Ints, times: Ints) -> None:
        """Add times above 0 at spreads."""
        self._times.add(units if self.is_exact else bins_of(units), times)
        if self.is_exact and self._times.settled > MAX_DISTINCT:
            self._bin()

    def _bin(self) -> None:
        units, times = self._times.items()
        self._times = self.sums()
        self._times.add(bins_of(units), times)
        self.is_exact = False

    def take_up(self, other: "SpreadTimes") -> None:
        """Add the times of another one."""
        keys, times = other._times.items()
        if self.is_exact and not other.is_exact:
            self._bin()
        if other.is_exact:
            self.add(keys, times)
        else:
            self._times.add(keys, times)

    def statistics(self, units_to_one: int) -> SpreadStatistics:
        """Return the quantiles: the smallest spread with at least so much of the time at or below it."""
        keys, times = self._times.items()
        if self.is_exact and len(keys) > MAX_DISTINCT:
            self._bin()
            keys, times = self._times.items()
        cumulated = np.cumsum(times)
        total = int(times.sum())
        if not total:
            return SpreadStatistics(0.0, None, quantiles_exact=True)
        # total is below 2**63: in whole percent, rounded up, and without a float in between
        wanted = [-(-total * round(quantile * 100) // 100) for quantile in QUANTILES]
        chosen = keys[np.searchsorted(cumulated, wanted)]
        spreads = (chosen if self.is_exact else middles_of(chosen)) / units_to_one
        return SpreadStatistics(total / NS, tuple(spreads.tolist()), self.is_exact)
