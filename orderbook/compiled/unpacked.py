"""A packed row in plain Python: for rows that the kernel leaves to the plain tracker, and for strategies."""

from orderbook.compiled.book import size_of
from orderbook.compiled.market import CUT_UNIT
from orderbook.compiled.packed import BOOK, BOOK_TIME, EVENTS, NAMED, SEQUENCE, TRADES
from orderbook.events import BookEvent, BookFrame, Level, OtherFrame, ReadRow, Trade, TradeFrame
from orderbook.execution.market_rows import NO_TIME
from orderbook.execution.numbers import UNITS


class _Reader:
    """Reads numbers from packed bytes, one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def word(self) -> int:
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little", signed=True)

    def number(self) -> tuple[int, int]:
        """Return a number, and the bit beside it."""
        head = self.byte()
        self.at += head & 7
        number = int.from_bytes(self.data[self.at - (head & 7) : self.at], "little")
        return number * 10 ** (head >> 3 & 15), head >> 7

    def size(self) -> str:
        whole, rest = divmod(self.number()[0], UNITS)
        return size_of(whole, rest * CUT_UNIT)


def unpack(data: bytes) -> ReadRow:
    """Return what a packed row says. O(length)."""
    reader = _Reader(data)
    time = int.from_bytes(data[-8:], "little", signed=True)
    exchange_time = None if time < 0 else time
    flags = reader.byte()
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
    number, time, marks = reader.number()[0], reader.word(), reader.byte()
    side, price, size = marks & 1, reader.number()[0], reader.size()
    return Trade(number, None if time == NO_TIME else time, "ask" if side else "bid", price, size, marks > 1)


def _events(reader: _Reader, flags: int) -> list[BookEvent]:
    ends = [(-1, 0)]
    if flags & EVENTS:
        ends = [reader.number() for _ in range(reader.number()[0])]
    changes: list[tuple[int, Level]] = []
    while reader.at < len(reader.data) - 8:
        price, side = reader.number()
        changes.append((side, (price, reader.size())))
    events, start = [], 0
    for end, is_snapshot in ends:
        stop = len(changes) if end < 0 else end
        sides = [[level for side, level in changes[start:stop] if side == wanted] for wanted in (0, 1)]
        events.append(BookEvent(bool(is_snapshot), *sides))
        start = stop
    return events
