"""The one step of the core: a batch of tape rows in, a batch of summaries out.

Everything that runs a book (live, replay, import, verify) calls an `Engine`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from orderbook.book import Book, Levels, OrderBookState
from orderbook.execution.market_rows import MarketRows
from orderbook.execution.market_tracker import MarketTracker
from orderbook.summaries import PackedSummaries
from orderbook.tracker import Tracker, TrackerState, load_state, save_state
from orderbook.trades import TradeReader, TradeStep, TradeWatch
from orderbook.venues.registry import venue


@dataclass(frozen=True, slots=True)
class RowSpan:
    """The rows of a batch; `first_*` and `last_*` are None if it is empty (a tick).

    Attributes:
        rows, frames: number of rows, and number of rows of kind `frame`.
        first_seq, last_seq: their numbers.
        first_time, last_time: their recv_time, in nanoseconds since the epoch.
        first_connection, last_connection: their connections.
        is_interrupted: whether the last row opens or ends a connection, so that no book is known after it.
    """

    rows: int = 0
    frames: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    first_time: int | None = None
    last_time: int | None = None
    first_connection: int | None = None
    last_connection: int | None = None
    is_interrupted: bool = False

    @property
    def next_seq(self) -> int | None:
        """Number of the row after the batch."""
        return None if self.last_seq is None else self.last_seq + 1


@dataclass(frozen=True, slots=True)
class Step:
    """The effects of one batch of rows.

    Attributes:
        span: the rows of the batch.
        made: the summaries as the engine made them, see `summaries` and `packed`.
        anomalies: rows of `FLOW_ANOMALY_SCHEMA`, in seq order.
        numbered: connections of which a frame had a sequence_num that was checked.
        absent_deletes: number of removals of levels that the book did not have.
        noop_sets: number of levels set to the size that they already had.
        book_before: the state before the batch as `Engine.save` returns it, if it was requested.
        depth: rows of `depth_schema`, one for each summary; None if no depth was requested.
        market: the rows as the exchange reads them; None if they were not requested.
        trades: the trades of the batch; None if they were not requested.
        diverged: connections of which a frame of the book was malformed: the book differs from the venue's.
    """

    span: RowSpan
    made: pa.RecordBatch | PackedSummaries
    anomalies: pa.RecordBatch
    numbered: frozenset[int]
    absent_deletes: int
    noop_sets: int
    book_before: bytes | None = None
    depth: pa.RecordBatch | None = None
    market: MarketRows | None = None
    trades: TradeStep | None = None
    diverged: frozenset[int] = frozenset()

    @property
    def summaries(self) -> pa.RecordBatch:
        """The summaries, rows of `FLOW_SUMMARY_SCHEMA` in seq order."""
        return self.made.batch if isinstance(self.made, PackedSummaries) else self.made

    @property
    def packed(self) -> PackedSummaries:
        """The summaries as their digest takes them, which needs no columns."""
        return self.made if isinstance(self.made, PackedSummaries) else PackedSummaries.of(self.made)


State = TrackerState[Any]
"""The state of one product; only the engine that made it can use it."""


class Engine(ABC):
    """Applies batches of rows to the state of one product; each engine has its own kind of book.

    Attributes:
        name: the name that `--engine` takes.
        packed: the version of the packed rows that it reads (`PACKED_SCHEMA`); empty if it reads none.
    """

    name: str
    packed: str = ""

    @abstractmethod
    def new_book(self) -> Book:
        """Return an empty book."""

    @abstractmethod
    def step(
        self, state: State, rows: pa.RecordBatch, depth: int = 0, watch: TradeWatch | None = None
    ) -> tuple[State, Step]:
        """Apply a batch of `TAPE_SCHEMA` in seq order; the state passed in must not be used again.

        Args:
            state: of the product, before the batch.
            rows: the batch.
            depth: number of levels of each side to collect after every summary; 0 collects none.
            watch: judges the trades of the product, which are read with it; None reads neither trades nor
                the rows of the market.
        """

    def step_with_trades(
        self, state: State, rows: pa.RecordBatch, reader: TradeReader, depth: int = 0
    ) -> tuple[State, Step]:
        """Do the same, and read the trades of the batch."""
        state, step = self.step(state, rows, depth, reader.watch)
        assert step.market is not None  # noqa: S101  there was a watch
        return state, replace(step, trades=reader.of_step(rows, step.market))

    def start(self, product: str, feed: str) -> State:
        """Return the state before a product's first row: no connection, no book."""
        return TrackerState(product, venue(feed), self.new_book())

    def save(self, state: State) -> bytes:
        """Return a state in the form that all engines share; the state remains usable. O(levels)."""
        return save_state(state)

    def load(self, saved: bytes) -> State:
        """Return the state that was saved. O(levels log levels)."""
        return load_state(saved, self.new_book())

    def copy(self, state: State) -> State:
        """Return a copy of a state: steps on either leave the other as it is. O(levels)."""
        return replace(state, book=state.book.copy())

    def levels(self, state: State, depth: int | None = None) -> Levels | None:
        """Return the best `depth` levels of each side, or all; None if no book is known. O(levels)."""
        return state.book.levels(depth) if state.book.is_known else None

    def check(self, state: State) -> None:
        """Assert the invariants of the book; for tests. O(levels)."""
        state.book.check()


class PlainEngine(Engine):
    """The readable reference: one Python call a row, two SortedDicts."""

    name = "plain"

    def new_book(self) -> OrderBookState:
        """Return an empty book."""
        return OrderBookState()

    def step(
        self,
        state: TrackerState[OrderBookState],
        rows: pa.RecordBatch,
        depth: int = 0,
        watch: TradeWatch | None = None,
    ) -> tuple[State, Step]:
        """Apply a batch of rows. O(changes x log levels + summaries x depth)."""
        if watch is None:
            return state, run_tracker(Tracker(state, depth), state.book, rows)
        tracker = MarketTracker(state, watch, depth)
        step = run_tracker(tracker, state.book, rows)
        return state, replace(step, market=tracker.market.to_rows())


def run_tracker(tracker: Tracker, book: OrderBookState, rows: pa.RecordBatch) -> Step:
    """Apply a batch of rows by a new tracker of this book. O(changes x log levels + summaries x depth)."""
    absent_deletes, noop_sets = book.absent_deletes, book.noop_sets
    seq, recv_time, connection, kind, payload = (column.to_pylist() for column in _plain_columns(rows))
    for row in zip(seq, recv_time, connection, kind, payload, strict=True):
        tracker.row(*row)
    span = RowSpan()
    if seq:
        frames = kind.count("frame")
        ends = (column[end] for column in (seq, recv_time, connection) for end in (0, -1))
        span = replace(RowSpan(len(seq), frames, *ends), is_interrupted=kind[-1] != "frame")
    return Step(
        span=span,
        made=tracker.summaries.to_batch(),
        anomalies=tracker.anomalies.to_batch(),
        numbered=frozenset(tracker.numbered),
        absent_deletes=book.absent_deletes - absent_deletes,
        noop_sets=book.noop_sets - noop_sets,
        depth=None if tracker.depth is None else tracker.depth.to_batch(),
        diverged=frozenset(tracker.diverged),
    )


def _plain_columns(rows: pa.RecordBatch) -> list[pa.Array]:
    """Return the columns of a batch, times as int64."""
    seq, recv_time, connection, kind, payload = rows.columns
    return [seq, recv_time.view(pa.int64()), connection, kind, payload]


Watch = Callable[[str, Step], None]
"""Called with the product and every step of a pass: a progress bar, a report, a log of anomalies."""


def both(first: Watch | None, second: Watch | None) -> Watch | None:
    """Return an observer that calls both; the other one if one is None."""
    if first is None or second is None:
        return first or second

    def call(product: str, step: Step) -> None:
        first(product, step)
        second(product, step)

    return call
