"""The steps of the rows of a piece: its book comes from a sidecar, or from the rows before it."""

from collections.abc import Callable, Iterator
from typing import Protocol

import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Engine, Step
from orderbook.trades import TradeReader, TradeWatch
from recorder.tape.format.sidecars import Start
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import BATCH_ROWS, split_at
from replay.pieces.cutting import Piece
from replay.running.window import Window


class Prepared(Protocol):
    """Follows the book from before the rows that are reported on."""

    def load(self, levels: Levels, /) -> None:
        """Take the book that is known before the first row."""

    def prepare(self, step: Step, /) -> None:
        """Take rows before those that are reported."""


def steps_of(
    tape: ProductTape,
    piece: Piece,
    window: Window,
    engine: Engine,
    *,
    depth: int = 0,
    trades: bool = False,
    batch_rows: int = BATCH_ROWS,
    prepared: Prepared | None = None,
    seen: Callable[[pa.RecordBatch], None] | None = None,
) -> Iterator[Step]:
    """Yield the steps of the rows of a piece that are in a window.

    If the sidecar before the piece is missing or damaged by now, it is read from an earlier one on.

    Args:
        tape: the product.
        piece: its rows.
        window: the part of the tape that is reported.
        engine: runs the book.
        depth: best levels a side that a step has after every summary; 0 for none.
        trades: whether a step has the trades.
        batch_rows: rows in a batch at most; no result depends on it.
        prepared: takes what comes before; steps then have `market`.
        seen: called with the rows of each step that is yielded.

    Raises:
        DamagedTapeError: if a file is not what was written.
    """
    start = start_of(tape, piece, window)
    state = engine.start(tape.product, tape.feed) if start.saved is None else engine.load(start.saved)
    reader = TradeReader(tape.product, state.venue) if trades else None
    watch = None if prepared is None else TradeWatch(tape.product, state.venue)
    if prepared is not None and (levels := engine.levels(state)) is not None:
        prepared.load(levels)
    for rows in window.cut(rows_of(tape, piece, start, batch_rows, engine.packed)):
        if reader is None:
            state, step = engine.step(state, rows, depth, watch)
        else:
            state, step = engine.step_with_trades(state, rows, reader, depth)
        assert step.span.first_seq is not None  # noqa: S101  no batch is empty
        if step.span.first_seq >= piece.first_seq and window.is_reported(step.span.first_time):
            if seen is not None:
                seen(rows)
            yield step
        elif prepared is not None:
            prepared.prepare(step)


def start_of(tape: ProductTape, piece: Piece, window: Window) -> Start:
    """Return where to begin reading so that the book is right from the rows of a piece in a window on."""
    if piece.is_first:
        return Start() if window.start is None else tape.start_before(window.start)
    return tape.start_at(piece.first_seq)


def rows_of(
    tape: ProductTape, piece: Piece, start: Start, batch_rows: int = BATCH_ROWS, packed: str = ""
) -> Iterator[pa.RecordBatch]:
    """Yield the rows from a start to the end of a piece, cut at both of its ends."""
    cuts = {piece.first_seq} if piece.next_seq is None else {piece.first_seq, piece.next_seq}
    for rows in split_at(tape.batches(batch_rows, start.seq, packed, piece.next_seq), cuts):
        if rows.column("seq")[0].as_py() == piece.next_seq:
            return
        yield rows
        if rows.column("seq")[-1].as_py() + 1 == piece.next_seq:
            return  # before the next segment is opened
