"""A heatmap of a book over time: its sizes by column of time and by bin of price. Pure NumPy.

A bin holds the sum of the sizes of its levels at one moment, and a cell the largest of these sums while its
column lasts, the book at its beginning included: what stood for a moment is not lost. The report has another
grid, of whole books (`DepthHistory`). This one begins at any row and grows with a recording, and it takes
milliseconds: it gets the best levels from the engine.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REACH: Final = 96
"""Bins that are kept on each side of the touch."""

_MOST_BINS: Final = 2048
_FAR: Final = 2 / 3
"""The level, as a part of all known ones, that decides how far the bins of the first book reach."""


class DepthGrid:
    """Adds up the books of one span of time, moment by moment.

    Args:
        columns: number of columns of time.
        step: height of a bin, in the quote currency; 0 chooses one from the first book.

    Attributes:
        step: height of a bin; 0 until a book is known.
    """

    def __init__(self, columns: int, step: float = 0.0) -> None:
        self.step = step
        self._cells = np.zeros((columns, 0), np.float32)
        self._first = 0  # bin of the first row of cells
        self._column = 0  # the column up to which `_last` is entered
        self._last = np.zeros(0)  # the sums of the last book, by row of cells

    @property
    def nbytes(self) -> int:
        """Bytes of its cells."""
        return self._cells.nbytes

    def add(self, columns: Ints, bids: Floats, asks: Floats) -> None:
        """Add the books after some moments. O(moments x (levels + bins)).

        Args:
            columns: column of each moment, not decreasing.
            bids: shape (moments, levels, 2): price and size, best first, NaN for missing levels.
            asks: the same.
        """
        if not len(columns):
            return
        if not self.step:
            has_levels = ~(np.isnan(bids[:, 0, 0]) & np.isnan(asks[:, 0, 0]))
            first = int(np.argmax(has_levels))
            self.step = step_of(bids[first], asks[first])
        if not self.step:
            self.end(int(columns[-1]))
            return
        sums = self._sums(bids, asks)
        before = np.vstack([self._last, sums])
        changed = np.flatnonzero(np.diff(columns, prepend=-1))
        self._carry_to(int(columns[0]))
        touched = columns[changed]
        cells = np.maximum(np.maximum.reduceat(sums, changed), before[changed])
        self._cells[touched] = np.maximum(self._cells[touched], cells)
        for number, column in zip(changed[1:], touched[1:], strict=True):
            passed = slice(int(columns[number - 1]) + 1, int(column))
            self._cells[passed] = sums[number - 1]
        self._last, self._column = sums[-1], int(columns[-1]) + 1

    def end(self, column: int) -> None:
        """Note that no book is known from a moment in a column on."""
        self._carry_to(column + 1)
        self._last = np.zeros_like(self._last)

    def cells(self, until: int) -> tuple[int, npt.NDArray[np.float32]]:
        """Return the number of the lowest bin, from 0 at price 0, and the cells, shape (columns, bins).

        Args:
            until: number of columns that the span has reached so far; later ones are empty.
        """
        self._carry_to(until)
        return self._first, self._cells

    def _carry_to(self, column: int) -> None:
        """Enter the last book in each column before this one."""
        if self._column < column:
            open_columns = self._cells[self._column : column]
            np.maximum(open_columns, self._last.astype(np.float32), out=open_columns)
            self._column = column

    def _sums(self, bids: Floats, asks: Floats) -> Floats:
        """Return the sums at each moment, shape (moments, rows of cells)."""
        moments = len(bids)
        places, sizes, numbers = [], [], []
        for side in (bids, asks):
            bins = np.floor(side[:, :, 0] / self.step + 1e-6)
            is_near = np.abs(bins - bins[:, :1]) <= REACH
            numbers.append(np.broadcast_to(np.arange(moments)[:, None], bins.shape)[is_near])
            places.append(bins[is_near].astype(np.int64))
            sizes.append(side[:, :, 1][is_near])
        place, size, number = (np.concatenate(each) for each in (places, sizes, numbers))
        if len(place):
            self._hold(*_range(place))
        row = place - self._first
        is_held = (row >= 0) & (row < self._cells.shape[1])
        index = number[is_held] * self._cells.shape[1] + row[is_held]
        sums = np.bincount(index, size[is_held], moments * self._cells.shape[1])
        return sums.reshape(moments, self._cells.shape[1]).astype(np.float64)  # integers if there is nothing

    def _hold(self, low: int, high: int) -> None:
        """Make rows for the bins from `low` to `high`, as far as there may be so many."""
        rows = self._cells.shape[1]
        first = min(low, self._first) if rows else low
        end = max(high + 1, self._first + rows) if rows else high + 1
        if rows and (first, end) == (self._first, self._first + rows):
            return
        if end - first > _MOST_BINS:
            if rows:
                return
            end = first + _MOST_BINS
        padding = (self._first - first if rows else 0, 0)
        padding = (padding[0], end - first - rows - padding[0])
        self._cells = np.pad(self._cells, ((0, 0), padding))
        self._last = np.pad(self._last, padding)
        self._first = first


def step_of(bids: Floats, asks: Floats) -> float:
    """Return the height of a bin for a book whose levels are known, shape (levels, 2); 0 if there are none.

    It is 1, 2 or 5 times a power of ten, no finer than the levels are apart.

    >>> side = np.stack([np.arange(100, 0, -1.0), np.ones(100)], axis=1)
    >>> step_of(side, side[:0]), step_of(side[:1], side[:0]), step_of(side[:0], side[:0])
    (1.0, 0.01, 0.0)
    """
    extents, gaps, best = [], [], []
    for side in (bids, asks):
        prices = side[~np.isnan(side[:, 0]), 0]
        if not len(prices):
            continue
        best.append(float(prices[0]))
        if len(prices) > 1:
            extents.append(abs(float(prices[int((len(prices) - 1) * _FAR)] - prices[0])))
            gaps.append(float(np.abs(np.diff(prices)).min()))
    if not best:
        return 0.0
    finest = max(extents) / REACH if extents else best[0] * 1e-4
    return nice(max(finest, *gaps) if gaps else finest)


def nice(value: float) -> float:
    """Return the least of 1, 2 and 5 times the powers of ten that is not below a value above 0.

    >>> nice(0.3), nice(1), nice(0.011), nice(6)
    (0.5, 1.0, 0.02, 10.0)
    """
    exponent = math.floor(math.log10(value) + 1e-9)
    for factor in (1, 2, 5, 10):
        found = float(f"{factor}e{exponent}")
        if found >= value * (1 - 1e-9):
            return found
    return float(f"1e{exponent + 1}")


def _range(places: npt.NDArray[Any]) -> tuple[int, int]:
    """Return the lowest and highest bin, but of outliers only what fits around the median."""
    low, high = int(places.min()), int(places.max())
    if high - low >= _MOST_BINS:
        middle = int(np.median(places))
        low, high = max(low, middle - _MOST_BINS // 2), min(high, middle + _MOST_BINS // 2 - 1)
    return low, high


def extremes_by_column(
    columns: Ints, values: Floats, before: float, count: int, until: int
) -> tuple[Floats, Floats]:
    """Return the smallest and the largest value while each column lasts; NaN if none is known in it.

    Args:
        columns: column of each moment, not decreasing.
        values: the value from each moment on; NaN if it is not known any more.
        before: the value before the first moment.
        count: number of columns.
        until: number of columns that the span has reached; later ones are NaN.

    >>> low, high = extremes_by_column(np.array([1, 1]), np.array([3.0, 2.0]), 1.0, 4, 3)
    >>> low.tolist(), high.tolist()
    ([1.0, 1.0, 2.0, nan], [1.0, 3.0, 2.0, nan])
    """
    held = np.concatenate([[before], values])
    prior = held[np.searchsorted(columns, np.arange(count))]
    prior[until:] = np.nan
    low, high = prior.copy(), prior.copy()
    if len(columns):
        changed = np.flatnonzero(np.diff(columns, prepend=-1))
        touched = columns[changed]
        low[touched] = np.fmin(prior[touched], np.fmin.reduceat(values, changed))
        high[touched] = np.fmax(prior[touched], np.fmax.reduceat(values, changed))
    return low, high
