"""The rows of a batch as arrays: what the compiled exchange reads. `rows` holds the same as objects.

Prices and sizes are units of 1e-8, times nanoseconds since the epoch, sides 0 (bid) and 1 (ask). A size is
cut as `numbers.size_units` cuts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orderbook.events import Level
from orderbook.execution.numbers import LARGEST_LEVEL, is_cut, size_units
from orderbook.execution.rows import BookRow, BreakRow, TapeRow, TradeRow

OTHER: Final = 0
BREAK: Final = 1
BOOK: Final = 2
TRADES: Final = 3
SNAPSHOT: Final = 4
"""Kinds of a row, one for each class of `rows`; `SNAPSHOT` is a `BOOK` row that replaces the book."""

CLEAR: Final = 2
"""In the place of a side: both sides are emptied, and a snapshot begins. Price and size are 0."""

BELOW_UNIT: Final = -1
"""In the place of a size: the level is there, and what it shows is less than a unit, so 0 after the cut."""

NO_TIME: Final = -(2**63)
"""A time that the feed does not tell."""

_Int64 = npt.NDArray[np.int64]
_Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRows:
    """The n rows of one batch of a product, in seq order; c changes of the book and t trades.

    Attributes:
        seq: int64 [n].
        time: int64 [n], recv_time.
        connection: int32 [n].
        kind: uint8 [n], `OTHER`, `BREAK`, `BOOK`, `TRADES` or `SNAPSHOT`.
        book_time: int64 [n], the time up to which a book frame tells the book; `NO_TIME` if it tells none,
            and of any other row.
        first_change: int32 [n + 1]; row i has the changes from first_change[i] to before first_change[i + 1].
        changes: int64 [c, 3], each (side or `CLEAR`, price, size or `BELOW_UNIT`), in the order in which they
            apply; size 0 removes the level. Of an event of the feed the bids come first, then the asks.
            Not filled if an exchange has followed the book itself.
        first_trade: int32 [n + 1], as `first_change`.
        trades: int64 [t, 6], each (trade_id, exchange time or `NO_TIME`, side of the maker, price, size, is
            history), ascending trade_id within a row.
        sizes_cut: int64 [n], sizes of a row that were cut.
    """

    seq: _Int64
    time: _Int64
    connection: _Int32
    kind: npt.NDArray[np.uint8]
    book_time: _Int64
    first_change: _Int32
    changes: _Int64
    first_trade: _Int32
    trades: _Int64
    sizes_cut: _Int64

    def check(self) -> None:
        """Assert the invariants; for tests. O(rows + changes + trades)."""
        rows = len(self.seq)
        assert self.changes.shape[1:] == (3,) and self.trades.shape[1:] == (6,)  # noqa: S101, PT018
        for each in (self.time, self.connection, self.kind, self.book_time, self.sizes_cut):
            assert each.shape == (rows,)  # noqa: S101
        is_book, is_trades = np.isin(self.kind, (BOOK, SNAPSHOT)), self.kind == TRADES
        for firsts, table, may_have in (
            (self.first_change, self.changes, is_book),
            (self.first_trade, self.trades, is_trades),
        ):
            assert firsts.shape == (rows + 1,)  # noqa: S101
            assert (firsts[0], firsts[-1]) == (0, len(table))  # noqa: S101
            counts = np.diff(firsts)
            assert (counts >= 0).all() and not counts[~may_have].any()  # noqa: S101, PT018
        assert np.diff(self.first_trade)[is_trades].all()  # noqa: S101
        assert (self.book_time[~is_book] == NO_TIME).all()  # noqa: S101
        side, price, size = self.changes.T
        clears = side == CLEAR
        assert np.isin(side, (0, 1, CLEAR)).all() and (size >= BELOW_UNIT).all()  # noqa: S101, PT018
        assert ((price > 0) != clears).all() and not size[clears].any()  # noqa: S101, PT018
        number, _, maker_side, price, size, is_history = self.trades.T
        inside = np.ones(len(number), bool)
        inside[self.first_trade[:-1][np.diff(self.first_trade) > 0]] = False
        assert (np.diff(number, prepend=0)[inside] >= 0).all()  # noqa: S101
        assert np.isin(maker_side, (0, 1)).all() and np.isin(is_history, (0, 1)).all()  # noqa: S101, PT018
        assert (price > 0).all() and (size >= 0).all() and (size <= LARGEST_LEVEL).all()  # noqa: S101, PT018


class RowValues(NamedTuple):
    """One row of a `MarketRows`, without what every row of the tape has."""

    kind: int
    book_time: int
    sizes_cut: int
    changes: Sequence[tuple[int, int, int]]
    trades: Sequence[tuple[int, int, int, int, int, int]]


def row_values(row: TapeRow) -> RowValues:
    """Return a row as it is in a `MarketRows`. O(changes + trades log trades)."""
    if isinstance(row, BookRow):
        changes = []
        for event in row.events:
            changes += [(CLEAR, 0, 0)] if event.is_snapshot else []
            changes += _changes(event.bids, event.asks)
        levels = (chain(event.bids, event.asks) for event in row.events)
        sizes_cut = sum(is_cut(size) for _, size in chain.from_iterable(levels))
        kind = SNAPSHOT if row.has_snapshot else BOOK
        return RowValues(kind, _time(row.book_time), sizes_cut, changes, ())
    if isinstance(row, TradeRow):
        trades = [
            (number, _time(time), 0 if side == "bid" else 1, price, size_units(size), int(is_history))
            for number, time, side, price, size, is_history in row.trades
        ]
        trades.sort(key=itemgetter(0))
        return RowValues(TRADES, NO_TIME, sum(is_cut(trade.size) for trade in row.trades), (), trades)
    return RowValues(BREAK if isinstance(row, BreakRow) else OTHER, NO_TIME, 0, (), ())


class MarketColumns:
    """Collects the rows of a batch."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, ...]] = []
        self._first_change = [0]
        self._changes: list[tuple[int, int, int]] = []
        self._first_trade = [0]
        self._trades: list[tuple[int, int, int, int, int, int]] = []

    def add(self, row: TapeRow) -> None:
        """Append a row. O(changes + trades log trades)."""
        values = row_values(row)
        self._rows.append((*row[:3], values.kind, values.book_time, values.sizes_cut))
        self._changes += values.changes
        self._trades += values.trades
        self._first_change.append(len(self._changes))
        self._first_trade.append(len(self._trades))

    def to_rows(self) -> MarketRows:
        """Return the rows."""
        seq, time, connection, kind, book_time, cut = np.array(self._rows, np.int64).reshape(-1, 6).T.copy()
        return MarketRows(
            seq=seq,
            time=time,
            connection=connection.astype(np.int32),
            kind=kind.astype(np.uint8),
            book_time=book_time,
            first_change=np.array(self._first_change, np.int32),
            changes=np.array(self._changes, np.int64).reshape(-1, 3),
            first_trade=np.array(self._first_trade, np.int32),
            trades=np.array(self._trades, np.int64).reshape(-1, 6),
            sizes_cut=cut,
        )


def _changes(bids: list[Level], asks: list[Level]) -> list[tuple[int, int, int]]:
    sides = enumerate((bids, asks))
    return [(side, price, _level_size(size)) for side, levels in sides for price, size in levels]


def _level_size(size: str) -> int:
    return size_units(size) or (BELOW_UNIT if size else 0)


def _time(time: int | None) -> int:
    return NO_TIME if time is None else time
