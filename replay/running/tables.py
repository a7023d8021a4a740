"""A part of a product's tape as one Arrow table: the rows as received, or the best bid and ask after each."""

from collections.abc import Iterator

import pyarrow as pa

from orderbook.engine import Engine
from orderbook.schema import FLOW_SUMMARY_SCHEMA, FLOW_TRADE_SCHEMA, TAPE_SCHEMA
from orderbook.trades import TradeReader
from recorder.runtime.loading import engine_for, load_engine
from recorder.settings import EngineName
from recorder.tape.format.sidecars import Start
from recorder.tape.reader import Tape
from replay.running.window import Window


def rows_in(tape: Tape, product: str, window: Window) -> pa.Table:
    """Return the rows of a product in a window, columns `TAPE_SCHEMA`.

    Raises:
        TapeError: if the tape cannot be read or has no such product.
    """
    return pa.Table.from_batches(
        [
            rows
            for rows, is_reported in _batches(tape, product, window, _start(tape, product, window))
            if is_reported
        ],
        TAPE_SCHEMA,
    )


def summaries_in(tape: Tape, product: str, window: Window, engine: Engine | EngineName = "auto") -> pa.Table:
    """Return the summaries of a product in a window, columns `FLOW_SUMMARY_SCHEMA`.

    Raises:
        TapeError: if the tape cannot be read or has no such product.
        EngineError: if the engine is not installed.
    """
    start = _start(tape, product, window)
    rows = tape.product(product).sealed_rows() - start.seq
    running = load_engine(engine_for(rows, engine))
    state = running.load(start.saved) if start.saved else running.start(product, tape.feed)
    kept = []
    for rows, is_reported in _batches(tape, product, window, start):
        state, step = running.step(state, rows)
        if is_reported:
            kept.append(step.summaries)
    return pa.Table.from_batches(kept, FLOW_SUMMARY_SCHEMA)


def trades_in(tape: Tape, product: str, window: Window) -> pa.Table:
    """Return the trades of a product in a window, columns `FLOW_TRADE_SCHEMA`.

    Raises:
        TapeError: if the tape cannot be read or has no such product.
    """
    reader = TradeReader(product, tape.venue)
    rows_and_whether = _batches(tape, product, window, _start(tape, product, window))
    return pa.Table.from_batches(
        [reader.of_rows(rows).trades for rows, is_reported in rows_and_whether if is_reported],
        FLOW_TRADE_SCHEMA,
    )


def _start(tape: Tape, product: str, window: Window) -> Start:
    return Start() if window.start is None else tape.product(product).start_before(window.start)


def _batches(tape: Tape, product: str, window: Window, start: Start) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Yield the rows up to the end of the window, and whether they are in it."""
    for rows in window.cut(tape.product(product).batches(first_seq=start.seq)):
        yield rows, window.is_reported(rows.column("recv_time").view(pa.int64())[0].as_py())
