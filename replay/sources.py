"""A tape as a bytewax source: products as partitions, handed over on time or as fast as possible."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from recorder.halt import Halt
from recorder.sources import AWAKE
from recorder.tape.errors import TapeError
from recorder.tape.reader import BATCH_ROWS, Tape, own
from replay.pacing import MAX_SPEED, Pacer, Times
from replay.seek import start_before
from replay.window import WHOLE, Window

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
    ) -> None:
        self._tape = tape
        self._products = products
        self.pacer = pacer
        self.window = window
        self._batch_rows = batch_rows
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

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._products)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "_Reel":  # noqa: ARG002  bytewax
        """Return one product's partition, from the row after the last one handed over."""
        tape = self._tape.product(for_part)
        next_seq = resume_state or 0
        if resume_state is None and self.window.start is not None:
            next_seq = start_before(tape.segments(), self.window.start)
        rows = self.window.cut(tape.batches(self._batch_rows, next_seq))
        return _Reel(self, for_part, rows, next_seq)


def paced_source(
    tape: Tape,
    products: tuple[str, ...],
    speed: float,
    idle_limit: float | None,
    *,
    window: Window,
    batch_rows: int,
) -> TapeSource:
    """Return a source with its clock, which starts with the first reported row of any product.

    Args:
        tape: the tape.
        products: which of its products.
        speed: 1 is the original timing; `MAX_SPEED` without a clock.
        idle_limit: seconds of recorded silence that are kept; None keeps all.
        window: which part is reported.
        batch_rows: rows in an item at most.
    """
    pacer = None
    if speed != MAX_SPEED:
        firsts = [window.first_time(tape.product(product).batches(size=1024)) for product in products]
        first_time = min((first for first in firsts if first is not None), default=0)
        pacer = Pacer(speed, first_time, None if idle_limit is None else round(idle_limit * 1e9))
    return TapeSource(tape, products, pacer, window, batch_rows)


class _Reel(StatefulSourcePartition[Item, int]):
    """One product's rows on their way into the flow."""

    def __init__(
        self, source: TapeSource, product: str, batches: Iterator[pa.RecordBatch], next_seq: int
    ) -> None:
        self._source = source
        self._product = product
        self._batches = batches
        self._pacer = source.pacer
        self._window = source.window
        self._next_seq = next_seq
        self._is_part = False
        self._rows: pa.RecordBatch | None = None
        self._times: Times = np.empty(0, np.int64)
        self._load()

    def _load(self) -> None:
        """Bring the next batch in and tell the clock of it."""
        try:
            self._rows = next(self._batches, None)
        except TapeError as error:
            self._rows = None
            self._source.halt(error)
        if self._rows is not None:
            self._is_part = False
            self._times = self._rows.column("recv_time").view(pa.int64()).to_numpy()
        self._announce()

    def _announce(self) -> None:
        if self._pacer is not None:
            self._pacer.announce(self._product, int(self._times[0]) if self._rows is not None else None)

    def next_batch(self) -> list[Item]:
        rows = self._rows
        if rows is None or self._source.is_stopped:
            if self._source.raises:
                self._source.halt.raise_failure()
            raise StopIteration
        count = rows.num_rows
        if self._pacer is not None and self._window.is_reported(int(self._times[0])):
            count = self._pacer.ready(self._product, self._times)
        if not count:
            return []
        self._next_seq = rows.column("seq")[count - 1].as_py() + 1
        item = rows if count == rows.num_rows and not self._is_part else own(rows.slice(0, count))
        if count == rows.num_rows:
            self._load()
        else:
            self._rows, self._times, self._is_part = rows.slice(count), self._times[count:], True
            self._announce()
        return [(self._product, item)]

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> int:
        return self._next_seq
