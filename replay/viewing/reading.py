"""Reads passages of one product: from the nearest book before them, and on as the tape grows."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.engine import Engine, State
from orderbook.errors import BooktapeError
from orderbook.trades import TradeReader
from orderbook.venues.registry import venue
from recorder.tape.format.segment import naming_damage
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import BATCH_ROWS, copy_rows
from replay.viewing.books import KeptBooks
from replay.viewing.grid import Ints
from replay.viewing.passage import Passage

MOST_ROWS: Final = 2**16
"""Rows that a passage may have."""

_BATCH_ROWS: Final = 2048  # of a passage: 100 levels of each side come with each row
_LEVELS: Final = {"compiled": 100}
_PLAIN_LEVELS: Final = 20
_NEAR_ROWS: Final = 20_000
"""Rows from a kept book that are read in less time than a sidecar takes."""


class ViewError(BooktapeError):
    """What a page asks for is not on the tape, or too much at once."""


class OpenPassage:
    """A passage, and where its reading stands.

    Attributes:
        passage: what was read so far.
        next_seq: seq of the next row to read.
        reached: the time up to which the tape was read.
        is_complete: whether a row at or after its end was seen.
        state: the book before the next row.
    """

    def __init__(self, reader: "ProductReader", passage: Passage, state: State, next_seq: int) -> None:
        self.passage = passage
        self.next_seq = next_seq
        self.reached = passage.start
        self.is_complete = False
        self.state: State | None = state
        self._reader = reader

    def advance(self) -> None:
        """Read the rows that the tape has by now.

        Raises:
            DamagedTapeError: if a file is not what was written.
        """
        self.take(self._reader.tape.batches(_BATCH_ROWS, self.next_seq))

    def take(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Add rows from the next one on up to the end; return those that are left."""
        engine, depth = self._reader.engine, self._reader.levels
        for rows in batches:
            times = rows.column("recv_time").view(pa.int64()).to_numpy()
            stop = int(np.searchsorted(times, self.passage.end))
            for low in range(0, stop, _BATCH_ROWS):
                for part in between_marks(copy_rows(rows.slice(low, min(_BATCH_ROWS, stop - low)))):
                    assert self.state is not None  # noqa: S101  there is one until the end was seen
                    self.state, step = engine.step(self.state, part, depth)
                    self.passage.add(part, step)
                    self.next_seq += part.num_rows
            self.reached = int(times[stop - 1]) if stop else self.reached
            if stop < rows.num_rows:
                self.is_complete, self.reached = True, self.passage.end
                return chain([rows.slice(stop)], batches)
        return batches

    def leave(self) -> State:
        """Return the book after a passage that is complete, which has no more use for it."""
        state, self.state = self.state, None
        assert state is not None  # noqa: S101  it is called once
        return state


class ProductReader:
    """Reads passages of one product. Holds no open file.

    Args:
        tape: the part of the product.
        engine: runs its book.
        books: the books that are kept, of other products too.
    """

    def __init__(self, tape: ProductTape, engine: Engine, books: KeptBooks) -> None:
        self.tape = tape
        self.engine = engine
        self.levels = _LEVELS.get(engine.name, _PLAIN_LEVELS)
        self._books = books

    def passages(
        self, bounds: Sequence[int], step: float = 0.0, check: Callable[[], None] = lambda: None
    ) -> list[OpenPassage]:
        """Read the passages between times, in one go; none after the first that is not complete yet.

        Args:
            bounds: the times, ascending.
            step: height of a bin of price; 0 chooses one for all of them.
            check: called now and then; may raise to end the reading.

        Raises:
            DamagedTapeError: if a file is not what was written.
            ViewError: if one has too many rows.
        """
        seqs = self._seqs_at(bounds)
        if max(high - low for low, high in pairwise(seqs)) > MOST_ROWS:
            raise ViewError(f"more than {MOST_ROWS:,} rows in this time: choose a shorter one")
        seq, found = seqs[0], list[OpenPassage]()
        state, rows = self._book_before(seq, check)
        for start, end in pairwise(bounds):
            check()
            before = self.engine.levels(state, self.levels)
            trades = TradeReader(self.tape.product, venue(self.tape.feed))
            passage = Passage(start, end, trades, self.levels, step=step, before=before, before_seq=seq - 1)
            found.append(OpenPassage(self, passage, state, seq))
            rows = found[-1].take(rows)
            if not found[-1].is_complete:
                return found
            seq, state, step = found[-1].next_seq, found[-1].leave(), passage.step
        self._books.keep(self.tape.directory, seq, state)
        return found

    def _seqs_at(self, bounds: Sequence[int]) -> list[int]:
        """Return for each time the seq of the first row at or after it, or of the next row to come.

        Reads the times of the segments that they are in, and of the journal if one is not sealed yet.
        """
        part = self.tape.part_before(bounds[0])
        seq, found = part.first_seq if part else self.tape.first_seq, list[int]()
        for times in self._times(seq):
            while len(found) < len(bounds) and len(times) and bounds[len(found)] <= times[-1]:
                found.append(seq + int(np.searchsorted(times, bounds[len(found)])))
            seq += len(times)
            if len(found) == len(bounds):
                break
        return found + [seq] * (len(bounds) - len(found))

    def time_of(self, seq: int) -> int:
        """Return recv_time of a row.

        Raises:
            ViewError: if the tape has no such row.
        """
        rows = next(self.tape.batches(1, seq), None) if seq >= 0 else None
        if rows is None:
            raise ViewError(f"{self.tape.product} has no row {seq}")
        return int(rows.column("recv_time")[0].value)

    def _times(self, first: int) -> Iterator[Ints]:
        """Yield the times of the rows from a seq on, some at a time."""
        for segment in self.tape.sealed(first):
            with naming_damage(segment.path):
                times = segment.file.read(["recv_time"], use_threads=False).column(0).to_numpy()
            yield times.view(np.int64)[first - segment.entry.first_seq :]
            first = segment.entry.next_seq
        for rows in self.tape.batches(first_seq=first):
            yield rows.column("recv_time").view(pa.int64()).to_numpy()

    def _book_before(self, seq: int, check: Callable[[], None]) -> tuple[State, Iterator[pa.RecordBatch]]:
        """Return the book before a row, from the nearest one that is known, and the rows from there on."""
        directory = self.tape.directory
        begin, state = self._books.nearest(directory, seq) or (-1, None)
        if state is None or seq - begin > _NEAR_ROWS:
            found = self.tape.start_at(seq)
            if found.saved is not None and found.seq > begin:
                begin, state = found.seq, self.engine.load(found.saved)
        if state is None:
            begin, state = 0, self.engine.start(self.tape.product, self.tape.feed)
        batches = self.tape.batches(first_seq=begin)
        while begin < seq:
            check()
            rows = next(batches, None)
            if rows is None:
                break
            if rows.num_rows > seq - begin:
                batches = chain([rows.slice(seq - begin)], batches)
                rows = copy_rows(rows.slice(0, seq - begin))
            state, _ = self.engine.step(state, rows)
            begin += rows.num_rows
            if begin >= seq - BATCH_ROWS:  # from which what is before the screen is read
                self._books.keep(directory, begin, self.engine.copy(state))
        return state, batches


def between_marks(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield rows in order, each that begins or ends a connection alone."""
    marks = np.flatnonzero(rows.column("kind").to_numpy(zero_copy_only=False) != "frame")
    low = 0
    for cut in sorted({*marks.tolist(), *(marks + 1).tolist(), rows.num_rows}):
        if low < cut:
            yield rows if cut - low == rows.num_rows else copy_rows(rows.slice(low, cut - low))
        low = cut
