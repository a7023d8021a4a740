"""Percentiles of the durations of episodes, by threshold.

Up to `MAX_EXACT` ranges of episodes are kept one by one. A range holds one episode or many, so percentiles
are exact up to at least as many episodes. More are kept in a histogram of logarithmic bins, with errors
under 0.4 %. The histogram, too, counts where ranges begin and end.
"""

from typing import Final

import numpy as np

from replay.comparing.sweep.bins import SparseSums, bins_of, middles_of
from replay.comparing.sweep.exact import RangeMax
from replay.comparing.sweep.order_statistics import Floats, Ints, count_by_column, percentiles_by_column

MAX_EXACT: Final = 100_000
"""Number of ranges that are kept one by one."""

QUANTILES: Final = (0.5, 0.95, 1.0)

_MAX_CELLS: Final = 1 << 21
_MAX_CHUNKS: Final = 256


class Durations:
    """Durations in nanoseconds of ranges [low, high) of thresholds."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._chunks: list[tuple[Ints, Ints, Ints]] = []
        self._ranges = 0
        self._histogram: _Histogram | None = None

    @property
    def is_exact(self) -> bool:
        """Whether every duration is kept."""
        return self._histogram is None

    def add(self, low: Ints, high: Ints, duration: Ints) -> None:
        """Add ranges, none of them empty."""
        if not len(low):
            return
        if self._histogram is not None:
            self._histogram.add(low, high, duration)
            return
        self._ranges += len(low)
        self._chunks.append((low, high, duration))
        if self._ranges > MAX_EXACT:
            self._to_histogram()
        elif len(self._chunks) > _MAX_CHUNKS:
            self._chunks = [self._all()]

    def _to_histogram(self) -> "_Histogram":
        if self._histogram is None:
            self._histogram = _Histogram(self._columns)
            self._histogram.add(*self._all())
            self._chunks = []
        return self._histogram

    def _all(self) -> tuple[Ints, Ints, Ints]:
        none = np.empty(0, np.int64)
        low, high, duration = (np.concatenate(each) for each in zip((none,) * 3, *self._chunks, strict=True))
        return low, high, duration

    def merge(self, other: "Durations") -> None:
        """Add the ranges of other durations, of as many thresholds."""
        if other._histogram is None:
            self.add(*other._all())
        else:
            self._to_histogram().merge(other._histogram)

    def counts(self) -> Ints:
        """Return the number of episodes of each threshold."""
        if self._histogram is not None:
            return self._histogram.counts()
        low, high, _ = self._all()
        return count_by_column(low, high, self._columns)

    def percentiles(self) -> Floats:
        """Return a row for each of `QUANTILES`, in nanoseconds; NaN for a threshold without episodes."""
        if self._histogram is not None:
            return self._histogram.percentiles()
        return percentiles_by_column(*self._all(), self._columns, QUANTILES)


class _Histogram:
    """Counts by bin and threshold; the longest duration of each threshold is exact."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._steps = SparseSums()  # by bin and column: change of the count from the column before
        self._longest = RangeMax(columns)

    def add(self, low: Ints, high: Ints, duration: Ints) -> None:
        rows = bins_of(duration) * (self._columns + 1)
        self._steps.add(rows + low, np.ones_like(low))
        self._steps.add(rows + high, np.full_like(high, -1))
        self._longest.add(low, high, duration)

    def merge(self, other: "_Histogram") -> None:
        self._steps.add(*other._steps.items())
        self._longest.merge(other._longest)

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
            last = min(first + width, self._columns)
            here = (columns >= first) & (columns < last)
            counts = np.zeros((len(bins), last - first), np.int64)
            counts[rows[here], columns[here] - first] = steps[here]
            counts[:, 0] += before
            np.cumsum(counts, axis=1, out=counts)
            before = counts[:, -1].copy()
            np.cumsum(counts, axis=0, out=counts)
            found[:, first:last] = _percentiles(counts, middles)
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
