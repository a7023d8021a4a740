"""The mid price over a whole product, read on from its beginning a little at a time."""

import time
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.engine import Engine, State
from recorder.tape.product_tape import ProductTape
from recorder.tape.store.paths import RemotePath
from replay.viewing.grid import Floats, Ints
from replay.viewing.reading import between_marks
from replay.viewing.wire import listed, one_row

MOST_ROWS: Final = {"compiled": 2_000_000}
"""Rows that are read at most, some seconds of work; of a longer tape the sidecars have to do."""
MOST_POINTS: Final = 2048
_PLAIN_ROWS: Final = 100_000
_BATCH_ROWS: Final = 2048


class MidPrices:
    """The mid price of a product at points spread over its time, no more than `MOST_POINTS`.

    A tape in a store is not read, as it would be fetched as a whole, nor one without its first rows.

    Args:
        tape: the part of the product.
        engine: runs its book.
    """

    def __init__(self, tape: ProductTape, engine: Engine) -> None:
        self._tape, self._engine = tape, engine
        is_partly_remote = isinstance(tape.directory, RemotePath) or tape.first_seq > 0
        self._most = 0 if is_partly_remote else MOST_ROWS.get(engine.name, _PLAIN_ROWS)
        self._state: State | None = None
        self._next_seq = 0
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._spacing = 1
        self._time: Ints = np.empty(0, np.int64)
        self._mid: Floats = np.empty(0)

    def table(self, origin: int, rows: int, budget_s: float) -> pa.Table:
        """Return one row: lists of time and mid, NaN where a book ends, and whether nothing is left to read.

        Args:
            origin: the time that is 0 in it, nanoseconds since 1970.
            rows: rows that the tape has.
            budget_s: seconds after which no further batch is read.
        """
        is_read = rows <= self._most
        end = time.monotonic() + budget_s
        while is_read and self._next_seq < rows and time.monotonic() < end:
            self._batches = self._batches or self._tape.batches(_BATCH_ROWS, self._next_seq)
            batch = next(self._batches, None)
            if batch is None:
                self._batches = None
                break
            self._add(batch)
        if self._next_seq >= rows:
            self._batches = None  # holds a file open
        return one_row(
            time=listed((self._time - origin).astype(np.float64)),
            mid=listed(self._mid),
            is_whole=is_read and self._next_seq >= rows,
            is_done=not is_read or self._next_seq >= rows,
        )

    def _add(self, batch: pa.RecordBatch) -> None:
        for part in between_marks(batch):
            state = self._state or self._engine.start(self._tape.product, self._tape.feed)
            self._state, step = self._engine.step(state, part)
            if step.span.is_interrupted:
                self._keep(part.column("recv_time").view(pa.int64()).to_numpy()[-1:], np.array([np.nan]))
            else:
                times = step.summaries.column("recv_time").view(pa.int64()).to_numpy()
                bids, asks = (
                    step.summaries.column(name).to_numpy(zero_copy_only=False)
                    for name in ("bid_price", "ask_price")
                )
                self._keep(times, (bids + asks) / 2)
        self._next_seq += batch.num_rows

    def _keep(self, times: Ints, mids: Floats) -> None:
        """Keep the last price of each interval, and make these longer if there are too many."""
        self._time, self._mid = np.append(self._time, times), np.append(self._mid, mids)
        while len(self._time) > MOST_POINTS:
            is_last = np.diff(self._time // self._spacing, append=-1) != 0
            self._time, self._mid = self._time[is_last], self._mid[is_last]
            if len(self._time) > MOST_POINTS:
                self._spacing *= 2
