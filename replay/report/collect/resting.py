"""Prices at which own orders rested over time: each as it was, or put together if they are too many."""

from typing import Final, NamedTuple

import numpy as np

from orderbook.execution.resting import COLUMNS
from replay.comparing.sweep.order_statistics import Ints

_FIRST_SHIFT: Final = 20
"""Buckets of time begin as 2**20 ns, about a millisecond."""
_AT_ONCE: Final = 1024
"""Rows reduced together."""


class Rested(NamedTuple):
    """An order that rested at a price, or some of one side in a short time: then `rows` is above 1.

    Attributes:
        number: of the order; 0 of several rows.
        side: 0 bid, 1 ask.
        low, high: lowest and highest price, in units of 1e-8.
        start, end: from when until when, in nanoseconds.
        size: what was left of the order at the beginning, in units.
        back, share: what was ahead of it at the beginning, under these queue models.
        back_until, share_until: the same at the end.
        rows: how many of them.
    """

    number: int
    side: int
    low: int
    start: int
    end: int
    size: int
    back: int
    share: int
    back_until: int
    share_until: int
    high: int
    rows: int


_NUMBER, _SIDE, _LOW, _START, _END = range(5)
_HIGH, _ROWS = len(COLUMNS), len(COLUMNS) + 1


class RestingOrders:
    """Keeps how orders rested, as far as it can be drawn.

    If there are more than `most` rows, those that began and ended in one bucket of time become one of each
    side, from the lowest to the highest price; if that does not do, buckets become twice as wide. A row that
    lasts longer stays as it is. What is kept depends on the rows alone, not on batches.

    Args:
        most: as above.
        shift: buckets are 2**shift nanoseconds wide at first.

    Attributes:
        seen: number of rows added.
    """

    def __init__(self, most: int, shift: int = _FIRST_SHIFT) -> None:
        self.seen = 0
        self._most = most
        self._shift = shift
        self._is_joined = False
        self._kept: Ints = np.empty((0, _ROWS + 1), np.int64)
        self._pending: list[Ints] = []
        self._rows = 0

    @property
    def width_ns(self) -> int:
        """Width of a bucket in nanoseconds; 0 if each row is as it was."""
        self._reduce()
        return 1 << self._shift if self._is_joined else 0

    def add(self, rows: Ints) -> None:
        """Add rows of `orderbook.execution.resting`. O(rows), and some thousands are sorted at once."""
        self.add_joined(np.column_stack([rows, rows[:, _LOW], np.ones(len(rows), np.int64)]))

    def add_joined(self, rows: Ints) -> None:
        """Add the same with the fields `high` and `rows` of `Rested`, some of them put together."""
        self.seen += int(rows[:, _ROWS].sum())
        self._rows += len(rows)
        self._pending.append(rows)
        if self._rows >= _AT_ONCE:
            self._reduce()

    def found(self) -> list[Rested]:
        """Return what is kept: the rows of a side and an order after each other, in order of time."""
        return [Rested(*row) for row in self.array().tolist()]

    def array(self) -> Ints:
        """Return the same as an array of the fields of `Rested`."""
        self._reduce()
        kept = self._kept
        return kept[np.lexsort((kept[:, _START], kept[:, _NUMBER], kept[:, _SIDE]))]

    def _reduce(self) -> None:
        if not self._rows:
            return
        self._kept = np.concatenate([self._kept, *self._pending])
        self._pending, self._rows = [], 0
        self._is_joined = self._is_joined or self.seen > self._most
        if self._is_joined:
            self._kept = _joined(self._kept, self._shift)
        while len(self._kept) > self._most:
            self._shift += 1
            self._kept = _joined(self._kept, self._shift)


def _joined(rows: Ints, shift: int) -> Ints:
    """Return the rows with those of each bucket and side put together, by the width of a bucket."""
    starts, ends = rows[:, _START] >> shift, rows[:, _END] >> shift
    is_inside = starts == ends
    inside = rows[is_inside]
    if not len(inside):
        return rows
    keys = starts[is_inside] * 2 + inside[:, _SIDE]
    order = np.argsort(keys, kind="stable")
    inside, keys = inside[order], keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    joined = inside[firsts]
    joined[:, _ROWS] = np.add.reduceat(inside[:, _ROWS], firsts)
    for column, extreme in (
        (_LOW, np.minimum),
        (_START, np.minimum),
        (_HIGH, np.maximum),
        (_END, np.maximum),
    ):
        joined[:, column] = extreme.reduceat(inside[:, column], firsts)
    joined[joined[:, _ROWS] > 1, _NUMBER] = 0
    return np.concatenate([rows[~is_inside], joined])
