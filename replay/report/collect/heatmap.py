"""The depth of a book over time as a grid: the largest size at each price in each column of time."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.events import BookEvent
from orderbook.execution.market_rows import BREAK, CLEAR, SNAPSHOT, MarketRows, row_values
from orderbook.execution.rows import BookRow

Ints = npt.NDArray[np.int64]
BOTH_SIDES: Final = 2
_NEAREST: Final = 100
"""Levels of a side that are kept of a moment."""
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
        # What was shown in the open column: levels by key (twice the price, plus the side), ascending, their
        # size now, 0 of those that are gone, and the largest one in the column.
        self._keys, self._sizes, self._largest = _NONE, _NONE, _NONE
        self._known = BookLevels(_NONE, _NONE, _NONE)
        self._books: dict[int, BookLevels] = {}  # by column, the book at its end
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
            if is_break[first] and self._sizes.any():
                self._known = self.levels()
                self._sizes[:] = 0
            if columns[first] != self._open:
                self._close(int(columns[first]))
            changes = rows.changes[rows.first_change[first] : rows.first_change[last]]
            self._apply(changes, may_clear=bool((rows.kind[first:last] == SNAPSHOT).any()))
        self._connection = int(rows.connection[-1])

    def levels(self) -> BookLevels:
        """Return the last book that was known."""
        is_there = self._sizes > 0
        if not is_there.any():
            return self._known
        keys = self._keys[is_there]
        return BookLevels(keys >> 1, keys & 1, self._sizes[is_there])

    def moments(self, most: int) -> list[tuple[int, BookLevels]]:
        """Return some moments, evenly chosen up to the last, with the levels nearest to the best prices.

        A moment is the end of a column; one without a book of two sides is left out.
        """
        last = max(self._books, default=-1)
        chosen = sorted({round(last * place / (most - 1)) for place in range(most)}) if last >= 0 else []
        known = np.array(sorted(self._books), np.int64)
        places = (
            np.searchsorted(known, chosen, side="right") - 1
        )  # a column without a row has the book before
        found = [
            (self.start + (column + 1) * self.width_ns, self._books[int(known[place])])
            for column, place in zip(chosen, places.tolist(), strict=True)
            if place >= 0
        ]
        return [(time, levels) for time, levels in found if len(set(levels.sides.tolist())) == BOTH_SIDES]

    @property
    def is_begun(self) -> bool:
        """Whether a level was shown in the time to keep, as far as its columns have ended."""
        return any(len(prices) for prices, _ in self.columns)

    def tick(self) -> int:
        """Return the largest step of which all prices shown are multiples, in units of 1e-8."""
        return int(np.gcd.reduce(np.concatenate([prices for prices, _ in self.columns]))) or 1

    def finish(self) -> None:
        """End the last column, unless that was done: nothing is added any more."""
        if self._open < len(self.columns):
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

    def _apply(self, changes: Ints, *, may_clear: bool = True) -> None:
        """Apply changes of the book, all in the open column. O(levels + changes log changes)."""
        if not len(changes):
            return
        sides, prices, sizes = changes.T
        keys, sizes = prices * 2 + sides, np.abs(sizes)  # less than a unit is shown as one
        if may_clear and len(clears := np.flatnonzero(sides == CLEAR)):
            is_level = sides[: clears[-1]] != CLEAR
            self._set(keys[: clears[-1]][is_level], sizes[: clears[-1]][is_level])
            self._sizes[:] = 0
            keys, sizes = keys[clears[-1] + 1 :], sizes[clears[-1] + 1 :]
        self._set(keys, sizes)

    def _set(self, keys: Ints, sizes: Ints) -> None:
        """Set levels, one after the other."""
        if len(keys):
            keys, order = _in_order(keys)
            sizes, firsts = sizes[order], _firsts(keys)
            places = self._show(keys[firsts], np.maximum.reduceat(sizes, firsts))
            self._sizes[places] = sizes[np.append(firsts[1:], len(sizes)) - 1]

    def _show(self, keys: Ints, sizes: Ints) -> Ints:
        """Note sizes that were shown in the open column, of keys that ascend; return their places."""
        places = np.searchsorted(self._keys, keys)
        is_new = np.append(self._keys, -1)[places] != keys
        if is_new.any():
            places += np.cumsum(is_new) - is_new
            stays = np.ones(len(self._keys) + np.count_nonzero(is_new), bool)
            stays[places[is_new]] = False
            for name in ("_keys", "_sizes", "_largest"):
                wider = np.zeros(len(stays), np.int64)
                wider[stays] = getattr(self, name)
                setattr(self, name, wider)
            self._keys[places] = keys
        self._largest[places] = np.maximum(self._largest[places], sizes)
        return places

    def _close(self, column: int) -> None:
        """End the open column, and repeat the book in those without a row before `column`."""
        if self._open >= 0:
            self.columns[self._open] = self._reduced()
        is_there = self._sizes > 0
        self._keys, self._sizes = self._keys[is_there], self._sizes[is_there]
        self._largest = self._sizes.copy()
        if self._open >= 0:
            self._books[self._open] = self._nearest_levels()
        if column > self._open + 1:
            self.columns[self._open + 1 : column] = [self._reduced()] * (column - self._open - 1)
        self._open = column

    def _reduced(self) -> tuple[Ints, Ints]:
        """Return prices, ascending, with the largest size of each: of the nearest ones to the best prices."""
        low, high = self._nearest_prices()
        near = slice(*np.searchsorted(self._keys, [low * 2, high * 2 + 2]))
        return _of_each(self._keys[near] >> 1, self._largest[near])

    def _nearest_levels(self) -> BookLevels:
        """Return the levels of each side nearest to the best price."""
        sides = self._keys & 1
        bids, asks = np.flatnonzero(sides == 0)[-_NEAREST:], np.flatnonzero(sides == 1)[:_NEAREST]
        near = np.sort(np.concatenate([bids, asks]))
        return BookLevels(self._keys[near] >> 1, sides[near], self._sizes[near])

    def _double_width(self) -> None:
        """Join each two columns."""
        self.width_ns *= 2
        self._books = {column // 2: book for column, book in sorted(self._books.items())}
        if self._open % 2 and self._open > 0:  # the first half of a pair whose second one is open
            prices, sizes = self.columns[self._open - 1]
            self._show(prices * 2, sizes)
        pairs = zip(self.columns[::2], self.columns[1::2], strict=True)
        joined = [_joined(*pair) for pair in pairs]
        self.columns = joined + [(_NONE, _NONE)] * len(joined)
        self._open //= 2

    def _nearest_prices(self) -> tuple[int, int]:
        """Return the lowest and the highest price of the levels to keep."""
        keys = self._keys[self._sizes > 0]
        sides = keys & 1
        bids, asks = keys[sides == 0], keys[sides == 1]
        if not (len(bids) and len(asks)):
            return 0, 2**61
        middle = int(np.searchsorted(keys, (bids[-1] + asks[0]) // 2))
        low, high = middle - self._nearest // 2, middle + self._nearest // 2
        return int(keys[max(low, 0)]) >> 1, int(keys[min(high, len(keys) - 1)]) >> 1


def _joined(first: tuple[Ints, Ints], second: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Return two columns as one."""
    if first is second:
        return first
    prices, sizes = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    order = np.argsort(prices, kind="stable")
    return _of_each(prices[order], sizes[order])


def _of_each(prices: Ints, sizes: Ints) -> tuple[Ints, Ints]:
    """Return each of the prices, which ascend, once, with its largest size."""
    if not len(prices):
        return _NONE, _NONE
    firsts = _firsts(prices)
    return prices[firsts], np.maximum.reduceat(sizes, firsts)


def _in_order(keys: Ints) -> tuple[Ints, Ints]:
    """Return keys ascending, and where each was; equal ones in their order."""
    low, bits = int(keys.min()), len(keys).bit_length()
    if int(keys.max()) - low >= 1 << (63 - bits):
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    words = keys - low  # a key and its place in one word: sorted in half the time that the order takes
    words <<= bits
    words |= np.arange(len(keys))
    words.sort()
    return (words >> bits) + low, words & ((1 << bits) - 1)


def _firsts(values: Ints) -> Ints:
    """Return where each of some values, which ascend, is first."""
    is_first = np.empty(len(values), bool)
    is_first[:1] = True
    np.not_equal(values[1:], values[:-1], out=is_first[1:])
    return np.flatnonzero(is_first)
