"""The one step of the core: a batch of tape rows in, a batch of summaries out.

`Engine` is the seam: whatever runs a book (live, replay, import, verify) calls it and nothing
behind it, so that another implementation can stand beside the plain one.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from orderbook.book import OrderBookState
from orderbook.feeds import Feed
from orderbook.saved import load_state, save_state
from orderbook.tracker import Tracker, TrackerState


@dataclass(frozen=True, slots=True)
class RowSpan:
    """Which rows a batch held; `first_*` and `last_*` are None where it held none (a tick).

    Attributes:
        rows, frames: how many rows, and how many of them are of kind `frame`.
        first_seq, last_seq: their numbers.
        first_time, last_time: their recv_time, nanoseconds since 1970.
        first_connection, last_connection: their connections.
        is_interrupted: whether the last row opens or ends a connection: no book is known after it.
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
    """What one batch of rows did.

    Attributes:
        span: the rows it came from.
        summaries: rows of `FLOW_SUMMARY_SCHEMA`, in seq order.
        anomalies: rows of `FLOW_ANOMALY_SCHEMA`, in seq order.
        numbered: connections of which a frame had a sequence_num that was checked.
        absent_deletes, noop_sets: how often the batch removed an absent level or set a held size.
        book_before: the state before the batch, as `Engine.save` gives it, where it was asked for.
        depth: rows of `depth_schema`, one for each summary; None where no depth was asked for.
    """

    span: RowSpan
    summaries: pa.RecordBatch
    anomalies: pa.RecordBatch
    numbered: frozenset[int]
    absent_deletes: int
    noop_sets: int
    book_before: bytes | None = None
    depth: pa.RecordBatch | None = None


class Engine(Protocol):
    """State in, batch in, batch out. A state belongs to one product and picks up where it left off.

    Attributes:
        name: what `--engine` calls it.
    """

    name: str

    def start(self, product: str, feed: Feed) -> Any:
        """Return the state before a product's first row: no connection, no book."""

    def step(self, state: Any, rows: pa.RecordBatch, depth: int = 0) -> tuple[Any, Step]:
        """Apply a batch of `TAPE_SCHEMA` in seq order; the state passed in must not be used again.

        Args:
            state: of the product, before the batch.
            rows: the batch.
            depth: levels a side to give after every summary; 0, which costs nothing, gives none.
        """

    def save(self, state: Any) -> bytes:
        """Return a state in the form that all engines share; the state stays usable."""

    def load(self, saved: bytes) -> Any:
        """Return the state that was saved."""

    def check(self, state: Any) -> None:
        """Assert the invariants of the book; for tests."""


PlainState = TrackerState[OrderBookState]


class PlainEngine:
    """The readable reference: one Python call a row, two SortedDicts."""

    name = "plain"

    def start(self, product: str, feed: Feed) -> PlainState:
        """Return the state before a product's first row."""
        return TrackerState(product, feed, OrderBookState())

    def step(self, state: PlainState, rows: pa.RecordBatch, depth: int = 0) -> tuple[PlainState, Step]:
        """Apply a batch of rows. O(changes x log levels + summaries x depth)."""
        tracker = Tracker(state, depth)
        absent_deletes, noop_sets = state.book.absent_deletes, state.book.noop_sets
        seq, recv_time, connection, kind, payload = (column.to_pylist() for column in _plain_columns(rows))
        for row in zip(seq, recv_time, connection, kind, payload, strict=True):
            tracker.row(*row)
        span = RowSpan()
        if seq:
            frames = kind.count("frame")
            ends = (column[end] for column in (seq, recv_time, connection) for end in (0, -1))
            span = replace(RowSpan(len(seq), frames, *ends), is_interrupted=kind[-1] != "frame")
        return state, Step(
            span=span,
            summaries=tracker.summaries.to_batch(),
            anomalies=tracker.anomalies.to_batch(),
            numbered=frozenset(tracker.numbered),
            absent_deletes=state.book.absent_deletes - absent_deletes,
            noop_sets=state.book.noop_sets - noop_sets,
            depth=None if tracker.depth is None else tracker.depth.to_batch(),
        )

    def save(self, state: PlainState) -> bytes:
        """Return a state in the form that all engines share. O(levels)."""
        return save_state(state)

    def load(self, saved: bytes) -> PlainState:
        """Return the state that was saved. O(levels log levels)."""
        return load_state(saved, OrderBookState())

    def check(self, state: PlainState) -> None:
        """Assert the invariants of the book."""
        state.book.check()


def _plain_columns(rows: pa.RecordBatch) -> list[pa.Array]:
    """Return the columns of a batch, times as int64."""
    seq, recv_time, connection, kind, payload = rows.columns
    return [seq, recv_time.view(pa.int64()), connection, kind, payload]
