"""The depth of a book over time as a grid: the largest size at each price in each column of time."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orderbook.execution.market_rows import BREAK, CLEAR, MarketRows

Ints = npt.NDArray[np.int64]
_NONE: Final = np.empty(0, np.int64)


class BookLevels(NamedTuple):
    """Levels by price, ascending: prices and sizes in units of 1e-8, sides 0 (bid) and 1 (ask)."""

    prices: Ints
    sides: Ints
    sizes: Ints


class DepthHistory:
    """Keeps what a book showed in each of some even columns of time.

    A level counts with the largest size that it had in a column, so an order that was shown for a millisecond
    is not lost. The result does not depend on the batches in which the rows came.

    Args:
        start: the first time to keep, in nanoseconds since 1970.
        end: the last one.
        columns: number of columns.
        nearest: number of levels kept of each column, those nearest to the best prices. Memory is
            O(columns x nearest).

    Attributes:
        start, width_ns: where the first column begins, and how long one is.
    """

    def __init__(self, start: int, end: int, columns: int = 600, nearest: int = 3000) -> None:
        self.start = start
        self.width_ns = max(-(-(end - start + 1) // columns), 1)
        self._nearest = nearest
        self._columns = [(_NONE, _NONE)] * columns
        self._open = 0
        self._shown: list[tuple[Ints, Ints]] = []  # in the open column
        self._keys, self._sizes = _NONE, _NONE  # the book; a key is twice the price, plus the side
        self._known = BookLevels(_NONE, _NONE, _NONE)
        self._connection = -1

    def add(self, rows: MarketRows) -> None:
        """Add the next rows. O(changes log changes), and O(levels) for each column."""
        if not len(rows.time):
            return
        columns = np.clip((rows.time - self.start) // self.width_ns, 0, len(self._columns) - 1)
        is_break = (rows.kind == BREAK) | (np.diff(rows.connection, prepend=self._connection) != 0)
        cuts = (np.diff(columns, prepend=self._open) != 0) | is_break
        firsts = np.union1d([0], np.flatnonzero(cuts))
        for first, last in zip(firsts.tolist(), [*firsts[1:].tolist(), len(columns)], strict=True):
            if is_break[first] and len(self._keys):
                self._known = self.levels()
                self._keys, self._sizes = _NONE, _NONE
            if columns[first] != self._open:
                self._close(int(columns[first]))
            self._apply(rows.changes[rows.first_change[first] : rows.first_change[last]])
        self._connection = int(rows.connection[-1])

    def levels(self) -> BookLevels:
        """Return the last book that was known."""
        if not len(self._keys):
            return self._known
        return BookLevels(self._keys >> 1, self._keys & 1, self._sizes)

    def finish(self) -> None:
        """End the last column: nothing is added any more."""
        self._close(len(self._columns))

    def grid(self, low: int, high: int, rows: int) -> tuple[Ints, int]:
        """Return the largest size of a level in each cell, and how high a row is.

        Args:
            low: the lowest price to show, in units of 1e-8.
            high: the highest one, inclusive.
            rows: number of rows at most.

        Returns:
            Sizes in units of 1e-8 [rows, columns], the lowest prices and the first time first, 0 where
            nothing was shown; and the height of a row in units of 1e-8.
        """
        height = max(-(-(high - low + 1) // rows), 1)
        grid = np.zeros((-(-(high - low + 1) // height), len(self._columns)), np.int64)
        for column, (prices, sizes) in enumerate(self._columns):
            inside = slice(*np.searchsorted(prices, [low, high + 1]))
            np.maximum.at(grid[:, column], (prices[inside] - low) // height, sizes[inside])
        return grid, height

    def _apply(self, changes: Ints) -> None:
        """Apply changes of the book, all in the open column."""
        if not len(changes):
            return
        sides, prices, sizes = changes.T
        keys = prices * 2 + sides
        is_level = sides != CLEAR
        sizes = np.abs(sizes)  # less than a unit is shown as one
        self._shown.append((keys[is_level], sizes[is_level]))
        (clears,) = np.nonzero(~is_level)
        if len(clears):
            self._keys, self._sizes = _NONE, _NONE
            keys, sizes = keys[clears[-1] + 1 :], sizes[clears[-1] + 1 :]
        # Of each key the last one counts, and any change more than what was there.
        all_keys = np.concatenate([self._keys, keys])
        order = np.argsort(all_keys, kind="stable")
        is_last = np.append(np.diff(all_keys[order]) != 0, True)[: len(order)]
        kept = order[is_last]
        found = np.concatenate([self._sizes, sizes])[kept]
        self._keys, self._sizes = all_keys[kept][found > 0], found[found > 0]

    def _close(self, column: int) -> None:
        """End the open column, and repeat the book in those without a row before `column`."""
        self._columns[self._open] = self._reduced([*self._shown, (self._keys, self._sizes)])
        if column > self._open + 1:
            quiet = self._reduced([(self._keys, self._sizes)])
            self._columns[self._open + 1 : column] = [quiet] * (column - self._open - 1)
        self._open = column
        self._shown = [(self._keys, self._sizes)]

    def _reduced(self, shown: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
        """Return prices, ascending, with the largest size of each: of the nearest ones to the best prices."""
        keys, sizes = (np.concatenate(part) for part in zip(*shown, strict=True))
        order = np.argsort(keys >> 1, kind="stable")
        prices, sizes = keys[order] >> 1, sizes[order]
        firsts = np.flatnonzero(np.diff(prices, prepend=-1))
        if not len(firsts):
            return _NONE, _NONE
        prices, sizes = prices[firsts], np.maximum.reduceat(sizes, firsts)
        middle = np.searchsorted(prices, self._middle(prices))
        low = max(int(middle) - self._nearest // 2, 0)
        return prices[low : low + self._nearest], sizes[low : low + self._nearest]

    def _middle(self, prices: Ints) -> int:
        """Return a price between the best ones, or that of the middle level if a side is empty."""
        sides = self._keys & 1
        bids, asks = self._keys[sides == 0], self._keys[sides == 1]
        if len(bids) and len(asks):
            return int(bids[-1] + asks[0]) // 4
        return int(prices[len(prices) // 2])
