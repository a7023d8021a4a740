"""Logarithmic bins, 128 per doubling, so that the middle of a bin is off by at most 0.4 %; and sparse sums.

Each integer below 256 has its own bin. Bins of negative integers are those of the positive ones, negated.
"""

from typing import Final

import numpy as np

from replay.comparing.sweep.order_statistics import Ints

_BITS: Final = 7
_MAX_PENDING: Final = 1 << 16


def bins_of(values: Ints) -> Ints:
    """Return the bin of each integer; a larger one never has a smaller bin.

    >>> bins_of(np.array([0, 255, 256, 257, 511, 512, -256])).tolist()
    [0, 255, 256, 256, 383, 384, -256]
    """
    sizes = np.abs(values)
    shift = np.maximum(np.frexp(sizes.astype(np.float64))[1].astype(np.int64) - _BITS - 1, 0)
    shift -= (shift > 0) & (sizes >> shift < 1 << _BITS)  # if the float was rounded up to a power of two
    bins: Ints = np.sign(values) * ((shift << _BITS) + (sizes >> shift))
    return bins


def middles_of(bins: Ints) -> Ints:
    """Return the middle of each bin, rounded down.

    >>> middles_of(np.array([0, 255, 256, 384, -256])).tolist()
    [0, 255, 257, 514, -257]
    """
    sizes = np.abs(bins)
    shift = np.maximum((sizes >> _BITS) - 1, 0)
    low = (sizes - (shift << _BITS)) << shift
    middles: Ints = np.sign(bins) * (low + ((1 << shift) >> 1))
    return middles


class SparseSums:
    """Sums of integers by an integer key, for few of very many keys; pending values are merged lazily."""

    def __init__(self) -> None:
        self._keys: Ints = np.empty(0, np.int64)
        self._sums: Ints = np.empty(0, np.int64)
        self._pending: list[tuple[Ints, Ints]] = []
        self._rows = 0

    def add(self, keys: Ints, values: Ints) -> None:
        """Add values to the sums of their keys. O(n log n) amortised for n runs of equal keys."""
        keys, values = _sum_runs(keys, values)
        self._pending.append((keys, values))
        self._rows += len(keys)
        if self._rows > _MAX_PENDING + len(self._keys) or len(self._pending) > _MAX_PENDING:
            self._merge_pending()

    def _merge_pending(self) -> None:
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
        values = np.concatenate([self._sums, *(values for _, values in self._pending)])
        order = np.argsort(keys)
        self._keys, self._sums = _sum_runs(keys[order], values[order])
        self._pending, self._rows = [], 0

    def __getstate__(self) -> dict[str, object]:
        """Return what is sent to another process: the sums, which are a tenth of what is pending."""
        self.items()
        return self.__dict__

    @property
    def merged_keys(self) -> int:
        """Number of keys, without the pending ones."""
        return len(self._keys)

    def items(self) -> tuple[Ints, Ints]:
        """Return all keys, ascending, and the sum of each."""
        if self._pending:
            self._merge_pending()
        return self._keys, self._sums


def _sum_runs(keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return the key of each run of equal keys, and the sum of its values.

    >>> [each.tolist() for each in _sum_runs(np.array([5, 5, 7, 5]), np.array([1, 2, 3, 4]))]
    [[5, 7, 5], [3, 3, 4]]
    """
    if not len(keys):
        return keys, values
    first = np.flatnonzero(np.append(np.ones(1, np.bool_), keys[1:] != keys[:-1]))
    return keys[first], np.add.reduceat(values, first)
