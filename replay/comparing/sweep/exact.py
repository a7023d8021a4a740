"""Sums that stay exact however large they grow, for many places at once.

A *place* is a level or a threshold. Everything that a sweep adds up is an integer, so that no result depends
on the order in which parts of a tape are added.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from replay.comparing.sweep.order_statistics import Floats, Ints

MAX_ROWS: Final = 1 << 16
"""The most rows that may be added at once: sums of products of 47 bits then stay within int64."""

_FACTOR_BITS: Final = 16
_TIME_BITS: Final = 31
_SUM_BITS: Final = 58
"""Sums of at most this many bits can be added up within int64, one for each shift."""


def from_above(by_level: Ints) -> list[int]:
    """Return the sum over the levels above each threshold."""
    sums: list[int] = np.cumsum(by_level[::-1])[::-1][1:].tolist()
    return sums


def ratios(parts: Iterable[int], wholes: Iterable[int]) -> list[float | None]:
    """Return the floats nearest to the exact quotients; None for a division by 0."""
    return [part / whole if whole else None for part, whole in zip(parts, wholes, strict=True)]


class ExactProducts:
    """Sums of products of two integers, by place.

    Factors are cut into pieces of 16 and 31 bits, so that `MAX_ROWS` products of two pieces add up within
    int64. The bits above the lower 32 are then carried to a second array, which can hold 2**31 batches.
    Pieces that are always 0 cost nothing.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._small: dict[int, Ints] = {}  # by the shift of the product
        self._carried: dict[int, Ints] = {}

    def add(self, places: Ints, factors: Ints | Floats, times: Ints) -> None:
        """Add `factors * times` to the sums of the places; at most `MAX_ROWS` rows.

        Args:
            places: of each row.
            factors: integers from 0 on, as int64, or as float64 if they may be larger.
            times: integers from 0 on.
        """
        time_pieces = list(_pieces(times, _TIME_BITS))
        for shift, factor in _pieces(factors, _FACTOR_BITS):
            for time_shift, time in time_pieces:
                self._add(shift + time_shift, places, factor * time)

    def _add(self, shift: int, places: Ints, products: Ints) -> None:
        self._allocate(shift)
        np.add.at(self._small[shift], places, products)
        self._carry(shift)

    def _allocate(self, shift: int) -> None:
        if shift not in self._small:
            self._small[shift] = np.zeros(self._places, np.int64)
            self._carried[shift] = np.zeros(self._places, np.int64)

    def _carry(self, shift: int) -> None:
        self._carried[shift] += self._small[shift] >> 32
        self._small[shift] &= 0xFFFF_FFFF

    def merge(self, other: "ExactProducts") -> None:
        """Add the sums of another object with as many places."""
        for shift, small in other._small.items():
            self._allocate(shift)
            self._small[shift] += small
            self._carried[shift] += other._carried[shift]
            self._carry(shift)

    def sums(self) -> list[int]:
        """Return the sum of each place."""
        within: Ints = np.zeros(self._places, np.int64)
        beyond: list[tuple[int, Ints, Ints]] = []
        for shift, small in self._small.items():
            carried = self._carried[shift]
            if int(carried.max(initial=0)).bit_length() + 32 + shift < _SUM_BITS:
                within += ((carried << 32) + small) << shift
            else:
                beyond.append((shift, small, carried))
        totals: list[int] = within.tolist()
        for shift, small, carried in beyond:
            pieces = zip(totals, small.tolist(), carried.tolist(), strict=True)
            totals = [total + ((low + (high << 32)) << shift) for total, low, high in pieces]
        return totals

    def from_above(self) -> list[int]:
        """Return the sum over the levels above each threshold."""
        sums = self.sums()
        for level in reversed(range(len(sums) - 1)):
            sums[level] += sums[level + 1]
        return sums[1:]


def _pieces(values: Ints | Floats, bits: int) -> Iterator[tuple[int, Ints]]:
    """Yield the pieces of integers from 0 on, each with its shift; float64 is cut exactly, too."""
    largest = int(values.max(initial=0))
    if largest >= 1 << 62:
        yield from _pieces_of_large(values.astype(np.float64), bits)
        return
    whole = values.astype(np.int64, copy=False)
    if largest < 1 << bits:
        yield 0, whole
        return
    for shift in range(0, largest.bit_length(), bits):
        yield shift, (whole >> shift) & ((1 << bits) - 1)


def _pieces_of_large(values: Floats, bits: int) -> Iterator[tuple[int, Ints]]:
    shift = 0
    while values.any():
        left = np.floor(np.ldexp(values, -bits))
        yield shift, (values - np.ldexp(left, bits)).astype(np.int64)
        values = left
        shift += bits


class RangeMax:
    """The largest value of each place over ranges of places.

    A range is covered by two blocks of a power of two, one from each end; that they overlap does not change a
    maximum. At the end blocks are passed on to their halves. O(log(places)) memory per place.
    """

    def __init__(self, places: int) -> None:
        self._blocks: Ints = np.full((max(places, 1).bit_length(), places), -1, np.int64)

    def add(self, low: Ints, high: Ints, values: Ints) -> None:
        """Add a value from 0 on for each of the places of [low, high); no range is empty."""
        row = np.frexp((high - low).astype(np.float64))[1].astype(np.int64) - 1
        np.maximum.at(self._blocks, (row, low), values)
        np.maximum.at(self._blocks, (row, high - (1 << row)), values)

    def merge(self, other: "RangeMax") -> None:
        """Add the values of another object with as many places."""
        np.maximum(self._blocks, other._blocks, out=self._blocks)

    def values(self) -> Ints:
        """Return the largest value of each place, -1 if it has none."""
        blocks: Ints = self._blocks.copy()
        for row in reversed(range(1, len(blocks))):
            half = 1 << (row - 1)
            np.maximum(blocks[row - 1], blocks[row], out=blocks[row - 1])
            np.maximum(blocks[row - 1, half:], blocks[row, :-half], out=blocks[row - 1, half:])
        longest: Ints = blocks[0]
        return longest
