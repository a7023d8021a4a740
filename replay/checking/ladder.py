"""The ladder that `book` shows: the levels of a product's order book at a time."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from orderbook import display
from orderbook.decimals import PRICE_UNITS
from orderbook.display import time_of_day
from orderbook.document import Document
from orderbook.engine import Engine
from orderbook.errors import BooktapeError
from orderbook.result import Result
from orderbook.times import format_time
from recorder.installed import tapes_title
from recorder.runtime.loading import engine_for, load_engine
from recorder.settings import EngineName
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from replay.checking.absence import why_no_book
from replay.running.window import Window


class NoBookError(BooktapeError):
    """No book is known at that time."""


LADDER_SCHEMA: Final = pa.schema(
    [
        pa.field("side", pa.string(), nullable=False),
        pa.field("level", pa.int64(), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("size", pa.float64(), nullable=False),
        pa.field("cumulative_size", pa.float64(), nullable=False),
    ]
)
"""Columns of `Ladder.table`."""


class LadderLevel(NamedTuple):
    """A level with exact numbers.

    Attributes:
        price: price in the quote currency.
        size: size in the base currency.
        cumulative: sum of the sizes from the best level to this one.
    """

    price: Decimal
    size: Decimal
    cumulative: Decimal


class LevelDocument(Document, frozen=True):
    """A level; its numbers are the floats nearest to the exact values."""

    price: float
    size: float
    cumulative: float


class LadderDocument(Document, frozen=True):
    """The JSON form of `Ladder`.

    Attributes:
        at: the requested time.
    """

    tape: str
    product: str
    at: str
    seq: int
    recv_time: str
    bids: list[LevelDocument]
    asks: list[LevelDocument]


@dataclass(frozen=True, slots=True, repr=False)
class Ladder(Result):
    """A book, best levels first.

    Attributes:
        tape, product: the tape and the product id.
        at: the requested time, in nanoseconds since 1970.
        seq, recv_time: of the last row at or before that time.
        bids, asks: the best levels of each side.
    """

    tape: Path
    product: str
    at: int
    seq: int
    recv_time: int
    bids: tuple[LadderLevel, ...]
    asks: tuple[LadderLevel, ...]

    def summary(self) -> str:
        """Return one line: the product, the time, the best bid and ask."""
        bid, ask = (display.price(float(side[0].price)) if side else "-" for side in (self.bids, self.asks))
        return f"{self.product} at {display.time_of_day(self.at)} UTC: {bid} / {ask}, after row {self.seq:,}"

    def table(self) -> pa.Table:
        """Return a row for each level, bids first and the best first, columns `LADDER_SCHEMA`."""
        rows = [
            (side, number, float(each.price), float(each.size), float(each.cumulative))
            for side, levels in (("bid", self.bids), ("ask", self.asks))
            for number, each in enumerate(levels, 1)
        ]
        names = LADDER_SCHEMA.names
        return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], LADDER_SCHEMA)

    def _document(self) -> LadderDocument:
        return LadderDocument.of(
            self,
            tape=str(self.tape),
            at=format_time(self.at),
            recv_time=format_time(self.recv_time),
            bids=[LevelDocument(*map(float, level)) for level in self.bids],
            asks=[LevelDocument(*map(float, level)) for level in self.asks],
        )


def book_at(
    tape: TapeLike, product: str, at: int, depth: int, engine: Engine | EngineName = "auto"
) -> Ladder:
    """Return the best levels of a product at a time.

    Args:
        tape: the tape, or its path.
        product: product id.
        at: the time (inclusive), in nanoseconds since 1970.
        depth: levels a side at most.
        engine: runs the book.

    Raises:
        TapeError: if the tape cannot be read or has no such product.
        NoBookError: if no book is known then: before the first snapshot, or in an interruption.
    """
    opened = Tape.open(tape)
    product_tape = opened.product(product)
    start = product_tape.start_before(at)
    running = load_engine(engine_for(product_tape.sealed_rows() - start.seq, engine))
    state = running.load(start.saved) if start.saved else running.start(product, opened.feed)
    seq = recv_time = -1
    for rows in Window(end=at + 1).cut(product_tape.batches(first_seq=start.seq)):
        state, step = running.step(state, rows)
        seq, recv_time = step.span.last_seq or 0, step.span.last_time or 0
    levels = running.levels(state, depth)
    if levels is None or _is_interrupted(product_tape, seq, recv_time, at):
        raise NoBookError(
            f"{tapes_title(opened.path)} no book of {product} is known at {time_of_day(at)} UTC:"
            f" {why_no_book(product_tape, at)}"
        )
    return Ladder(opened.path, product, at, seq, recv_time, _side(levels.bids), _side(levels.asks))


def _is_interrupted(tape: ProductTape, seq: int, recv_time: int, at: int) -> bool:
    """Return whether a time after a row is before a connection that begins next: its recorder had died."""
    following = next(tape.batches(1, seq + 1), None)
    return following is not None and recv_time < at and following.column("kind")[0].as_py() == "connected"


def _side(levels: list[tuple[int, str]]) -> tuple[LadderLevel, ...]:
    cumulative = Decimal(0)
    ladder = []
    for price, size in levels:
        cumulative += Decimal(size)
        ladder.append(LadderLevel(Decimal(price) / PRICE_UNITS, Decimal(size), cumulative))
    return tuple(ladder)
