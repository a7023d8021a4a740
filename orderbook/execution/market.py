"""What the tape shows of one product: the book, its time, and trades that it does not show yet.

The `Grid` has what the book showed at each time at which equity is sampled, noted once for all lanes.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from sortedcontainers import SortedDict

from orderbook.book import OrderBookState
from orderbook.decimals import price_to_float
from orderbook.execution.numbers import LONGEST_WHOLE, common_step, is_cut, size_units
from orderbook.execution.rows import BookRow, BreakRow, TapeRow, TradeRow
from orderbook.venues.base import Side


class Mark(NamedTuple):
    """The best prices of a known book at a time of the grid: after all rows up to then."""

    time: int
    connection: int
    bid: int | None
    ask: int | None


class Grid:
    """The marks at whole multiples of a duration, beginning with the first row that is shown.

    Attributes:
        marks: those that not every lane has sampled yet, oldest first.
        forgotten: number of those before them.
    """

    def __init__(self, every: int) -> None:
        self.marks: list[Mark] = []
        self.forgotten = 0
        self.next_time: int | None = None
        self._every = every

    @property
    def end(self) -> int:
        """Number of marks so far."""
        return self.forgotten + len(self.marks)

    def skip(self, time: int) -> None:
        """Go on with the first multiple from a time on: no book is known before."""
        self.next_time = -(-time // self._every) * self._every

    def mark(self, time: int, connection: int, bid: int | None, ask: int | None) -> None:
        """Mark the book at all multiples before a time."""
        while self.next_time is not None and self.next_time < time:
            self.marks.append(Mark(self.next_time, connection, bid, ask))
            self.next_time += self._every

    def since(self, number: int, before: int) -> list[Mark]:
        """Return the marks from a number on that are before a time."""
        first = last = number - self.forgotten
        while last < len(self.marks) and self.marks[last].time < before:
            last += 1
        return self.marks[first:last]

    def forget(self) -> None:
        """Forget the marks: all lanes have sampled them."""
        self.forgotten = self.end
        self.marks.clear()


class Print(NamedTuple):
    """A trade that the book does not show yet."""

    side: Side
    price: int
    size: int
    time: int | None


def not_in_book(trade_time: int | None, book_time: int | None) -> bool:
    """Tell whether the book does not show a trade that arrives now; with an unknown time it does not yet."""
    return trade_time is None or book_time is None or trade_time > book_time


def is_later(trade_time: int | None, book_time: int | None) -> bool:
    """Tell whether a trade is known to be later than a book.

    Of an unknown time it is not: a trade is in the book from the next book frame on.
    """
    return trade_time is not None and book_time is not None and trade_time > book_time


class Touch(NamedTuple):
    """The best prices of a book, in units; None of an empty side."""

    bid: int | None
    ask: int | None

    @property
    def mid_twice(self) -> int | None:
        """Twice the mid, None if a side is empty."""
        return None if self.bid is None or self.ask is None else self.bid + self.ask


class Known(NamedTuple):
    """What was known before a row: whether there was a book, its best prices, its time E, its row's time."""

    is_known: bool
    touch: Touch
    book_time: int | None
    book_row: int


_UNKNOWN = Touch(None, None)


class Market:
    """The feed of one product as it is after the last row.

    Attributes:
        book: the book, which the tracker changes before each row is applied here.
        tick: smallest step of prices, in units; None until the first book if it has to be inferred.
        shown_tick, shown_lot: steps of price and size that the first book shows, in units; None before it.
        seq, time, connection: of the last row.
        is_known: whether a book is known.
        book_row: time of the last row that changed the book.
        book_time: the largest book time of this connection so far (E), None before the first.
        prints: trades of this connection that the book does not show yet.
        excess_lag: by how many ns the last book frame was later than the fastest of its connection.
        touch: best bid and best ask after the last row; None of an empty side and of an unknown book.
        relative_spread: the spread as a fraction of the ask, the float of the summaries; None if a side is
            empty.
        before: what the last row found.
        sizes_cut: sizes of the feed that had more than 8 decimals or more digits than an int64 holds.
    """

    def __init__(self, book: OrderBookState, tick: int | None = None) -> None:
        self.book = book
        self.tick = tick
        self.shown_tick: int | None = None
        self.shown_lot: int | None = None
        self.seq, self.time, self.connection = -1, 0, 0
        self.is_known = False
        self.book_time: int | None = None
        self.prints: list[Print] = []
        self.excess_lag = 0
        self.touch = _UNKNOWN
        self.relative_spread: float | None = None
        self.book_row = 0
        self.before = Known(False, _UNKNOWN, None, 0)
        self.sizes_cut = 0
        self._least_lag: int | None = None
        self._grids: dict[int, Grid] = {}
        if book.is_known:  # reading begins in the middle of a tape
            self._look()

    def grid(self, every: int) -> Grid:
        """Return the grid of samples of this duration; all lanes with the same share it."""
        return self._grids.setdefault(every, Grid(every))

    def pass_time(self, time: int) -> None:
        """Mark the grids before a row of this time is applied."""
        for grid in self._grids.values():
            if grid.next_time is None or (grid.next_time < time and not self.is_known):
                grid.skip(time)
            elif grid.next_time < time:
                grid.mark(time, self.connection, *self.touch)

    def forget_marks(self) -> None:
        """Forget the marks of the grids: all lanes have sampled them."""
        for grid in self._grids.values():
            grid.forget()

    def apply(self, row: TapeRow) -> None:
        """Apply a row, after the tracker has applied it to the book."""
        self.seq, self.time, self.connection = row[:3]
        self.before = Known(self.is_known, self.touch, self.book_time, self.book_row)
        if isinstance(row, BookRow):
            self._book(row)
        elif isinstance(row, TradeRow):
            self._trades(row)
        elif isinstance(row, BreakRow):
            self.is_known = False
            self.touch, self.relative_spread = _UNKNOWN, None
            self.book_time = self._least_lag = None
            self.excess_lag = 0
            self.prints.clear()

    def _book(self, row: BookRow) -> None:
        if row.book_time is not None:
            self.book_time = max(self.book_time or 0, row.book_time)
            lag = row.time - row.book_time
            self._least_lag = lag if self._least_lag is None else min(lag, self._least_lag)
            self.excess_lag = lag - self._least_lag
        self.prints = [each for each in self.prints if is_later(each.time, self.book_time)]
        for event in row.events:
            for _, size in chain(event.bids, event.asks):
                if len(size) > LONGEST_WHOLE and is_cut(size):
                    self.sizes_cut += 1
        self.book_row = row.time
        self._look()

    def _look(self) -> None:
        """Take note of the book that is known now."""
        self.is_known = True
        touch = Touch(_end_of(self.book.bids, -1), _end_of(self.book.asks, 0))
        if touch != self.touch:
            self.touch, self.relative_spread = touch, _relative_spread(*touch)
        if self.shown_tick is None and (self.book.bids or self.book.asks):
            sides = self.book.bids, self.book.asks
            self.shown_tick = common_step(price for side in sides for price in side)
            self.shown_lot = common_step(size_units(size) for side in sides for size in side.values())
            self.tick = self.tick or self.shown_tick

    def _trades(self, row: TradeRow) -> None:
        for trade in row.trades:
            self.sizes_cut += is_cut(trade.size)
            if not trade.is_history and not_in_book(trade.exchange_time, self.book_time):
                size = size_units(trade.size)
                self.prints.append(Print(trade.maker_side, trade.price, size, trade.exchange_time))

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is above the best ask: a fault of the feed."""
        bid, ask = self.touch
        return bid is not None and ask is not None and bid > ask

    @property
    def top(self) -> tuple[int | None, ...]:
        """The best prices and their sizes: bid, its size, ask, its size."""
        bid, ask = self.touch
        bid_size = None if bid is None else self.size_at("bid", bid)
        return bid, bid_size, ask, None if ask is None else self.size_at("ask", ask)

    def best(self, side: Side) -> int | None:
        """Return the best price of a side, None if it is empty or no book is known."""
        return self.touch.bid if side == "bid" else self.touch.ask

    def size_at(self, side: Side, price: int) -> int:
        """Return the size that the book shows at a price, in units."""
        levels = self.book.bids if side == "bid" else self.book.asks
        return size_units(levels.get(price, ""))

    def levels(self, side: Side, depth: int | None = None) -> Iterator[tuple[int, int]]:
        """Yield (price, size) of a side, best first."""
        levels = self.book.bids if side == "bid" else self.book.asks
        prices = reversed(levels) if side == "bid" else iter(levels)
        for price in islice(prices, depth):
            yield price, size_units(levels[price])

    def printed(self, side: Side, price: int) -> list[Print]:
        """Return the prints at a price."""
        return [each for each in self.prints if each.price == price and each.side == side]


def _end_of(levels: SortedDict, end: int) -> int | None:
    return levels.peekitem(end)[0] if levels else None


def _relative_spread(bid: int | None, ask: int | None) -> float | None:
    if bid is None or ask is None:
        return None
    return round(price_to_float(ask - bid) / price_to_float(ask) * 1e12) / 1e12
