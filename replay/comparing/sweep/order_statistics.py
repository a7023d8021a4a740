"""Percentiles of many overlapping groups at once.

The groups are columns 0..M-1, and each value belongs to the columns of one range [low, high). The values
are sorted once and read in blocks. A running sum over the beginnings and ends of ranges gives the number of
values of each column in a block, and so the block of each wanted rank. Comparing the block with the ranges
finds the value itself. No list of the values of one column is ever built.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_MIN_BLOCK: Final = 256
_MAX_CELLS: Final = 1 << 24  # bytes of the largest comparison of a block with its ranges


def count_by_column(low: Ints, high: Ints, columns: int) -> Ints:
    """Return the number of ranges [low, high) that hold each column. O(ranges + columns).

    >>> count_by_column(np.array([0, 1]), np.array([2, 3]), 4).tolist()
    [1, 2, 1, 0]
    """
    begins = np.bincount(low, minlength=columns + 1)
    ends = np.bincount(high, minlength=columns + 1)
    return np.cumsum(begins - ends, dtype=np.int64)[:columns]


def _select_in_blocks(low: Ints, high: Ints, values: Ints, counts: Ints, wanted: Ints) -> Ints:
    """Return the value of each wanted rank [:, column] in its column; undefined for an empty column.

    Args:
        low: first column of each value.
        high: column after the last one of each value.
        values: the values.
        counts: number of values of each column.
        wanted: ranks from 0 on.
    """
    columns = len(counts)
    order = np.argsort(values, kind="stable")
    low, high, values = low[order], high[order], values[order]
    found = np.zeros_like(wanted)
    size = max(_MIN_BLOCK, math.isqrt(len(values)))
    part = _MAX_CELLS // size + 1
    passed = np.zeros(columns, np.int64)  # values of the blocks so far, in each column
    for start in range(0, len(values), size):
        block = slice(start, start + size)
        inside = count_by_column(low[block], high[block], columns)
        places, column = np.nonzero((passed <= wanted) & (wanted < passed + inside))
        for first in range(0, len(column), part):
            place, at = places[first : first + part], column[first : first + part]
            held = (low[block] <= at[:, np.newaxis]) & (at[:, np.newaxis] < high[block])
            members = np.nonzero(held)[1]  # row by row, inside[at] of them each
            row_starts = np.cumsum(inside[at]) - inside[at]
            chosen = members[row_starts + wanted[place, at] - passed[at]]
            found[place, at] = values[start + chosen]
        passed += inside
    return found


def percentiles_by_column(
    low: Ints, high: Ints, values: Ints, columns: int, quantiles: Sequence[float]
) -> Floats:
    """Return a row for each quantile: in each column numpy's linear percentile, NaN if it is empty.

    Equal to the last bit to `np.quantile` over the column's values as float64. O(n log n) to sort n values,
    then O(sqrt(n) * columns) to find the ranks in blocks.

    >>> percentiles_by_column(np.array([0, 1]), np.array([2, 2]), np.array([10, 20]), 3, [0.5]).tolist()
    [[10.0, 15.0, nan]]
    """
    counts = count_by_column(low, high, columns)
    virtual = (counts - 1) * np.array(quantiles, np.float64)[:, np.newaxis]
    before = np.floor(virtual).astype(np.int64)
    after = np.minimum(before + 1, counts - 1)
    selected = _select_in_blocks(low, high, values, counts, np.concatenate([before, after]))
    smaller, larger = np.split(selected.astype(np.float64), 2)
    # numpy's interpolation, which starts from the nearer end
    weight = virtual - before
    step = larger - smaller
    result = np.where(weight >= 0.5, larger - step * (1 - weight), smaller + step * weight)
    result[:, counts == 0] = np.nan
    return result
