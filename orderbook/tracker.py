"""What the rows of a tape do to the book of one product, row by row.

- `connected` and `disconnected` clear the book: nothing is known until the next snapshot.
- A frame applies whole or not at all; a malformed one changes nothing.
- Every accepted snapshot, and every accepted update that finds a book, gives one summary.
- What is wrong is written down as an anomaly and never raised.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa

from orderbook.book import Book, OrderBookState
from orderbook.decoder import decode_frame
from orderbook.depth import DepthColumns
from orderbook.feeds import Feed
from orderbook.frames import BookEvent, BookFrame, MalformedFrame
from orderbook.marks import read_connected
from orderbook.schema import FLOW_ANOMALY_SCHEMA, TIME, empty_batch
from orderbook.summary import SummaryColumns, Top

B = TypeVar("B", bound=Book)

_NO_ANOMALIES = empty_batch(FLOW_ANOMALY_SCHEMA)  # what nearly every batch has; made once, five columns cost


@dataclass(slots=True)
class TrackerState(Generic[B]):
    """Everything that carries over from one batch of rows to the next, for one product.

    Attributes:
        product, feed: whose rows, in which dialect.
        book: the book as it stands.
        counts_sequence: whether this connection's sequence_num can be checked here: it counts a
            whole connection, so only where the connection serves this product alone.
        last_sequence: the last sequence_num of this connection.
    """

    product: str
    feed: Feed
    book: B
    counts_sequence: bool = False
    last_sequence: int | None = None


class AnomalyColumns:
    """Collects the anomalies of one batch of rows, column by column."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, str, str, int]] = []

    def add(self, seq: int, recv_time: int, kind: str, detail: str, connection: int) -> None:
        """Append one anomaly."""
        self._rows.append((seq, recv_time, kind, detail, connection))

    def to_batch(self) -> pa.RecordBatch:
        """Return the columns as a batch of `FLOW_ANOMALY_SCHEMA`."""
        if not self._rows:
            return _NO_ANOMALIES
        seq, recv_time, kind, detail, connection = zip(*self._rows, strict=True)
        return pa.RecordBatch.from_arrays(
            [
                pa.array(seq, pa.int64()),
                pa.array(recv_time, pa.int64()).view(TIME),
                pa.array(kind, pa.string()),
                pa.array(detail, pa.string()),
                pa.array(connection, pa.int32()),
            ],
            schema=FLOW_ANOMALY_SCHEMA,
        )


class RowTracker(ABC, Generic[B]):
    """Applies the rows of one batch to a `TrackerState`, collecting anomalies; engines collect summaries."""

    def __init__(self, state: TrackerState[B]) -> None:
        self._state = state
        self.anomalies = AnomalyColumns()
        self.numbered: set[int] = set()

    def row(self, seq: int, recv_time: int, connection: int, kind: str, payload: str) -> None:
        """Apply one row; `recv_time` in nanoseconds since 1970."""
        if kind == "frame":
            self._frame(seq, recv_time, connection, payload)
        else:
            self._interruption(kind, payload)

    def _interruption(self, kind: str, payload: str) -> None:
        state = self._state
        state.book.clear()
        state.last_sequence = None
        state.counts_sequence = kind == "connected" and len(read_connected(payload).products) == 1

    def _frame(self, seq: int, recv_time: int, connection: int, payload: str) -> None:
        state = self._state

        def anomaly(kind: str, detail: str) -> None:
            self.anomalies.add(seq, recv_time, kind, detail, connection)

        frame = decode_frame(payload, state.product, state.feed)
        if frame.sequence_num is not None and state.counts_sequence:
            self.numbered.add(connection)
            last, state.last_sequence = state.last_sequence, frame.sequence_num
            if last is not None and frame.sequence_num != last + 1:
                anomaly("gap", f"sequence_num {frame.sequence_num} after {last}")
        if isinstance(frame, BookFrame):
            applied = [self._apply(event) for event in frame.events]
            if not all(applied):
                anomaly("early_update", "an update before the connection's first snapshot")
            if frame.events and state.book.is_known:
                top = self._summary(seq, recv_time, frame.exchange_time, connection)
                if top.spread is not None and top.spread < 0:
                    self.note_crossed(seq, recv_time, connection, top)
        elif isinstance(frame, MalformedFrame):
            anomaly("malformed", frame.detail)
        elif frame.anomaly is not None:
            anomaly(frame.anomaly, frame.detail)

    def note_crossed(self, seq: int, recv_time: int, connection: int, top: Top) -> None:
        """Collect a summary whose bid is over its ask."""
        detail = f"bid {top.bid_price} over ask {top.ask_price}"
        self.anomalies.add(seq, recv_time, "crossed", detail, connection)

    @abstractmethod
    def _summary(self, seq: int, recv_time: int, exchange_time: int | None, connection: int) -> Top:
        """Collect the best levels as they stand; return the very best."""

    def _apply(self, event: BookEvent) -> bool:
        """Apply an event; False, and nothing is done, for an update that finds no book."""
        book = self._state.book
        if not event.is_snapshot and not book.is_known:
            return False
        book.apply(event)
        return True


class Tracker(RowTracker[OrderBookState]):
    """The plain engine's: also collects summaries.

    Args:
        state: changed by every row.
        depth: levels a side to collect after every summary; 0 collects none.
    """

    def __init__(self, state: TrackerState[OrderBookState], depth: int = 0) -> None:
        super().__init__(state)
        self.depth = DepthColumns(depth) if depth else None
        self.summaries = SummaryColumns()

    def _summary(self, seq: int, recv_time: int, exchange_time: int | None, connection: int) -> Top:
        book = self._state.book
        top = book.top()
        self.summaries.add(seq, recv_time, exchange_time, connection, top)
        if self.depth is not None:
            self.depth.add(seq, recv_time, book)
        return top
