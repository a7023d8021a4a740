"""The live feed and the import of captures as bytewax sources."""

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

import pyarrow as pa
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from orderbook.engine import Step
from orderbook.schema import TAPE_SCHEMA, empty_batch
from recorder.captures.capture_rows import CaptureRows, Item
from recorder.captures.formats import CaptureError
from recorder.dataflow.running import AWAKE, FirstFailure
from recorder.live.client import FeedReader
from recorder.live.queue import ReceiveQueue
from recorder.settings import ConnectionSettings
from recorder.tape.row_batches import Position, RowNumbering
from recorder.tape.writer import TapeWriter

_WAIT_S: Final = 0.050  # longest wait of a poll, and only if no row of any product is queued
_TICK_S: Final = 1.0  # interval of empty batches, with which quiet products are sealed in time
_MAX_ROWS: Final = 8192


class _Partition(StatefulSourcePartition[Item, None]):
    """A partition that is polled without a pause and keeps no recovery state."""

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> None:
        return None


class RowStream(Protocol):
    """Rows of several products that arrive one after the other."""

    def take(self, product: str, /) -> pa.RecordBatch | None:
        """Remove and return the next rows of a product; None if there are none now."""

    def is_drained(self, product: str, /) -> bool:
        """Return whether no row of a product is left and none will come."""

    def wait(self, seconds: float, /) -> None:
        """Block until there is a row of any product, at most so many seconds."""


class QueuedRows:
    """The rows of a queue, numbered; nothing is stored."""

    def __init__(self, queue: ReceiveQueue, positions: Mapping[str, Position]) -> None:
        self._queue = queue
        self._numbering = {product: RowNumbering(position.seq) for product, position in positions.items()}
        self.is_drained = queue.is_drained
        self.wait = queue.wait

    def take(self, product: str) -> pa.RecordBatch | None:
        """Remove and return the next rows of a product; None if there are none now."""
        received = self._queue.pop(product, _MAX_ROWS)
        return self._numbering[product].batch(received) if received else None


class CoinbaseSource(FixedPartitionedSource[Item, None]):
    """The products of a feed as partitions; each item holds the rows that have arrived for one of them.

    The socket thread starts with the first partition. The source ends when the reader was stopped and no row
    is left.

    Args:
        reader: receives the feed.
        positions: by product, where its tape ends.
        rows: what the reader received, once it is in the journal; None to take it from the reader's queue.
    """

    def __init__(
        self, reader: FeedReader, positions: Mapping[str, Position], rows: RowStream | None = None
    ) -> None:
        self._reader = reader
        self._positions = positions
        self._rows = rows or QueuedRows(reader.queue, positions)

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._positions)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_ProductPartition":  # noqa: ARG002  bytewax
        """Return the partition of a product; a recording resumes from its tape, never from recovery state."""
        self._reader.start(self._positions)
        return _ProductPartition(for_part, self._rows)


class _ProductPartition(_Partition):
    def __init__(self, product: str, rows: RowStream) -> None:
        self._product = product
        self._rows = rows
        self._next_tick = time.monotonic() + _TICK_S

    def next_batch(self) -> list[Item]:
        rows = self._rows.take(self._product)
        if rows is not None:
            return [(self._product, rows)]
        if self._rows.is_drained(self._product):
            raise StopIteration
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + _TICK_S
            return [(self._product, empty_batch(TAPE_SCHEMA))]
        self._rows.wait(_WAIT_S)
        return []


class LiveSource(FixedPartitionedSource[Item, None]):
    """Products of a live feed for a user's flow: each process of a cluster connects those assigned to it.

    Nothing is opened before the flow polls for the first rows.
    """

    def __init__(self, products: tuple[str, ...], settings: ConnectionSettings) -> None:
        self._products = products
        self._settings = settings
        self._lock = threading.Lock()
        self._built: list[str] = []  # partitions that have no reader yet
        self._connected: dict[str, tuple[FeedReader, _ProductPartition]] = {}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._products)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_LivePartition":  # noqa: ARG002  bytewax
        """Return the partition of a product; a connection begins with a snapshot, so nothing is resumed."""
        with self._lock:
            self._built.append(for_part)
        return _LivePartition(self, for_part)

    def connect(self, product: str) -> "tuple[FeedReader, _ProductPartition]":
        """Return a product's reader and rows; all partitions built by now share one reader."""
        with self._lock:
            if product not in self._connected:
                products, self._built = self._built, []
                reader = FeedReader(products, self._settings)
                positions = dict.fromkeys(products, Position())
                rows = QueuedRows(reader.queue, positions)
                for each in products:
                    self._connected[each] = reader, _ProductPartition(each, rows)
                reader.start(positions)
            return self._connected[product]

    def resync(self, product: str, step: Step) -> None:
        """Fetch a new snapshot if a book has diverged; if the product is connected in this process."""
        with self._lock:
            connected = self._connected.get(product)
        if connected is not None:
            connected[0].resync(product, step)

    def disconnect(self, product: str) -> None:
        """Forget a product that has ended; the reader's thread ends with its last product."""
        with self._lock:
            reader, _ = self._connected.pop(product)
            is_last = all(other is not reader for other, _ in self._connected.values())
        if is_last:
            reader.stop()
            reader.join()


class _LivePartition(_Partition):
    """A product that connects on its first poll and raises what ended its reader: nobody else would."""

    def __init__(self, source: LiveSource, product: str) -> None:
        self._source = source
        self._product = product

    def next_batch(self) -> list[Item]:
        reader, rows = self._source.connect(self._product)
        try:
            return rows.next_batch()
        except StopIteration:
            self._source.disconnect(self._product)
            if reader.failure is not None:
                raise reader.failure from None
            raise


class CaptureSource(FixedPartitionedSource[Item, None]):
    """All captures of one import as one partition, which keeps the order of rows across products.

    Rows are in the journal before they leave it, split where a segment ends.
    """

    def __init__(self, rows: CaptureRows, writer: TapeWriter, failure: FirstFailure) -> None:
        self._rows = rows
        self._writer = writer
        self._failure = failure

    def list_parts(self) -> list[str]:
        """Return the one partition."""
        return ["captures"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_CapturePartition":  # noqa: ARG002  bytewax
        """Return the partition; an import is not resumed from recovery state."""
        return _CapturePartition(self._rows.items(), self._writer, self._failure)


class _CapturePartition(_Partition):
    def __init__(self, items: Iterator[list[Item]], writer: TapeWriter, failure: FirstFailure) -> None:
        self._items = items
        self._writer = writer
        self._failure = failure

    def next_batch(self) -> list[Item]:
        products = self._writer.products
        try:
            items = next(self._items)  # its StopIteration ends the partition
            return [(product, part) for product, rows in items for part in products[product].append(rows)]
        except CaptureError as error:  # the file changed since it was surveyed
            self._failure.report(error)
        except OSError as error:
            self._failure.report(self._writer.failure(error))
        raise StopIteration
