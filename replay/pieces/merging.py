"""Merging the results of pieces: only of adjacent ones, in any association."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, Protocol, Self, TypeVar


class Mergeable(Protocol):
    """The result of a piece."""

    def merge(self, later: Self, /) -> None:
        """Add the result of the piece that comes next, which cannot be used any more."""


M = TypeVar("M", bound=Mergeable)


def merged(earlier: M, later: M) -> M:
    """Return the result of two adjacent pieces; neither can be used any more."""
    earlier.merge(later)
    return earlier


class ChainMerge(Generic[M]):
    """Merges the results of chains of pieces, which come in any order, each as soon as it can be.

    Args:
        lengths: number of pieces of each chain, at least one; they are numbered through.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._starts = list(accumulate(lengths, initial=0))
        self._next = self._starts[:-1]  # of each chain the piece whose result comes next
        self._waiting: dict[int, M] = {}
        self._merged: dict[int, M] = {}

    def add(self, number: int, result: M) -> None:
        """Add the result of a piece."""
        self._waiting[number] = result
        chain = bisect_right(self._starts, number) - 1
        while self._next[chain] < self._starts[chain + 1] and self._next[chain] in self._waiting:
            found = self._waiting.pop(self._next[chain])
            if chain in self._merged:
                self._merged[chain].merge(found)
            else:
                self._merged[chain] = found
            self._next[chain] += 1

    def results(self) -> list[M]:
        """Return the result of each chain, in order."""
        return [self._merged[chain] for chain in range(len(self._next))]
