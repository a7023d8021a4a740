"""A tape as a bytewax source: a partition for each product, paced or as fast as possible."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from orderbook.errors import OptionError
from recorder.dataflow.running import AWAKE, FirstFailure
from recorder.runtime.descriptors import allow_open_files
from recorder.tape.errors import TapeError
from recorder.tape.format.sidecars import Start
from recorder.tape.reader import Tape
from recorder.tape.row_batches import BATCH_ROWS, copy_rows
from recorder.tape.tail import follow
from replay.running.pacing import MAX_SPEED, Pacer, Times
from replay.running.settings import ReplaySettings
from replay.running.window import WHOLE, Window

_POLL_INTERVAL_S: Final = 0.02
"""How long a replay that follows a recording sleeps if no product has a new row."""

OPEN_FILES: Final = 2
"""Of a product that is read: a segment, and a journal that is not sealed yet."""

Item = tuple[str, pa.RecordBatch]


State = int | tuple[int, str]
"""The seq after the last row handed over; and the key of a product, if that is not its id."""


class TapeSource(FixedPartitionedSource[Item, State]):
    """The rows of a tape's products.

    Its recovery state is the seq after the last row handed over, so a flow that resumes skips no row.

    Args:
        tape: the tape.
        products: product ids.
        pacer: their common clock; None for as fast as possible.
        window: the part to report; rows before it are handed over unpaced.
        batch_rows: rows in an item at most.
        packed: the version of the packed rows that the engine reads, see `ProductTape.batches`.
        following: wait for rows that are still being recorded, until `stop` or the end of the window.

    Attributes:
        failure: stops the source with a failure, which the flow's runner raises.
        raises: raise the failure inside the flow instead, if the runner is not ours.
        keys: by product, the key that the flow gives its rows; a product that is not in it is its own key.
    """

    def __init__(
        self,
        tape: Tape,
        products: tuple[str, ...],
        pacer: Pacer | None = None,
        window: Window = WHOLE,
        batch_rows: int = BATCH_ROWS,
        *,
        packed: str = "",
        following: bool = False,
    ) -> None:
        self._tape = tape
        self._products = products
        allow_open_files(len(products), OPEN_FILES)
        self._starts = _starts(tape, products, window)
        self.pacer = pacer
        self.window = window
        self._batch_rows = batch_rows
        self._following = following
        self._packed = packed
        self._empty_polls = 0  # of partitions, since the last one that had a row
        self.is_stopped = False
        self.failure = FirstFailure(self.stop)
        self.raises = False
        self.keys: Mapping[str, str] = {}

    def stop(self) -> None:
        """End the source; the flow still processes the rows that were handed over."""
        self.is_stopped = True

    @property
    def books(self) -> dict[str, bytes]:
        """The saved book before each product's first row, if reading starts in the middle of its tape."""
        return {product: start.saved for product, start in self._starts.items() if start.saved is not None}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._products)

    def build_part(
        self,
        step_id: str,  # noqa: ARG002  bytewax passes it
        for_part: str,
        resume_state: State | None,
    ) -> "_ProductPartition":
        """Return the partition of a product, from the row after the last one handed over."""
        next_seq = (
            self._starts[for_part].seq if resume_state is None else self._resumed(for_part, resume_state)
        )
        tape = self._tape.product(for_part)
        rows: Iterator[pa.RecordBatch | None]
        if self._following:
            rows = self.window.cut_following(follow(tape, next_seq, self._batch_rows))
        else:
            rows = self.window.cut(tape.batches(self._batch_rows, next_seq, self._packed))
        partition = _ProductPartition(self, for_part, rows, next_seq)
        if self.pacer is not None and resume_state is not None:
            partition.resume(self.pacer)
        return partition

    def key_of(self, product: str) -> str:
        """Return the key of a product."""
        return self.keys.get(product, product)

    def _resumed(self, product: str, state: State) -> int:
        """Return the seq at which a product resumes; its book is found only by the key that it had."""
        seq, key = (state, product) if isinstance(state, int) else state
        if key != self.key_of(product):
            reason = f"the recovery store has {product} of a flow with other products or other workers"
            raise OptionError(f"{reason}; give those again, or a new store", option="workers")
        return seq

    def count_poll(self, *, had_rows: bool) -> None:
        """Count a poll of a partition; sleeps once all partitions in turn had no row."""
        self._empty_polls = 0 if had_rows else self._empty_polls + 1
        if self._empty_polls >= len(self._products):
            self._empty_polls = 0
            time.sleep(_POLL_INTERVAL_S)


def _starts(tape: Tape, products: tuple[str, ...], window: Window) -> dict[str, Start]:
    """Return where to start reading each product."""
    if window.start is None:
        return dict.fromkeys(products, Start())
    return {product: tape.product(product).start_before(window.start) for product in products}


def first_reported(tape: Tape, products: tuple[str, ...], window: Window) -> int | None:
    """Return recv_time of the first row of any product in a window; None if there is none."""
    starts = _starts(tape, products, window)
    firsts = (
        window.first_time(tape.product(product).batches(1024, start.seq)) for product, start in starts.items()
    )
    return min((first for first in firsts if first is not None), default=None)


def paced_source(
    tape: Tape, settings: ReplaySettings, first_time: int | None = None, packed: str = ""
) -> TapeSource:
    """Return a source with its clock, which starts with the first reported row of any product.

    Args:
        tape: the tape.
        settings: which part of it to replay, and how fast.
        first_time: recv_time that is due at the start; None for that of the first row reported.
        packed: the version of the packed rows that the engine reads, see `ProductTape.batches`.
    """
    products, window = settings.products, settings.window
    source = TapeSource(
        tape,
        products,
        window=window,
        batch_rows=settings.batch_rows,
        packed=packed,
        following=settings.follow,
    )
    if settings.speed != MAX_SPEED:
        limit = None if settings.idle_limit is None else round(settings.idle_limit * 1e9)
        begins = first_reported(tape, products, window) if first_time is None else first_time
        source.pacer = Pacer(settings.speed, begins, limit, precise=settings.precise)
    return source


class _ProductPartition(StatefulSourcePartition[Item, State]):
    """The rows of one product on their way into the flow."""

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
        self._place = 0  # rows of this batch that are handed over
        self._next_row: pa.RecordBatch | None = None
        self._load()

    def _load(self) -> None:
        """Read the next batch, if there is one by now, and announce it to the clock."""
        self._rows = None
        try:
            self._rows = next(self._batches)
        except StopIteration:
            self._has_ended = True
        except TapeError as error:
            self._has_ended = True
            self._source.failure.report(error)
        self._place = 0
        if self._rows is not None:
            self._times = self._rows.column("recv_time").view(pa.int64()).to_numpy()
        if self._pacer is not None:
            self._pacer.announce(self._product, int(self._times[0]) if self._rows is not None else None)

    def resume(self, pacer: Pacer) -> None:
        """Let the clock begin where the run before ended, not with the tape."""
        if self._rows is not None:
            pacer.resume(int(self._times[0]))

    def next_batch(self) -> list[Item]:
        if not self._has_ended and (self._rows is None or self._place == self._rows.num_rows):
            self._load()  # only now: the last hand-over would have waited for it
        if self._has_ended or self._source.is_stopped:
            if self._source.raises:
                self._source.failure.reraise()
            raise StopIteration
        self._source.count_poll(had_rows=self._rows is not None)
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
        """Copy the next row while there is time: nearly always it is due alone."""
        if self._next_row is None and self._rows is not None:
            self._next_row = copy_rows(self._rows.slice(self._place, 1))

    def _take(self, rows: pa.RecordBatch, count: int) -> pa.RecordBatch:
        """Return the next rows; they own their memory."""
        if count == rows.num_rows:
            return rows
        if count == 1 and self._next_row is not None:
            return self._next_row
        return copy_rows(rows.slice(self._place, count))

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> State:
        key = self._source.key_of(self._product)
        return self._next_seq if key == self._product else (self._next_seq, key)
