"""`book`: the order book of a product as it stood at a time."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec

from orderbook.decimals import PRICE_UNITS
from orderbook.engine import Engine
from orderbook.errors import BooktapeError
from orderbook.saved import SavedState
from orderbook.times import format_time
from recorder.engines import ready_engine
from recorder.options import EngineName
from recorder.tape.reader import Tape
from replay.seek import start_before
from replay.window import Window

_SAVED = msgspec.msgpack.Decoder(SavedState)


class NoBookError(BooktapeError):
    """No book is known at that time."""


@dataclass(frozen=True, slots=True)
class LadderLevel:
    """A level, exact: price in the quote currency, sizes in the base currency.

    Attributes:
        price, size: of the level.
        cumulative: the sizes from the touch to this level.
    """

    price: Decimal
    size: Decimal
    cumulative: Decimal


@dataclass(frozen=True, slots=True)
class Ladder:
    """A book, best levels first.

    Attributes:
        tape, product: whose.
        at: the time asked for, nanoseconds since 1970.
        seq, recv_time: the last row before or at that time.
        bids, asks: the best levels a side.
    """

    tape: Path
    product: str
    at: int
    seq: int
    recv_time: int
    bids: tuple[LadderLevel, ...]
    asks: tuple[LadderLevel, ...]

    def document(self) -> dict[str, object]:
        """Return the JSON form; numbers are the floats nearest to the exact values."""
        sides = {
            name: [
                {"price": float(each.price), "size": float(each.size), "cumulative": float(each.cumulative)}
                for each in side
            ]
            for name, side in (("bids", self.bids), ("asks", self.asks))
        }
        return {
            "tape": str(self.tape),
            "product": self.product,
            "at": format_time(self.at),
            "seq": self.seq,
            "recv_time": format_time(self.recv_time),
            **sides,
        }


def book_at(path: Path, product: str, at: int, depth: int, engine: Engine | EngineName = "auto") -> Ladder:
    """Return the best levels of a product after all rows up to and at a time.

    Args:
        path: the tape.
        product: which of its products.
        at: nanoseconds since 1970.
        depth: levels a side, at most.
        engine: runs the book.

    Raises:
        TapeError: where the tape cannot be read, or has no such product.
        NoBookError: where no book is known then: before the first snapshot, or in an interruption.
    """
    tape = Tape.open(path)
    rows_of = tape.product(product)
    running = ready_engine(engine)
    start = start_before(rows_of, at)
    state = running.load(start.saved) if start.saved else running.start(product, tape.feed)
    seq = recv_time = -1
    batches = rows_of.batches(first_seq=start.seq)
    for rows in Window(end=at + 1).cut(batches):
        state, step = running.step(state, rows)
        seq, recv_time = step.span.last_seq or 0, step.span.last_time or 0
    saved = _SAVED.decode(running.save(state))
    if not saved.is_known:
        raise NoBookError(f"{path}: no book of {product} is known at {format_time(at)}")
    bids, asks = _side(saved.bids[::-1][:depth]), _side(saved.asks[:depth])
    return Ladder(path, product, at, seq, recv_time, bids, asks)


def _side(levels: list[tuple[int, str]]) -> tuple[LadderLevel, ...]:
    cumulative = Decimal(0)
    ladder = []
    for price, size in levels:
        cumulative += Decimal(size)
        ladder.append(LadderLevel(Decimal(price) / PRICE_UNITS, Decimal(size), cumulative))
    return tuple(ladder)
