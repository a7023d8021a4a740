"""A tape as a bytewax source: products as partitions, handed over on time or as fast as possible."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from recorder.clock import AWAKE
from recorder.halt import Halt
from recorder.tape.errors import TapeError
from recorder.tape.index import Start
from recorder.tape.reader import BATCH_ROWS, Tape, own
from recorder.tape.tail import follow
from replay.pacing import MAX_SPEED, Pacer, Times
from replay.seek import start_before
from replay.window import WHOLE, Window

_REST_S: Final = 0.02
"""How long a replay that follows a tape rests where nothing is new."""

Item = tuple[str, pa.RecordBatch]


class TapeSource(FixedPartitionedSource[Item, int]):
    """The rows of a tape's products.

    Its recovery state is the seq after the last row handed over, so a flow that resumes skips nothing.

    Args:
        tape: the tape.
        products: which of its products.
        pacer: their common clock; None for as fast as possible.
        window: which part is reported; rows before it are handed over unpaced.
        batch_rows: rows in an item at most.
        following: go on with what is being recorded, until `stop` or the window's end.

    Attributes:
        raises: whether a tape that turns out damaged is raised inside the flow: where nobody asks `halt`.
    """

    def __init__(
        self,
        tape: Tape,
        products: tuple[str, ...],
        pacer: Pacer | None = None,
        window: Window = WHOLE,
        batch_rows: int = BATCH_ROWS,
        *,
        following: bool = False,
    ) -> None:
        self._tape = tape
        self._products = products
        self._starts = _starts(tape, products, window)
        self.pacer = pacer
        self.window = window
        self._batch_rows = batch_rows
        self._following = following
        self._fruitless = 0  # looks of partitions since any had a row
        self._stopped = False
        self.halt = Halt(self.stop)
        self.raises = False

    def stop(self) -> None:
        """End the source: what was handed over is still worked through."""
        self._stopped = True

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to end."""
        return self._stopped

    @property
    def books(self) -> dict[str, bytes]:
        """The book before each product's first row, where reading begins in the middle of its tape."""
        return {product: start.saved for product, start in self._starts.items() if start.saved is not None}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._products)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "_Reel":  # noqa: ARG002  bytewax
        """Return one product's partition, from the row after the last one handed over."""
        next_seq = self._starts[for_part].seq if resume_state is None else resume_state
        tape = self._tape.product(for_part)
        rows: Iterator[pa.RecordBatch | None]
        if self._following:
            rows = self.window.cut_following(follow(tape, next_seq, self._batch_rows))
        else:
            rows = self.window.cut(tape.batches(self._batch_rows, next_seq))
        return _Reel(self, for_part, rows, next_seq)

    def rest(self, *, had_rows: bool) -> None:
        """Be told of each look for new rows; sleeps once after a look of every partition in vain."""
        self._fruitless = 0 if had_rows else self._fruitless + 1
        if self._fruitless >= len(self._products):
            self._fruitless = 0
            time.sleep(_REST_S)


def _starts(tape: Tape, products: tuple[str, ...], window: Window) -> dict[str, Start]:
    """Return where each product's reading begins."""
    if window.start is None:
        return dict.fromkeys(products, Start())
    return {product: start_before(tape.product(product), window.start) for product in products}


def first_reported(tape: Tape, products: tuple[str, ...], window: Window) -> int | None:
    """Return recv_time of the first reported row of any product; None where there is none."""
    starts = _starts(tape, products, window)
    firsts = (
        window.first_time(tape.product(product).batches(1024, start.seq)) for product, start in starts.items()
    )
    return min((first for first in firsts if first is not None), default=None)


def paced_source(
    tape: Tape,
    products: tuple[str, ...],
    speed: float,
    idle_limit: float | None,
    *,
    precise: bool = False,
    window: Window,
    batch_rows: int,
    following: bool = False,
    first_time: int | None = None,
) -> TapeSource:
    """Return a source with its clock, which starts with the first reported row of any product.

    Args:
        tape: the tape.
        products: which of its products.
        speed: 1 is the original timing; `MAX_SPEED` without a clock.
        idle_limit: seconds of recorded silence that are kept; None keeps all.
        precise: spin before each deadline.
        window: which part is reported.
        batch_rows: rows in an item at most.
        following: go on with what is being recorded.
        first_time: recv_time that is due at the start; None for that of the first row reported.
    """
    source = TapeSource(tape, products, window=window, batch_rows=batch_rows, following=following)
    if speed != MAX_SPEED:
        limit = None if idle_limit is None else round(idle_limit * 1e9)
        begins = first_reported(tape, products, window) if first_time is None else first_time
        source.pacer = Pacer(speed, begins, limit, precise=precise)
    return source


class _Reel(StatefulSourcePartition[Item, int]):
    """One product's rows on their way into the flow."""

    def __init__(
        self, source: TapeSource, product: str, batches: Iterator[pa.RecordBatch | None], next_seq: int
    ) -> None:
        self._source = source
        self._product = product
        self._batches = batches
        self._pacer = source.pacer
        self._window = source.window
        self._next_seq = next_seq
        self._rows: pa.RecordBatch | None = None
        self._has_ended = False
        self._times: Times = np.empty(0, np.int64)
        self._place = 0  # in this batch: rows before it are handed over
        self._next_row: pa.RecordBatch | None = None
        self._load()

    def _load(self) -> None:
        """Bring the next batch in, where there is one by now, and tell the clock of it."""
        self._rows = None
        try:
            self._rows = next(self._batches)
        except StopIteration:
            self._has_ended = True
        except TapeError as error:
            self._has_ended = True
            self._source.halt(error)
        self._place = 0
        if self._rows is not None:
            self._times = self._rows.column("recv_time").view(pa.int64()).to_numpy()
        if self._pacer is not None:
            self._pacer.announce(self._product, int(self._times[0]) if self._rows is not None else None)

    def next_batch(self) -> list[Item]:
        if not self._has_ended and (self._rows is None or self._place == self._rows.num_rows):
            self._load()  # not with the last hand-over, which would have waited for it
        if self._has_ended or self._source.is_stopped:
            if self._source.raises:
                self._source.halt.raise_failure()
            raise StopIteration
        self._source.rest(had_rows=self._rows is not None)
        if self._rows is None:
            return []
        times = self._times[self._place :]
        pacer = self._pacer if self._window.is_reported(int(times[0])) else None
        count = len(times) if pacer is None else pacer.ready(self._product, times, self._prepare)
        if not count:
            return []
        item = self._take(self._rows, count)
        self._place += count
        self._next_seq += count
        self._next_row = None
        if pacer is not None:
            pacer.handed_over(self._product, times[:count])
        return [(self._product, item)]

    def _prepare(self) -> None:
        """Copy the next row while there is time; it is nearly always due alone."""
        if self._next_row is None and self._rows is not None:
            self._next_row = own(self._rows.slice(self._place, 1))

    def _take(self, rows: pa.RecordBatch, count: int) -> pa.RecordBatch:
        """Return the next rows, which own their memory."""
        if count == rows.num_rows:
            return rows
        if count == 1 and self._next_row is not None:
            return self._next_row
        return own(rows.slice(self._place, count))

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> int:
        return self._next_seq
