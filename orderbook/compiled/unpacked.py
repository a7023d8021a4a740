"""A packed row in plain Python: for rows that the kernel leaves to the plain tracker, and for strategies."""

from collections.abc import Iterator

from orderbook.compiled.book import size_of
from orderbook.compiled.packed_format import (
    BOOK,
    BOOK_TIME,
    EVENTS,
    NAMED,
    SEQUENCE,
    SIZE_ZEROS,
    TICK_LENGTHS,
    TIMELESS,
    TRADES,
)
from orderbook.events import BookEvent, BookFrame, Level, OtherFrame, ReadRow, Trade, TradeFrame
from orderbook.execution.market_rows import NO_TIME


class _Reader:
    """Reads numbers from packed bytes, one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def integer(self, count: int, *, signed: bool = False) -> int:
        self.at += count
        return int.from_bytes(self.data[self.at - count : self.at], "little", signed=signed)

    def number(self) -> tuple[int, int]:
        """Return a number, and the bit beside it."""
        head = self.byte()
        return self.integer(head & 7) * 10 ** (head >> 3 & 15), head >> 7

    def changes(self) -> Iterator[tuple[int, Level]]:
        """Yield side, price and size of each change."""
        tick = 10 ** self.byte()
        ticks = self.number()[0]
        while self.at < len(self.data):
            head = self.byte()
            folded = self.integer(TICK_LENGTHS[head >> 1 & 3])
            ticks += -(folded + 1 >> 1) if folded & 1 else folded >> 1
            units = self.integer(head >> 3 & 7) * 10 ** SIZE_ZEROS[head >> 6]
            yield head & 1, (ticks * tick, size_of(units))


def unpack(data: bytes, time: int | None = None) -> ReadRow:
    """Return what a packed row says. O(length).

    Args:
        data: its payload.
        time: its exchange_time, if it has one.
    """
    reader = _Reader(data)
    flags = reader.byte()
    exchange_time = None if flags & TIMELESS else time
    sequence = reader.number()[0] if flags & SEQUENCE else None
    book_time = exchange_time
    if flags & BOOK_TIME:
        time, is_none = reader.number()
        book_time = None if is_none else time
    trades = None
    if flags & (NAMED | TRADES):
        named = reader.number()[0] if flags & NAMED else None
        count = reader.number()[0] if flags & TRADES else 0
        trades = TradeFrame([_trade(reader) for _ in range(count)], named)
    if not flags & BOOK:
        return ReadRow(OtherFrame(None, "", sequence), None, trades)
    return ReadRow(BookFrame(_events(reader, flags), exchange_time, sequence), book_time, None)


def _trade(reader: _Reader) -> Trade:
    number, time, marks = reader.number()[0], reader.integer(8, signed=True), reader.byte()
    side, price, size = marks & 1, reader.number()[0], size_of(reader.number()[0])
    return Trade(number, None if time == NO_TIME else time, "ask" if side else "bid", price, size, marks > 1)


def _events(reader: _Reader, flags: int) -> list[BookEvent]:
    ends = [(-1, 0)]
    if flags & EVENTS:
        ends = [reader.number() for _ in range(reader.number()[0])]
    changes = list(reader.changes()) if reader.at < len(reader.data) else []
    events, start = [], 0
    for end, is_snapshot in ends:
        stop = len(changes) if end < 0 else end
        sides = [[level for side, level in changes[start:stop] if side == wanted] for wanted in (0, 1)]
        events.append(BookEvent(bool(is_snapshot), *sides))
        start = stop
    return events
