"""Reads passages of one product: from the nearest book before them, and on as the tape grows."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.engine import Engine, State
from orderbook.errors import BooktapeError
from orderbook.trades import TradeReader
from orderbook.venues.registry import venue
from recorder.tape.format.segment import naming_damage
from recorder.tape.format.sidecars import Start
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import copy_rows
from replay.viewing.passage import Passage

MOST_ROWS: Final = 2**16
"""Rows that a passage may have."""

_BATCH_ROWS: Final = 2048
_LEVELS: Final = {"compiled": 100}
_PLAIN_LEVELS: Final = 20
_STATES: Final = 4
"""Books that are kept, where a passage ended, for the passage after it."""


class ViewError(BooktapeError):
    """What a page asks for is not on the tape, or too much at once."""


class OpenPassage:
    """A passage, and where its reading stands.

    Attributes:
        passage: what was read so far.
        next_seq: seq of the next row to read.
        reached: the time up to which the tape was read.
        is_complete: whether a row at or after its end was seen.
    """

    def __init__(self, reader: "ProductReader", passage: Passage, state: State, next_seq: int) -> None:
        self.passage = passage
        self.next_seq = next_seq
        self.reached = passage.start
        self.is_complete = False
        self._reader = reader
        self._state: State | None = state

    def advance(self) -> None:
        """Read the rows that the tape has by now.

        Raises:
            DamagedTapeError: if a file is not what was written.
            ViewError: if there are too many.
        """
        engine, depth = self._reader.engine, self._reader.levels
        for rows in self._reader.tape.batches(_BATCH_ROWS, self.next_seq):
            times = rows.column("recv_time").view(pa.int64()).to_numpy()
            stop = int(np.searchsorted(times, self.passage.end))
            for part in between_marks(rows.slice(0, stop)):
                assert self._state is not None  # noqa: S101  there is one until the end was seen
                self._state, step = engine.step(self._state, part, depth)
                self.passage.add(part, step)
                self.next_seq += part.num_rows
            self.reached = int(times[stop - 1]) if stop else self.reached
            if stop < rows.num_rows:
                self.is_complete, self.reached = True, self.passage.end
                self._reader.keep(self.next_seq, self._state)
                self._state = None
                return


class ProductReader:
    """Reads passages of one product. Holds no open file.

    Args:
        tape: the part of the product.
        engine: runs its book.
    """

    def __init__(self, tape: ProductTape, engine: Engine) -> None:
        self.tape = tape
        self.engine = engine
        self.levels = _LEVELS.get(engine.name, _PLAIN_LEVELS)
        self._states: OrderedDict[int, State] = OrderedDict()

    def open_passage(self, start: int, end: int, step: float) -> OpenPassage:
        """Return a passage of which no row was read yet; the book before it was.

        Raises:
            DamagedTapeError: if a file is not what was written.
            ViewError: if it has too many rows.
        """
        first = self.seq_at(start)
        if self.seq_at(end, first) - first > MOST_ROWS:
            raise ViewError(f"more than {MOST_ROWS:,} rows in this time: choose a shorter one")
        state = self._state_before(first)
        before = self.engine.levels(state, self.levels)
        trades = TradeReader(self.tape.product, venue(self.tape.feed))
        passage = Passage(start, end, trades, self.levels, step=step, before=before, before_seq=first - 1)
        return OpenPassage(self, passage, state, first)

    def keep(self, seq: int, state: State | None) -> None:
        """Keep the book before a row for a passage that begins there."""
        if state is not None:
            self._states[seq] = state
            while len(self._states) > _STATES:
                self._states.popitem(last=False)

    def seq_at(self, time: int, least: int = 0) -> int:
        """Return the seq of the first row at or after a time: that of the next row to come if there is none.

        Reads the times of one segment, and of the journal if the time is not sealed yet.

        Args:
            time: nanoseconds since 1970.
            least: a seq that it is not below.
        """
        before = self.tape.part_before(time)
        first = max(least, before.first_seq if before else self.tape.first_seq)
        for seq, times in self._times(first):
            place = int(np.searchsorted(times, time))
            first = seq + place
            if place < len(times):
                break
        return first

    def time_of(self, seq: int) -> int:
        """Return recv_time of a row.

        Raises:
            ViewError: if the tape has no such row.
        """
        rows = next(self.tape.batches(1, seq), None) if seq >= 0 else None
        if rows is None:
            raise ViewError(f"{self.tape.product} has no row {seq}")
        return int(rows.column("recv_time")[0].value)

    def _times(self, first: int) -> Iterator[tuple[int, "np.ndarray[tuple[int], np.dtype[np.int64]]"]]:
        """Yield the times of rows from a seq on, each batch with the seq of its first row."""
        next_seq = first
        for segment in self.tape.sealed(first):
            with naming_damage(segment.path):
                times = segment.file.read(["recv_time"], use_threads=False).column(0).to_numpy()
            skipped = next_seq - segment.entry.first_seq
            yield next_seq, times.view(np.int64)[skipped:]
            next_seq = segment.entry.next_seq
        for rows in self.tape.batches(first_seq=next_seq):
            yield next_seq, rows.column("recv_time").view(pa.int64()).to_numpy()
            next_seq += rows.num_rows

    def _state_before(self, seq: int) -> State:
        """Return the book before a row, from the nearest one that is known."""
        kept = max((each for each in self._states if each <= seq), default=-1)
        found = Start(kept) if kept == seq else self.tape.start_at(seq)
        if kept >= found.seq:
            begin, state = kept, self._states.pop(kept)
        elif found.saved is None:
            begin, state = 0, self.engine.start(self.tape.product, self.tape.feed)
        else:
            begin, state = found.seq, self.engine.load(found.saved)
        for rows in self.tape.batches(first_seq=begin):
            if rows.num_rows > seq - begin:
                rows = copy_rows(rows.slice(0, seq - begin))  # noqa: PLW2901  the last batch
            if not rows.num_rows:
                break
            state, _ = self.engine.step(state, rows)
            begin += rows.num_rows
        return state


def between_marks(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield rows in order, each that begins or ends a connection alone."""
    marks = np.flatnonzero(rows.column("kind").to_numpy(zero_copy_only=False) != "frame")
    low = 0
    for cut in sorted({*marks.tolist(), *(marks + 1).tolist(), rows.num_rows}):
        if low < cut:
            yield rows if cut - low == rows.num_rows else copy_rows(rows.slice(low, cut - low))
        low = cut
