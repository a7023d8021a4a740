"""The rules by which rows of a tape change the book of one product, and the state that they change.

- `connected` and `disconnected` clear the book: it is unknown until the next snapshot.
- A frame applies whole or not at all; a malformed frame changes nothing.
- Every accepted snapshot, and every accepted update of a known book, yields one summary.
- Faults of the feed are recorded as anomalies and never raised.

All engines share the saved form of a state: recovery and seeking continue from it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from operator import lt
from typing import Annotated, Generic, TypeVar

import msgspec
import pyarrow as pa

from orderbook.book import Book, OrderBookState
from orderbook.connection_marks import read_connected
from orderbook.continuity import is_gap
from orderbook.depth import DepthColumns
from orderbook.errors import UnknownVenueError
from orderbook.events import BookEvent, BookFrame, Frame, MalformedFrame, ReadRow
from orderbook.schema import FLOW_ANOMALY_SCHEMA, empty_batch, to_arrays
from orderbook.summaries import SummaryColumns, Top
from orderbook.venues.base import Venue
from orderbook.venues.rawjson import UNREADABLE
from orderbook.venues.registry import venue

B = TypeVar("B", bound=Book)

_NO_ANOMALIES = empty_batch(FLOW_ANOMALY_SCHEMA)  # made once: nearly every batch has none


@dataclass(slots=True)
class TrackerState(Generic[B]):
    """Everything that is carried over from one batch of rows to the next, for one product.

    Attributes:
        product: the product of the rows.
        venue: the venue whose frames they are.
        book: the current book.
        counts_sequence: whether the sequence_num of this connection can be checked here. It numbers all
            messages of a connection, so only if it serves no other product and no merge joined it to another.
        last_sequence: the last sequence_num of this connection.
    """

    product: str
    venue: Venue
    book: B
    counts_sequence: bool = False
    last_sequence: int | None = None


_Price = Annotated[int, msgspec.Meta(gt=0, lt=10**18)]
_Size = Annotated[str, msgspec.Meta(pattern=r"\A(?=.)([1-9][0-9]{0,17})?(\.[0-9]{0,17}[1-9])?\Z")]
_Integer = Annotated[str, msgspec.Meta(pattern=r"\A-?[0-9]{1,4000}\Z")]


class SavedState(msgspec.Struct, frozen=True):
    """A `TrackerState` as plain values; levels are (price in 1e-8 units, size), prices ascending.

    Sizes are in their shortest spelling, so that equal books have equal saved forms. Decoding one checks all
    of this: it may come from a file, and the compiled engine relies on it.
    """

    product: str
    feed: str
    is_known: bool
    bids: list[tuple[_Price, _Size]]
    asks: list[tuple[_Price, _Size]]
    counts_sequence: bool
    last_sequence: _Integer | None  # a feed may send any integer, MessagePack only those below 2**64

    def __post_init__(self) -> None:
        for side in (self.bids, self.asks):
            prices = [price for price, _ in side]
            if not all(map(lt, prices, prices[1:])):
                raise ValueError("the prices of a side do not ascend")
        if (self.bids or self.asks) and not self.is_known:
            raise ValueError("an unknown book has levels")


_SAVED = msgspec.msgpack.Decoder(SavedState)


def save_state(state: TrackerState[B]) -> bytes:
    """Return a state as MessagePack. O(levels)."""
    levels = state.book.levels()
    return msgspec.msgpack.encode(
        SavedState(
            product=state.product,
            feed=state.venue.name,
            is_known=state.book.is_known,
            bids=levels.bids[::-1],
            asks=levels.asks,
            counts_sequence=state.counts_sequence,
            last_sequence=None if state.last_sequence is None else str(state.last_sequence),
        )
    )


def is_saved_state(saved: bytes, product: str, feed: str) -> bool:
    """Return whether the bytes are a saved state of a product and feed, for `load_state`. O(levels)."""
    try:
        found = _SAVED.decode(saved)
    except UNREADABLE:
        return False
    return (found.product, found.feed) == (product, feed)


def saved_touch(saved: bytes, product: str, feed: str) -> tuple[int, int] | None:
    """Return the best bid and ask of a saved state in units of 1e-8; None without both, or if it is not one.

    O(levels), without building a book.
    """
    try:
        found = _SAVED.decode(saved)
    except UNREADABLE:
        return None
    if (found.product, found.feed) != (product, feed) or not (found.bids and found.asks):
        return None
    return found.bids[-1][0], found.asks[0][0]


def load_state(saved: bytes, book: B) -> TrackerState[B]:
    """Return the state that was saved.

    Args:
        saved: the bytes that `save_state` returned.
        book: an empty book of the engine, to be filled.

    Raises:
        msgspec.DecodeError: if the bytes are not a saved state.
    """
    values = _SAVED.decode(saved)
    if values.is_known:
        book.apply(BookEvent(True, values.bids, values.asks))
    try:
        known = venue(values.feed)
    except UnknownVenueError as error:
        raise msgspec.ValidationError(str(error)) from None
    last_sequence = None if values.last_sequence is None else int(values.last_sequence)
    return TrackerState(values.product, known, book, values.counts_sequence, last_sequence)


class AnomalyColumns:
    """Collects the anomalies of one batch of rows."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, str, str, int]] = []

    def add(self, seq: int, recv_time: int, kind: str, detail: str, connection: int) -> None:
        """Append one anomaly."""
        self._rows.append((seq, recv_time, kind, detail, connection))

    def to_batch(self) -> pa.RecordBatch:
        """Return the anomalies as a batch of `FLOW_ANOMALY_SCHEMA`."""
        if not self._rows:
            return _NO_ANOMALIES
        arrays = to_arrays(self._rows, FLOW_ANOMALY_SCHEMA.types)
        return pa.RecordBatch.from_arrays(arrays, schema=FLOW_ANOMALY_SCHEMA)


class RowTracker(ABC, Generic[B]):
    """Applies the rows of one batch to a `TrackerState`, collecting anomalies; engines collect summaries."""

    def __init__(self, state: TrackerState[B]) -> None:
        self._state = state
        self.anomalies = AnomalyColumns()
        self.numbered: set[int] = set()
        self.diverged: set[int] = set()

    def row(
        self, seq: int, recv_time: int, connection: int, kind: str, payload: str | ReadRow
    ) -> BookFrame | None:
        """Apply one row; `recv_time` in nanoseconds since 1970.

        Returns:
            The frame, with the events that were applied, of a row that has a summary; else None.
        """
        if isinstance(payload, ReadRow):
            return self._frame(seq, recv_time, connection, payload.frame)
        if kind == "frame":
            return self._frame(
                seq, recv_time, connection, self._state.venue.decode(payload, self._state.product)
            )
        self._interruption(kind, payload)
        return None

    def _interruption(self, kind: str, payload: str) -> None:
        state = self._state
        state.book.clear()
        state.last_sequence = None
        state.counts_sequence = kind == "connected" and read_connected(payload).counts_alone

    def _frame(self, seq: int, recv_time: int, connection: int, frame: Frame) -> BookFrame | None:
        state = self._state

        def anomaly(kind: str, detail: str) -> None:
            self.anomalies.add(seq, recv_time, kind, detail, connection)

        if frame.sequence_num is not None and state.counts_sequence:
            self.numbered.add(connection)
            last, state.last_sequence = state.last_sequence, frame.sequence_num
            if is_gap(last, frame.sequence_num):
                anomaly("gap", f"sequence_num {frame.sequence_num} after {last}")
        if isinstance(frame, BookFrame):
            applied = [event for event in frame.events if self._apply(event)]
            if len(applied) < len(frame.events):
                anomaly("early_update", "an update before the connection's first snapshot")
            if frame.events and state.book.is_known:
                top = self._summary(seq, recv_time, frame.exchange_time, connection)
                if top.spread is not None and top.spread < 0:
                    self.note_crossed(seq, recv_time, connection, top)
                return frame._replace(events=applied)
        elif isinstance(frame, MalformedFrame):
            anomaly("malformed", frame.detail)
            self.diverged |= {connection} if frame.is_book else set()
        elif frame.anomaly is not None:
            anomaly(frame.anomaly, frame.detail)
        return None

    def note_crossed(self, seq: int, recv_time: int, connection: int, top: Top) -> None:
        """Record that the bid of a summary is above its ask."""
        detail = f"bid {top.bid_price} over ask {top.ask_price}"
        self.anomalies.add(seq, recv_time, "crossed", detail, connection)

    @abstractmethod
    def _summary(self, seq: int, recv_time: int, exchange_time: int | None, connection: int) -> Top:
        """Collect a summary of the current book and return its top."""

    def _apply(self, event: BookEvent) -> bool:
        """Apply an event; return False, without applying it, for an update of an unknown book."""
        book = self._state.book
        if not event.is_snapshot and not book.is_known:
            return False
        book.apply(event)
        return True


class Tracker(RowTracker[OrderBookState]):
    """The tracker of the plain engine: also collects summaries.

    Args:
        state: the state, which every row changes.
        depth: number of levels of each side to collect after every summary; 0 collects none.
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
