"""Percentiles of how long episodes last, for ranges of thresholds that they belong to.

Up to `MAX_EXACT` ranges all of them are kept, and a range stands for one episode or many; so percentiles are
exact up to at least as many episodes. Beyond that a histogram of logarithmic bins holds them, with errors
under 0.4 %. How often each bin holds each threshold is again kept as where ranges begin and end.
"""

from typing import Final

import numpy as np

from replay.order_statistics import (
    Floats,
    Ints,
    count_by_column,
    percentiles_by_column,
    select_in_blocks,
)
from replay.sweep.bins import SparseSums, bins_of, middles_of
from replay.sweep.exact import RangeMax

MAX_EXACT: Final = 100_000
"""Ranges of episodes that are kept one by one."""

QUANTILES: Final = (0.5, 0.95, 1.0)

_MAX_CELLS: Final = 1 << 21
_MAX_CHUNKS: Final = 256


class Durations:
    """Durations in nanoseconds of ranges [low, high) of thresholds."""

    select = staticmethod(select_in_blocks)

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._chunks: list[tuple[Ints, Ints, Ints]] = []
        self._ranges = 0
        self._histogram: _Histogram | None = None

    @property
    def is_exact(self) -> bool:
        """Whether every one is kept as it is."""
        return self._histogram is None

    def add(self, low: Ints, high: Ints, duration: Ints) -> None:
        """Take up ranges, none of which is empty."""
        if not len(low):
            return
        self._ranges += len(low)
        if self._histogram is not None:
            self._histogram.add(low, high, duration)
            return
        self._chunks.append((low, high, duration))
        if self._ranges > MAX_EXACT:
            self._histogram = _Histogram(self._columns)
            self._histogram.add(*self._all())
            self._chunks = []
        elif len(self._chunks) > _MAX_CHUNKS:
            self._chunks = [self._all()]

    def _all(self) -> tuple[Ints, Ints, Ints]:
        none = np.empty(0, np.int64)
        low, high, duration = (np.concatenate(each) for each in zip((none,) * 3, *self._chunks, strict=True))
        return low, high, duration

    def take_up(self, other: "Durations") -> None:
        """Add the ranges of another one with as many columns."""
        if other._histogram is None:
            self.add(*other._all())
            return
        if self._histogram is None:
            self._histogram = _Histogram(self._columns)
            self._histogram.add(*self._all())
            self._chunks = []
        self._ranges += other._ranges
        self._histogram.take_up(other._histogram)

    def counts(self) -> Ints:
        """Return how many episodes each threshold has."""
        if self._histogram is not None:
            return self._histogram.counts()
        low, high, _ = self._all()
        return count_by_column(low, high, self._columns)

    def percentiles(self) -> Floats:
        """Return a row for each of `QUANTILES`, in nanoseconds; NaN where there is no episode."""
        if self._histogram is not None:
            return self._histogram.percentiles()
        return percentiles_by_column(*self._all(), self._columns, QUANTILES, self.select)


class _Histogram:
    """Counts by bin and threshold; the longest of each threshold is exact."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._steps = SparseSums()  # by bin and column: by how much the count steps there
        self._longest = RangeMax(columns)

    def add(self, low: Ints, high: Ints, duration: Ints) -> None:
        rows = bins_of(duration) * (self._columns + 1)
        self._steps.add(rows + low, np.ones_like(low))
        self._steps.add(rows + high, np.full_like(high, -1))
        self._longest.add(low, high, duration)

    def take_up(self, other: "_Histogram") -> None:
        self._steps.add(*other._steps.items())
        self._longest.take_up(other._longest)

    def counts(self) -> Ints:
        keys, steps = self._steps.items()
        by_column = np.zeros(self._columns + 1, np.int64)
        np.add.at(by_column, keys % (self._columns + 1), steps)
        return np.cumsum(by_column)[:-1]

    def percentiles(self) -> Floats:
        keys, steps = self._steps.items()
        bins, rows = np.unique(keys // (self._columns + 1), return_inverse=True)
        columns = keys % (self._columns + 1)
        middles = middles_of(bins).astype(np.float64)
        found: Floats = np.full((len(QUANTILES), self._columns), np.nan)
        width = max(1, _MAX_CELLS // max(1, len(bins)))
        before = np.zeros(len(bins), np.int64)
        for first in range(0, self._columns, width):
            inside = (columns >= first) & (columns < first + width)
            counts = np.zeros((len(bins), min(width, self._columns - first)), np.int64)
            here = inside & (columns < self._columns)
            counts[rows[here], columns[here] - first] = steps[here]
            counts[:, 0] += before
            np.cumsum(counts, axis=1, out=counts)
            before = counts[:, -1].copy()
            np.cumsum(counts, axis=0, out=counts)
            found[:, first : first + width] = _percentiles(counts, middles)
        longest = self._longest.values().astype(np.float64)
        found[:] = np.minimum(found, longest)  # the middle of the last bin may be above it
        found[-1] = np.where(longest < 0, np.nan, longest)
        return found


def _percentiles(cumulated: Ints, middles: Floats) -> Floats:
    """Return the linear percentiles of each column of counts that are cumulated over the bins."""
    totals = cumulated[-1]
    found = np.full((len(QUANTILES), len(totals)), np.nan)
    for place, quantile in enumerate(QUANTILES):
        virtual = np.maximum(totals - 1, 0) * quantile
        lower = np.floor(virtual).astype(np.int64)
        ends = [
            middles[np.minimum((cumulated <= rank).sum(axis=0), len(middles) - 1)]
            for rank in (lower, np.minimum(lower + 1, totals - 1))
        ]
        found[place] = ends[0] + (ends[1] - ends[0]) * (virtual - lower)
    found[:, totals == 0] = np.nan
    return found
