"""One pass over a product: every batch with the effects of its rows on the book, day by day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Engine, Step
from orderbook.execution.market_rows import MarketRows
from orderbook.times import NS
from orderbook.trades import TradeReader
from orderbook.venues.base import Venue
from orderbook.venues.registry import venue
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import copy_rows
from replay.pieces.cutting import Piece
from replay.pieces.reading import rows_of, start_of
from replay.running.window import Window

DAY_NS: Final = 86_400 * NS


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a product, all received on one UTC day.

    Attributes:
        product: its id.
        venue: the venue that sent the frames.
        rows: the rows, as recorded.
        step: their effects, with trades.
        market: what they changed, as arrays.
        begins: whether they are the first of the export.
        book: the book before them, if they are the first of the export or of a day and a book is known.
    """

    product: str
    venue: Venue
    rows: pa.RecordBatch
    step: Step
    market: MarketRows
    begins: bool
    book: Levels | None

    @property
    def first_time(self) -> int:
        """recv_time of the first row, nanoseconds since 1970."""
        return int(self.market.time[0])

    @property
    def day(self) -> int:
        """The UTC day of all rows, in days since 1970."""
        return self.first_time // DAY_NS


def parts_of_product(
    tape: ProductTape,
    piece: Piece,
    window: Window,
    engine: Engine,
    depth: int,
    watch: Callable[[str, Step], None],
) -> Iterator[Part]:
    """Yield the rows in a window with their effects; rows before it build the book.

    Args:
        tape: rows of the product.
        piece: those of them to yield.
        window: the part to yield.
        engine: runs the book.
        depth: best levels a side to collect after every summary; 0 collects none.
        watch: called with every step, those before the window too.

    Raises:
        DamagedTapeError: if a file is not what was written.
    """
    start = start_of(tape, piece, window)
    state = engine.load(start.saved) if start.saved else engine.start(tape.product, tape.feed)
    feed = venue(tape.feed)
    trades = TradeReader(tape.product, feed)
    last_day = -1
    for batch in window.cut(rows_of(tape, piece, start)):
        for rows in _by_day(batch):
            first_time = int(rows.column("recv_time")[0].value)
            is_reported = window.is_reported(first_time) and rows.column("seq")[0].as_py() >= piece.first_seq
            day = first_time // DAY_NS
            book = engine.levels(state) if is_reported and day != last_day else None
            state, step = engine.step_with_trades(state, rows, trades, depth if is_reported else 0)
            watch(tape.product, step)
            if is_reported:
                assert step.market is not None  # noqa: S101  trades were read
                begins = piece.is_first and last_day < 0
                yield Part(tape.product, feed, rows, step, step.market, begins, book)
                last_day = day


def _by_day(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield rows in order, split where a UTC day begins."""
    days = rows.column("recv_time").view(pa.int64()).to_numpy() // DAY_NS
    if days[0] == days[-1]:
        yield rows
        return
    cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for low, high in pairwise(cuts):
        yield copy_rows(rows.slice(low, high - low))


def day_text(day: int) -> str:
    """Return a day since 1970 as ISO date.

    >>> day_text(0), day_text(20_000)
    ('1970-01-01', '2024-10-04')
    """
    return str(np.datetime64(day, "D"))
