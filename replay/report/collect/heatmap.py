"""The depth of a book over time as a grid: the largest size at each price in each column of time."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.events import BookEvent
from orderbook.execution.market_rows import BREAK, CLEAR, MarketRows, row_values
from orderbook.execution.rows import BookRow

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
        start: the first time to keep, in nanoseconds since 1970; rows before it build the book.
        end: the last one, as far as it is known: a row after it doubles the width of the columns.
        columns: number of columns at most.
        nearest: number of levels kept of each column, those nearest to the best prices. Memory is
            O(columns x nearest).

    Attributes:
        start, width_ns: where the first column begins, and how long one is.
        columns: prices, ascending, and the largest size of each; in units of 1e-8.
    """

    def __init__(self, start: int, end: int, columns: int = 600, nearest: int = 3000) -> None:
        self.start = start
        self.width_ns = max(-(-(end - start + 1) // (columns // 2 * 2)), 1)
        self._nearest = nearest
        self.columns = [(_NONE, _NONE)] * (columns // 2 * 2)
        self._open = -1
        self._shown: list[tuple[Ints, Ints]] = []  # in the open column
        self._keys, self._sizes = _NONE, _NONE  # the book; a key is twice the price, plus the side
        self._known = BookLevels(_NONE, _NONE, _NONE)
        self._connection: int | None = None

    def load(self, levels: Levels) -> None:
        """Begin with a book that is known before the first row."""
        event = BookEvent(is_snapshot=True, bids=levels.bids, asks=levels.asks)
        self._apply(np.array(row_values(BookRow(0, 0, 0, None, [event])).changes, np.int64))

    def add(self, rows: MarketRows) -> None:
        """Add the next rows. O(changes log changes), and O(levels) for each column."""
        if not len(rows.time):
            return
        while (rows.time[-1] - self.start) // self.width_ns >= len(self.columns):
            self._double_width()
        columns = np.maximum((rows.time - self.start) // self.width_ns, -1)
        before = rows.connection[0] if self._connection is None else self._connection
        is_break = (rows.kind == BREAK) | (np.diff(rows.connection, prepend=before) != 0)
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
        self._close(self._open + 1)
        del self.columns[self._open :]

    def grid(self, low: int, high: int, rows: int, tick: int = 1) -> tuple[Ints, int]:
        """Return the largest size of a level in each cell, and how high a row is.

        Args:
            low: the lowest price to show, in units of 1e-8.
            high: the highest one, inclusive.
            rows: number of rows at most.
            tick: a row is as high as a number of these.

        Returns:
            Sizes in units of 1e-8 [rows, columns], the lowest prices and the first time first, 0 where
            nothing was shown; and the height of a row in units of 1e-8.
        """
        height = max(-(-(high - low + 1) // (rows * tick)), 1) * tick
        grid = np.zeros((-(-(high - low + 1) // height), len(self.columns)), np.int64)
        for column, (prices, sizes) in enumerate(self.columns):
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
        keys, kept = _of_each(keys, np.arange(len(keys)))  # the last one of each
        sizes = sizes[kept]
        places = np.searchsorted(self._keys, keys)
        is_held = np.append(self._keys, -1)[places] == keys
        is_new = ~is_held & (sizes > 0)
        found = self._sizes.copy()  # the array before may be that of a column
        found[places[is_held]] = sizes[is_held]
        self._keys = np.insert(self._keys, places[is_new], keys[is_new])
        found = np.insert(found, places[is_new], sizes[is_new])
        self._keys, self._sizes = self._keys[found > 0], found[found > 0]

    def _close(self, column: int) -> None:
        """End the open column, and repeat the book in those without a row before `column`."""
        if self._open >= 0:
            self.columns[self._open] = self._reduced([*self._shown, (self._keys, self._sizes)])
        if column > self._open + 1:
            quiet = self._reduced([(self._keys, self._sizes)])
            self.columns[self._open + 1 : column] = [quiet] * (column - self._open - 1)
        self._open = column
        self._shown = [(self._keys, self._sizes)]

    def _reduced(self, shown: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
        """Return prices, ascending, with the largest size of each: of the nearest ones to the best prices."""
        low, high = self._nearest_prices()
        near = [(keys >> 1 >= low) & (keys >> 1 <= high) for keys, _ in shown]
        keys, sizes = (
            np.concatenate([values[kept] for values, kept in zip(part, near, strict=True)])
            for part in zip(*shown, strict=True)
        )
        return _of_each(keys >> 1, sizes)

    def _double_width(self) -> None:
        """Join each two columns."""
        self.width_ns *= 2
        if self._open % 2 and self._open > 0:  # the first half of a pair whose second one is open
            prices, sizes = self.columns[self._open - 1]
            self._shown.append((prices * 2, sizes))
        pairs = zip(self.columns[::2], self.columns[1::2], strict=True)
        joined = [_of_each(*map(np.concatenate, zip(*pair, strict=True))) for pair in pairs]
        self.columns = joined + [(_NONE, _NONE)] * len(joined)
        self._open //= 2

    def _nearest_prices(self) -> tuple[int, int]:
        """Return the lowest and the highest price of the levels to keep."""
        sides = self._keys & 1
        bids, asks = self._keys[sides == 0], self._keys[sides == 1]
        if not (len(bids) and len(asks)):
            return 0, 2**62
        middle = int(np.searchsorted(self._keys, (bids[-1] + asks[0]) // 2))
        low, high = middle - self._nearest // 2, middle + self._nearest // 2
        last = len(self._keys) - 1
        return int(self._keys[max(low, 0)]) >> 1, int(self._keys[min(high, last)]) >> 1


def _of_each(keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return the keys, ascending, with the largest value of each. O(keys log keys)."""
    if not len(keys):
        return _NONE, _NONE
    order = np.argsort(keys)  # not stable, which takes ten times as long
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[firsts], np.maximum.reduceat(values[order], firsts)
