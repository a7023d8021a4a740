"""The events of a product in groups: a row of the book is a group, a trade is one, an interruption is one.

The events of a group happen at one time, in their order.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.execution.market_rows import BOOK, BREAK, CLEAR, NO_TIME, SNAPSHOT
from replay.export.changes import Changes, changes_of, changes_of_book
from replay.export.passing import Part

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

IS_BOOK: Final = 0
IS_TRADE: Final = 1
IS_BREAK: Final = 2
"""Kinds of a group."""

DEPTH: Final = 0
TRADE: Final = 1
EMPTIED: Final = 2
IN_SNAPSHOT: Final = 3
"""Kinds of an event: a level, a trade, the book is emptied, a level of a snapshot."""


@dataclass(frozen=True, slots=True)
class Events:
    """Groups of events, in the order of the tape.

    Attributes:
        kind: uint8 for each group.
        recv: int64 for each group, recv_time.
        exch: int64 for each group, the exchange's time or `NO_TIME`.
        first: int64, one more than groups: group i has the events from first[i] to before first[i + 1].
        what: uint8 for each event, its kind.
        side: uint8 for each event: 0 for a bid, or a trade whose initiator bought; 1 for an ask, or a seller;
            2 for `EMPTIED`.
        price, size: float64 for each event; 0 for `EMPTIED`.
    """

    kind: npt.NDArray[np.uint8]
    recv: Ints
    exch: Ints
    first: Ints
    what: npt.NDArray[np.uint8]
    side: npt.NDArray[np.uint8]
    price: Floats
    size: Floats

    def __len__(self) -> int:
        return len(self.kind)

    def joined(self, other: "Events") -> "Events":
        """Return these groups and others after them."""
        if not len(self):
            return other
        arrays = (np.concatenate([getattr(each, name) for each in (self, other)]) for name in _JOINED)
        kind, recv, exch, what, side, price, size = arrays
        first = np.concatenate([self.first, other.first[1:] + self.first[-1]])
        return Events(kind, recv, exch, first, what, side, price, size)

    def before(self, group: int) -> "Events":
        """Return the groups before one."""
        event = self.first[group]
        return Events(
            self.kind[:group],
            self.recv[:group],
            self.exch[:group],
            self.first[: group + 1],
            self.what[:event],
            self.side[:event],
            self.price[:event],
            self.size[:event],
        )

    def since(self, group: int) -> "Events":
        """Return the groups from one on."""
        event = self.first[group]
        return Events(
            self.kind[group:],
            self.recv[group:],
            self.exch[group:],
            self.first[group:] - event,
            self.what[event:],
            self.side[event:],
            self.price[event:],
            self.size[event:],
        )


_JOINED: Final = ("kind", "recv", "exch", "what", "side", "price", "size")


def no_events() -> Events:
    """Return no group."""
    none: Any = np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0)
    small, whole, real = none
    return Events(small, whole, whole, np.zeros(1, np.int64), small, small, real, real)


def events_of(part: Part, *, with_trades: bool = True) -> Events:
    """Return what happens in the rows, trades from before a subscription left out. O(rows + events).

    The groups of a row are its trades, or its changes of the book, or its interruption.
    """
    market, changes = part.market, changes_of(part)
    is_book = np.isin(market.kind, (BOOK, SNAPSHOT))
    is_break = market.kind == BREAK
    trades = np.flatnonzero(market.trades[:, 5] == 0) if with_trades else np.empty(0, np.int64)
    if not len(trades) and is_book.all():
        return _of_books(market.time, market.book_time, market.kind == SNAPSHOT, market.first_change, changes)
    # Groups in the order of the rows: each row of the book and each interruption has one, each trade has one.
    trade_row = np.repeat(np.arange(len(market.seq)), np.diff(market.first_trade))[trades]
    plain = np.flatnonzero(is_book | is_break)
    row = np.concatenate([plain, trade_row])
    source = np.concatenate([np.full(len(plain), -1), trades])
    order = np.argsort(row, kind="stable")
    row, source = row[order], source[order]
    is_trade = source >= 0
    kind = np.where(is_trade, IS_TRADE, np.where(is_break[row], IS_BREAK, IS_BOOK)).astype(np.uint8)
    exch = np.where(is_trade, market.trades[source, 1] if len(trades) else NO_TIME, market.book_time[row])
    count = np.where(kind == IS_BOOK, np.diff(market.first_change)[row], 1)
    first = np.concatenate([[0], np.cumsum(count)])
    total = int(first[-1])
    what = np.empty(total, np.uint8)
    side = np.empty(total, np.uint8)
    price, size = np.empty(total), np.empty(total)
    in_book = np.repeat(kind == IS_BOOK, count)
    what[in_book], side[in_book] = _kinds(changes, market.kind == SNAPSHOT), changes.side
    price[in_book], size[in_book] = np.nan_to_num(changes.price), np.nan_to_num(changes.size)
    breaks = first[:-1][kind == IS_BREAK]
    what[breaks], side[breaks], price[breaks], size[breaks] = EMPTIED, CLEAR, 0, 0
    places, traded = first[:-1][is_trade], source[is_trade]
    exact = part.step.trades
    assert exact is not None  # noqa: S101  trades were read
    what[places], side[places] = TRADE, 1 - market.trades[traded, 2]
    price[places] = exact.trades.column("price").to_numpy()[traded]
    size[places] = exact.trades.column("size").to_numpy()[traded]
    return Events(kind, market.time[row], exch, first, what, side, price, size)


def _of_books(recv: Ints, exch: Ints, is_snapshot: Bools, first: Any, changes: Changes) -> Events:
    """Return rows of the book and nothing else."""
    price, size = changes.price, changes.size
    if is_snapshot.any():
        price, size = np.nan_to_num(price), np.nan_to_num(size)
    return Events(
        np.zeros(len(recv), np.uint8),
        recv,
        exch,
        first.astype(np.int64),
        _kinds(changes, is_snapshot),
        changes.side.astype(np.uint8),
        price,
        size,
    )


def _kinds(changes: Changes, is_snapshot: Bools) -> npt.NDArray[np.uint8]:
    """Return the kind of each change; `is_snapshot` is one of each row."""
    if not is_snapshot.any():
        return np.full(len(changes.row), DEPTH, np.uint8)
    what = np.where(is_snapshot[changes.row], IN_SNAPSHOT, DEPTH).astype(np.uint8)
    what[changes.side == CLEAR] = EMPTIED
    return what


def events_of_book(book: Levels, time: int) -> Events:
    """Return a book as a snapshot, received at a time, which the exchange does not tell."""
    changes = changes_of_book(book)
    count = len(changes.row) + 1
    what, side = np.full(count, IN_SNAPSHOT, np.uint8), np.full(count, CLEAR, np.uint8)
    price, size = np.zeros(count), np.zeros(count)
    what[0] = EMPTIED
    side[1:], price[1:], size[1:] = changes.side, changes.price, changes.size
    recv, exch = np.array([time], np.int64), np.array([NO_TIME], np.int64)
    first = np.array([0, count], np.int64)
    return Events(np.zeros(1, np.uint8), recv, exch, first, what, side, price, size)
