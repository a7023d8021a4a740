"""The engine behind `orderbook.engine.Engine`: runs the kernel, and the plain way where that stops."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.compiled import kernel
from orderbook.compiled.book import CompiledBook
from orderbook.compiled.columns import SummaryArrays
from orderbook.compiled.loading import Kernels, kernels
from orderbook.compiled.summaries import SUMMARIES
from orderbook.engine import RowSpan, Step
from orderbook.feeds import Feed
from orderbook.saved import load_state, save_state
from orderbook.schema import TAPE_SCHEMA
from orderbook.summary import Top
from orderbook.tracker import RowTracker, TrackerState

_INT64: Final = range(-(2**63), 2**63)


CompiledState = TrackerState[CompiledBook]


class CompiledEngine:
    """Results to the last bit those of `PlainEngine`, an order of magnitude sooner."""

    name = "compiled"

    def __init__(self) -> None:
        self._kernels = kernels()

    def __reduce__(self) -> tuple[type["CompiledEngine"], tuple[()]]:
        """Travel by name: pickled, numba's functions would be compiled again in the other process."""
        return CompiledEngine, ()

    def start(self, product: str, feed: Feed) -> CompiledState:
        """Return the state before a product's first row."""
        return TrackerState(product, feed, CompiledBook(self._kernels))

    def step(self, state: CompiledState, rows: pa.RecordBatch, depth: int = 0) -> tuple[CompiledState, Step]:
        """Apply a batch of rows. O(bytes + changes + summaries x depth)."""
        if rows.schema.types != TAPE_SCHEMA.types:
            rows = rows.cast(TAPE_SCHEMA)
        book = state.book
        absent_deletes, noop_sets = book.absent_deletes, book.noop_sets
        run = _Run(self._kernels, state, rows, depth)
        run.to_the_end()
        summaries, ladders = run.arrays.to_batches(rows, int(book.registers[SUMMARIES]))
        step = Step(
            span=_span(rows, run.interruptions, is_interrupted=run.is_interrupted),
            summaries=summaries,
            anomalies=run.plain.anomalies.to_batch(),
            numbered=frozenset(run.plain.numbered),
            absent_deletes=book.absent_deletes - absent_deletes,
            noop_sets=book.noop_sets - noop_sets,
            depth=ladders,
        )
        run.let_go()
        return state, step

    def save(self, state: CompiledState) -> bytes:
        """Return a state in the form that all engines share. O(levels)."""
        return save_state(state)

    def load(self, saved: bytes) -> CompiledState:
        """Return the state that was saved. O(levels)."""
        return load_state(saved, CompiledBook(self._kernels))

    def check(self, state: CompiledState) -> None:
        """Assert the invariants of the book."""
        state.book.check()


class _Run:
    """One batch on its way through the kernel.

    Attributes:
        arrays: the summaries.
        plain: what the rows that are not the kernel's go through; it collects all anomalies.
        interruptions: rows that are no frames.
        is_interrupted: whether the last row was none.
    """

    def __init__(self, kernels: Kernels, state: CompiledState, rows: pa.RecordBatch, depth: int) -> None:
        self._kernels = kernels
        self._state = state
        self._rows = rows
        self._book = state.book
        self.arrays = SummaryArrays(rows.num_rows, depth)
        self.plain = _PlainRows(state, self._summarise)
        self.interruptions = 0
        self.is_interrupted = False
        registers = self._book.registers
        registers[kernel.ROW] = registers[SUMMARIES] = 0
        registers[kernel.NUMBERED] = kernel.NO_CONNECTION

    def to_the_end(self) -> None:
        """Run all rows."""
        if not self._rows.num_rows:
            return
        rows, book, arrays = self._rows, self._book, self.arrays
        registers = book.registers
        payloads, kinds = _strings(rows.column(4)), _strings(rows.column(3))
        connections = _column(rows, 2)
        product = np.frombuffer(self._state.product.encode(), np.uint8)
        is_advanced = self._state.feed == "advanced"
        self._hand_over()
        while True:
            why = self._kernels.run_rows(
                *payloads,
                *kinds,
                connections,
                product,
                is_advanced,
                book.near,
                book.words,
                book.directory,
                registers,
                book.changes,
                book.events,
                arrays.marks,
                arrays.floats,
                arrays.ladder,
            )
            if why == kernel.WANTS_CHANGES:
                book.add_changes()
            elif why == kernel.WANTS_ROOM:
                book.make_room()
            elif why == kernel.CROSSED:
                self._crossed()
            else:
                self._take_back()
                if why == kernel.DONE:
                    return
                self._plain_row(int(registers[kernel.ROW]))
                self._hand_over()

    def let_go(self) -> None:
        """Break the ring with the plain rows: the batch would wait for the garbage collector, for long."""
        del self.plain

    def _hand_over(self) -> None:
        """Tell the kernel of the connection's sequence numbers."""
        registers, last = self._book.registers, self._state.last_sequence
        registers[kernel.COUNTS_SEQUENCE] = self._state.counts_sequence
        registers[kernel.HAS_LAST] = 0 if last is None else 1 if last in _INT64 else 2
        registers[kernel.LAST_SEQUENCE] = last if last is not None and last in _INT64 else 0

    def _take_back(self) -> None:
        registers = self._book.registers
        if registers[kernel.HAS_LAST] == 1:
            self._state.last_sequence = int(registers[kernel.LAST_SEQUENCE])
        if registers[kernel.NUMBERED] != kernel.NO_CONNECTION:
            self.plain.numbered.add(int(registers[kernel.NUMBERED]))
            registers[kernel.NUMBERED] = kernel.NO_CONNECTION

    def _plain_row(self, row: int) -> None:
        """Run a row that is not the kernel's."""
        seq, recv_time, connection = (int(_column(self._rows, n)[row]) for n in range(3))
        kind, payload = (self._rows.column(n)[row].as_py() for n in (3, 4))
        self.is_interrupted = kind != "frame" and row == self._rows.num_rows - 1
        self.interruptions += kind != "frame"
        self._book.registers[kernel.ROW] = row
        self.plain.row(seq, recv_time, connection, kind, payload)
        self._book.registers[kernel.ROW] = row + 1

    def _summarise(self, exchange_time: int | None) -> Top:
        book, arrays = self._book, self.arrays
        self._kernels.write_summary(
            book.near,
            book.words,
            book.directory,
            book.registers,
            arrays.marks,
            arrays.floats,
            arrays.ladder,
            int(book.registers[kernel.ROW]),
            -1 if exchange_time is None else exchange_time,
        )
        return self._top()

    def _top(self) -> Top:
        """Return the last summary."""
        values = self.arrays.floats[:, self._book.registers[SUMMARIES] - 1].tolist()
        return Top(*(None if value != value else value for value in values))  # noqa: PLR0124  NaN is null

    def _crossed(self) -> None:
        row = int(self._book.registers[kernel.ROW]) - 1
        seq, recv_time, connection = (int(_column(self._rows, n)[row]) for n in range(3))
        self.plain.note_crossed(seq, recv_time, connection, self._top())


class _PlainRows(RowTracker[CompiledBook]):
    """The plain tracker on the compiled book; its summaries go where the kernel's go."""

    def __init__(self, state: CompiledState, summarise: Any) -> None:
        super().__init__(state)
        self._summarise = summarise

    def _summary(self, seq: int, recv_time: int, exchange_time: int | None, connection: int) -> Top:  # noqa: ARG002
        top: Top = self._summarise(exchange_time)
        return top


def _strings(column: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return the bytes of a string column and where each value begins; not copied, not to be written to."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(b"" if data is None else data, np.uint8), places


def _column(rows: pa.RecordBatch, number: int) -> Any:
    """Return a column of integers or times; not copied."""
    column = rows.column(number)
    return (column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_numpy()


def _span(rows: pa.RecordBatch, interruptions: int, *, is_interrupted: bool) -> RowSpan:
    """Return which rows a batch held."""
    if not rows.num_rows:
        return RowSpan()
    columns = (_column(rows, number) for number in range(3))
    seq, time, connection = ((int(column[0]), int(column[-1])) for column in columns)
    frames = rows.num_rows - interruptions
    return RowSpan(rows.num_rows, frames, *seq, *time, *connection, is_interrupted=is_interrupted)
