"""The compiled `Engine`: runs the kernel, and the plain tracker for each row that the kernel leaves to it."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.compiled import layout
from orderbook.compiled.book import CompiledBook
from orderbook.compiled.columns import SummaryArrays
from orderbook.compiled.layout import NO_CONNECTION, SLACK
from orderbook.compiled.loading import Kernels, kernels, packed_version
from orderbook.compiled.market_arrays import NO_ARRAYS, MarketArrays
from orderbook.compiled.unpacked import unpack
from orderbook.engine import Engine, RowSpan, State, Step
from orderbook.execution.market_tracker import read_row
from orderbook.schema import PACKED, PACKED_SCHEMA, TAPE_SCHEMA
from orderbook.summaries import PackedSummaries, Top
from orderbook.tracker import RowTracker, TrackerState
from orderbook.trades import TradeWatch

_INT64: Final = range(-(2**63), 2**63)

CompiledState = TrackerState[CompiledBook]


class Exchange(Protocol):
    """Simulated orders on the book of the engine, which the kernel calls after each row.

    Attributes:
        function: the address of compiled code that is called with `memory` and the number of rows of the
            batch that the book has applied, see `jit.call`. It returns 0 unless Python must call `follow`.
        memory: an address.
        wants_changes: whether the steps are to have the changes of the book, too, which it does not read.
    """

    @property
    def function(self) -> int: ...  # noqa: D102
    @property
    def memory(self) -> int: ...  # noqa: D102
    @property
    def wants_changes(self) -> bool: ...  # noqa: D102

    def follow(
        self, columns: Sequence[npt.NDArray[Any]], market: layout.Market, book: CompiledBook, applied: int
    ) -> None:
        """Do what follows from the rows that the book has applied, and what is due before the next one.

        Args:
            columns: seq, recv_time and connection of the rows of the batch.
            market: what else it reads of them; that of the rows applied is there.
            book: the book after them. It stays where it is, as all that is given, until the next call.
            applied: how many they are.
        """


class CompiledEngine(Engine):
    """An engine with the results of `PlainEngine`, to the last bit, in a tenth of the time."""

    name = "compiled"

    def __init__(self) -> None:
        self._kernels = kernels()
        self.packed = packed_version()

    def __reduce__(self) -> tuple[type["CompiledEngine"], tuple[()]]:
        """Pickle as the name: numba's functions, pickled, would be compiled again in the other process."""
        return CompiledEngine, ()

    def new_book(self) -> CompiledBook:
        """Return an empty book."""
        return CompiledBook(self._kernels)

    def step(
        self,
        state: CompiledState,
        rows: pa.RecordBatch,
        depth: int = 0,
        watch: TradeWatch | None = None,
        exchange: Exchange | None = None,
    ) -> tuple[State, Step]:
        """Apply a batch of rows, see `Engine`; `exchange`, which needs a watch, follows it row by row.

        O(bytes + changes + summaries x depth).
        """
        if rows.schema.types not in (TAPE_SCHEMA.types, PACKED_SCHEMA.types):
            rows = rows.cast(TAPE_SCHEMA)
        book = state.book
        absent_deletes, noop_sets = book.absent_deletes, book.noop_sets
        run = _BatchRun(self._kernels, state, rows, depth, watch, exchange)
        run.run()
        made, ladders = run.summaries()
        step = Step(
            span=_span(run.columns, run.interruptions, is_interrupted=run.is_interrupted),
            made=made,
            anomalies=run.plain.anomalies.to_batch(),
            numbered=frozenset(run.plain.numbered),
            absent_deletes=book.absent_deletes - absent_deletes,
            noop_sets=book.noop_sets - noop_sets,
            depth=ladders,
            market=None if watch is None else run.market.to_rows(*run.columns),
            diverged=frozenset(run.plain.diverged),
        )
        run.release()
        return state, step


class _BatchRun:
    """The run of one batch through the kernel.

    Attributes:
        columns: seq, recv_time and connection of the rows.
        plain: the tracker of the rows that the kernel leaves to it; it collects all anomalies.
        market: what the exchange reads, if there is a watch.
        interruptions: number of rows that are not frames.
        is_interrupted: whether the last row is not a frame.
    """

    def __init__(
        self,
        kernels: Kernels,
        state: CompiledState,
        rows: pa.RecordBatch,
        depth: int,
        watch: TradeWatch | None,
        exchange: Exchange | None,
    ) -> None:
        self._kernels = kernels
        self._state = state
        self._rows = rows
        self._book = state.book
        self.columns = tuple(column_of(rows, number) for number in range(3))
        self._watch = watch
        self._exchange = exchange
        self._arrays = SummaryArrays(rows.num_rows, depth)
        self._depth = depth
        self._registers = layout.registers(layout.RUN_REGISTERS)
        self._registers["reader"] = state.venue.reader
        self._registers["numbered"] = NO_CONNECTION
        self._registers["wants_market"] = watch is not None
        follows = exchange is not None and not exchange.wants_changes
        self._registers["wants_changes"] = watch is not None and not follows
        if exchange is not None:
            self._registers["follower"] = exchange.function
            self._registers["follower_memory"] = exchange.memory
        payloads, kinds = strings_of(rows.column(4)), strings_of(rows.column(3))
        self._times = layout.NO_TIMES
        if rows.schema.types == PACKED_SCHEMA.types:
            self._times = column_of(rows, 5)
            payloads = _with_slack(*payloads)
        product = np.frombuffer(state.product.encode(), np.uint8)
        self._memory = layout.Run(
            *(self._registers, *payloads, *kinds, self.columns[2], self._times, product),
            *self._arrays.arrays,
        )
        self.market = NO_ARRAYS
        if watch is not None:
            self.market = MarketArrays(rows.num_rows, int(payloads[1][-1] - payloads[1][0]))
        self._book.want_times(watch is not None)
        self.plain = _PlainRows(state, self._summarise)
        self.interruptions = 0
        self.is_interrupted = False

    def run(self) -> None:
        """Run all rows."""
        self._store()
        while self._rows.num_rows:
            self._follow()
            why = self._kernels.run_rows(
                self._book.memory, self._book.frame, self._memory, self.market.memory
            )
            if why == layout.LACKS_CHANGES:
                self._book.add_changes()
            elif why == layout.LACKS_ROOM:
                self._book.make_room()
            elif why == layout.LACKS_MARKET:
                self.market.grow()
            elif why == layout.CROSSED:
                self.plain.note_crossed(*self._integers(int(self._registers["row"]) - 1), self._top())
            elif why != layout.WAITS:
                self._load()
                if why == layout.DONE:
                    return
                self._run_plain_row(int(self._registers["row"]))
                self._store()

    def summaries(self) -> tuple[PackedSummaries, pa.RecordBatch | None]:
        """Return the summaries, and their ladders if any depth is requested."""
        made = self._arrays.packed(self._rows, int(self._registers["summaries"]))
        return made, self._arrays.ladders(made.batch) if self._depth else None

    def release(self) -> None:
        """Break the reference cycle with the tracker, or the batch would wait for the garbage collector."""
        del self.plain

    def _follow(self) -> None:
        """Let the exchange follow, and tell it where everything is."""
        if self._exchange is not None:
            row = int(self._registers["row"])
            self._exchange.follow(self.columns, self.market.memory, self._book, row)

    def _store(self) -> None:
        """Store the state of the connection's sequence numbers and trades for the kernel."""
        registers, last = self._registers, self._state.last_sequence
        registers["counts_sequence"] = self._state.counts_sequence
        registers["has_last"] = 0 if last is None else 1 if last in _INT64 else 2
        registers["last_sequence"] = last if last is not None and last in _INT64 else 0
        if self._watch is not None:
            self.market.store(self._watch)

    def _load(self) -> None:
        """Load it as the kernel left it."""
        registers = self._registers
        if self._watch is not None:
            self.market.load(self._watch)
        if registers["has_last"] == 1:
            self._state.last_sequence = int(registers["last_sequence"])
        if registers["numbered"] != NO_CONNECTION:
            self.plain.numbered.add(int(registers["numbered"]))
            registers["numbered"] = NO_CONNECTION

    def _run_plain_row(self, row: int) -> None:
        kind, payload = (self._rows.column(n)[row].as_py() for n in (3, 4))
        if kind == PACKED:
            kind, payload = "frame", unpack(payload, int(self._times[row]))
        elif isinstance(payload, bytes):
            payload = payload.decode()
        self.is_interrupted = kind != "frame" and row == self._rows.num_rows - 1
        self.interruptions += kind != "frame"
        values = (*self._integers(row), kind, payload)
        changed = self.plain.row(*values)
        if self._watch is not None:
            self.market.write(row, read_row(self._watch, *values, changed))
        self._registers["row"] = row + 1

    def _integers(self, row: int) -> tuple[int, int, int]:
        """Return seq, recv_time and connection of a row."""
        seq, recv_time, connection = self.columns
        return int(seq[row]), int(recv_time[row]), int(connection[row])

    def _summarise(self, exchange_time: int | None) -> Top:
        """Write the summary of the row that is run; return it."""
        self._registers["time"] = -1 if exchange_time is None else exchange_time
        self._kernels.summarise(self._book.memory, self._memory)
        return self._top()

    def _top(self) -> Top:
        """Return the last summary."""
        values = self._memory.floats[self._registers["summaries"] - 1, layout.PRICES :].tolist()
        return Top(*(None if value != value else value for value in values))  # noqa: PLR0124  NaN is null


class _PlainRows(RowTracker[CompiledBook]):
    """The plain tracker on the compiled book; the kernel writes its summaries among its own."""

    def __init__(self, state: CompiledState, summarise: Callable[[int | None], Top]) -> None:
        super().__init__(state)
        self._summarise = summarise

    def _summary(self, seq: int, recv_time: int, exchange_time: int | None, connection: int) -> Top:  # noqa: ARG002
        return self._summarise(exchange_time)


def strings_of(column: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return the bytes of a string column and the offset of each value, read-only and not copied."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    values = np.frombuffer(b"" if data is None else data, np.uint8)
    for array in (values, places):
        array.flags.writeable = False  # as `layout.RUN` has them; Arrow's buffers may be writeable
    return values, places


def _with_slack(
    values: npt.NDArray[np.uint8], places: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return packed rows with as many bytes behind them as are read at once; copies if there are fewer."""
    if len(values) - places[-1] < SLACK:
        values = np.concatenate([values, np.zeros(SLACK, np.uint8)])
        values.flags.writeable = False
    return values, places


def column_of(rows: pa.RecordBatch, number: int) -> Any:
    """Return a column of integers or times as an array; not copied."""
    values = rows.column(number)
    return (values.view(pa.int64()) if pa.types.is_timestamp(values.type) else values).to_numpy()


def _span(columns: Sequence[npt.NDArray[Any]], interruptions: int, *, is_interrupted: bool) -> RowSpan:
    """Return the rows of a batch, of which some are no frames."""
    rows = len(columns[0])
    if not rows:
        return RowSpan()
    seq, time, connection = ((int(values[0]), int(values[-1])) for values in columns)
    return RowSpan(rows, rows - interruptions, *seq, *time, *connection, is_interrupted=is_interrupted)
