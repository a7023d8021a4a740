"""Logarithmic bins: 128 to a doubling, so that the middle of a bin is off by 0.4 % at most; and sparse sums.

An integer below 256 has a bin of its own. Bins of negative integers are those of the positive ones, negated.
"""

from typing import Final, Protocol

import numpy as np

from replay.order_statistics import Ints

_BITS: Final = 7
_WAITING: Final = 1 << 16


def bins_of(values: Ints) -> Ints:
    """Return the bin of each integer; a larger one never has a smaller bin.

    >>> bins_of(np.array([0, 255, 256, 257, 511, 512, -256])).tolist()
    [0, 255, 256, 256, 383, 384, -256]
    """
    sizes = np.abs(values)
    shift = np.maximum(np.frexp(sizes.astype(np.float64))[1].astype(np.int64) - _BITS - 1, 0)
    shift -= (shift > 0) & (sizes >> shift < 1 << _BITS)  # where the float was rounded up to a power of two
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


class Sums(Protocol):
    """Sums of integers by an integer key, for few of very many keys."""

    @property
    def settled(self) -> int:
        """How many keys there are, about."""

    def add(self, keys: Ints, values: Ints) -> None:
        """Add values to the sums of their keys."""

    def items(self) -> tuple[Ints, Ints]:
        """Return all keys, ascending, and the sum of each."""


class SparseSums:
    """Such sums of any values. What waits is added up now and then."""

    def __init__(self) -> None:
        self._keys: Ints = np.empty(0, np.int64)
        self._sums: Ints = np.empty(0, np.int64)
        self._waiting: list[tuple[Ints, Ints]] = []
        self._rows = 0

    def add(self, keys: Ints, values: Ints) -> None:
        """Add values to the sums of their keys. O(n log n) amortised, n the runs of equal keys."""
        keys, values = _sum_runs(keys, values)
        self._waiting.append((keys, values))
        self._rows += len(keys)
        if self._rows > _WAITING + len(self._keys) or len(self._waiting) > _WAITING:
            self._settle()

    def _settle(self) -> None:
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
        values = np.concatenate([self._sums, *(values for _, values in self._waiting)])
        order = np.argsort(keys)
        self._keys, self._sums = _sum_runs(keys[order], values[order])
        self._waiting, self._rows = [], 0

    @property
    def settled(self) -> int:
        """How many keys there were when it was last added up."""
        return len(self._keys)

    def items(self) -> tuple[Ints, Ints]:
        """Return all keys, ascending, and the sum of each."""
        if self._waiting:
            self._settle()
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
