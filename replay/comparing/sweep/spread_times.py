"""The time-weighted distribution of the relative spread of a product, over all observed time."""

from typing import Final

import msgspec
import numpy as np

from orderbook.document import Document
from orderbook.times import NS
from replay.comparing.sweep.bins import SparseSums, bins_of, middles_of
from replay.comparing.sweep.order_statistics import Ints

MAX_DISTINCT: Final = 20_000
"""Number of spreads that are kept one by one; more are kept in logarithmic bins, with errors under 0.4 %."""


QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the relative spread, in the order of `SpreadStatistics.quantiles`."""


class SpreadStatistics(Document, frozen=True):
    """Quantiles of the relative spread, weighted by time.

    Attributes:
        known_s: observed time in which both sides of the book have a level.
        p5, p25, p50, p75, p95, p99: the smallest spread such that the spread was at or below it for this
            percentage of the time, a fraction of the ask price; None if there is no time.
        quantiles_exact: whether they are exact; otherwise their errors are under 1 %.
        largest: the largest spread of all summaries; None if none is above 0.
    """

    known_s: float
    p5: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p95: float | None
    p99: float | None
    quantiles_exact: bool
    largest: float | None = None

    @property
    def quantiles(self) -> tuple[float | None, ...]:
        """The spread at each of `QUANTILES`."""
        return msgspec.structs.astuple(self)[1:-2]


class SpreadTimes:
    """Nanoseconds by relative spread, in units of 1e-12; below 0 if the book is crossed."""

    def __init__(self) -> None:
        self._times = SparseSums()
        self.is_exact = True

    def add(self, units: Ints, times: Ints) -> None:
        """Add times above 0 to their spreads."""
        self._times.add(units if self.is_exact else bins_of(units), times)
        if self.is_exact and self._times.merged_keys > MAX_DISTINCT:
            self._bin()

    def _bin(self) -> None:
        units, times = self._times.items()
        self._times = SparseSums()
        self._times.add(bins_of(units), times)
        self.is_exact = False

    def merge(self, other: "SpreadTimes") -> None:
        """Add the times of another distribution."""
        keys, times = other._times.items()
        if self.is_exact and not other.is_exact:
            self._bin()
        if other.is_exact:
            self.add(keys, times)
        else:
            self._times.add(keys, times)

    def statistics(self, units_to_one: int) -> SpreadStatistics:
        """Return the quantiles; `units_to_one` units are a spread of 1."""
        keys, times = self._times.items()
        if self.is_exact and len(keys) > MAX_DISTINCT:
            self._bin()
            keys, times = self._times.items()
        cumulated = np.cumsum(times)
        total = int(times.sum())
        if not total:
            return SpreadStatistics(0.0, None, None, None, None, None, None, quantiles_exact=True)
        # The total can be near 2**63, so that floats would round it: whole percents of it, rounded up.
        wanted = [-(-total * round(quantile * 100) // 100) for quantile in QUANTILES]
        chosen = keys[np.searchsorted(cumulated, wanted)]
        spreads = (chosen if self.is_exact else middles_of(chosen)) / units_to_one
        p5, p25, p50, p75, p95, p99 = spreads.tolist()
        return SpreadStatistics(total / NS, p5, p25, p50, p75, p95, p99, self.is_exact)
