"""The live feed and the import of captures as bytewax sources."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from orderbook.schema import TAPE_SCHEMA, empty_batch
from recorder.captures import CaptureError
from recorder.clock import AWAKE
from recorder.halt import Halt
from recorder.importing import CaptureRows, Item
from recorder.inbox import Inbox
from recorder.reader import FeedReader, ReaderSettings
from recorder.rows import RowNumbering
from recorder.tape.position import Position

_WAIT_S: Final = 0.010  # at most, and only where nothing waits for any product
_TICK_S: Final = 1.0  # an empty batch so often, so that quiet products are sealed in time
_MAX_ROWS: Final = 8192
_JOIN_S: Final = 10.0


class CoinbaseSource(FixedPartitionedSource[Item, None]):
    """Products as partitions; each item is what has just arrived for one of them.

    The socket thread starts with the first partition. Ends once the reader was stopped and all is drained.

    Args:
        reader: receives.
        inbox: what it fills.
        positions: by product, where its rows go on.
        gather_s: how long a row may wait for others to share the cost of a batch; 0 lets it go at once.
    """

    def __init__(
        self, reader: FeedReader, inbox: Inbox, positions: dict[str, Position], gather_s: float = 0.0
    ) -> None:
        self._reader = reader
        self._inbox = inbox
        self._positions = positions
        self._gather_s = gather_s

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._positions)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_Lane":  # noqa: ARG002  bytewax
        """Return one product's partition; a recording resumes from its tape, never from recovery state."""
        self._reader.start()
        numbering = RowNumbering(self._positions[for_part].seq)
        return _Lane(for_part, self._inbox, numbering, self._gather_s)


class _Lane(StatefulSourcePartition[Item, None]):
    def __init__(self, product: str, inbox: Inbox, numbering: RowNumbering, gather_s: float = 0.0) -> None:
        self._product = product
        self._inbox = inbox
        self._numbering = numbering
        self._gather_s = gather_s
        self._next_tick = time.monotonic() + _TICK_S

    def next_batch(self) -> list[Item]:
        self._inbox.gather(self._product, self._gather_s)
        received = self._inbox.take(self._product, _MAX_ROWS)
        if received:
            return [(self._product, self._numbering.batch(received))]
        if self._inbox.is_drained(self._product):
            raise StopIteration
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + _TICK_S
            return [(self._product, empty_batch(TAPE_SCHEMA))]
        self._inbox.wait(_WAIT_S)
        return []

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> None:
        return None


class FollowingSource(FixedPartitionedSource[Item, None]):
    """Products of a live feed for a flow of one's own: each process of a cluster follows those it is given.

    Nothing is opened before the flow asks for the first rows.
    """

    def __init__(self, products: tuple[str, ...], settings: ReaderSettings) -> None:
        self._products = products
        self._settings = settings
        self._lock = threading.Lock()
        self._joining: list[str] = []
        self._joined: dict[str, tuple[FeedReader, _Lane]] = {}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._products)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_JoiningLane":  # noqa: ARG002  bytewax
        """Return one product's partition; a new connection begins with a snapshot, so nothing is resumed."""
        with self._lock:
            self._joining.append(for_part)
        return _JoiningLane(self, for_part)

    def join(self, product: str) -> "tuple[FeedReader, _Lane]":
        """Return the reader and the lane of a product; all that were built by now get one reader together."""
        with self._lock:
            if product not in self._joined:
                positions = {each: Position() for each in self._joining}
                self._joining = []
                inbox = Inbox(positions, self._settings.queue_bytes)
                reader = FeedReader(self._settings, inbox, positions)
                for each in positions:
                    self._joined[each] = reader, _Lane(each, inbox, RowNumbering(0))
                reader.start()
            return self._joined[product]

    def leave(self, product: str) -> None:
        """End a product; with the last of its reader the thread has ended as well."""
        with self._lock:
            reader, _ = self._joined.pop(product)
            is_last = all(other is not reader for other, _ in self._joined.values())
        if is_last:
            reader.stop()
            reader.join(_JOIN_S)


class _JoiningLane(StatefulSourcePartition[Item, None]):
    """A lane that is there from its first use on, and raises what ended its reader: nobody else would."""

    def __init__(self, source: FollowingSource, product: str) -> None:
        self._source = source
        self._product = product

    def next_batch(self) -> list[Item]:
        reader, lane = self._source.join(self._product)
        try:
            return lane.next_batch()
        except StopIteration:
            self._source.leave(self._product)
            if reader.failure is not None:
                raise reader.failure from None
            raise

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> None:
        return None


class CaptureSource(FixedPartitionedSource[Item, None]):
    """All captures of one import as one partition: their products keep their order among themselves."""

    def __init__(self, rows: CaptureRows, halt: Halt) -> None:
        self._rows = rows
        self._halt = halt

    def list_parts(self) -> list[str]:
        """Return the one partition."""
        return ["captures"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_CapturePartition":  # noqa: ARG002  bytewax
        """Return the partition; an import is not resumed from recovery state."""
        return _CapturePartition(self._rows.items(), self._halt)


class _CapturePartition(StatefulSourcePartition[Item, None]):
    def __init__(self, items: Iterator[list[Item]], halt: Halt) -> None:
        self._items = items
        self._halt = halt

    def next_batch(self) -> list[Item]:
        try:
            return next(self._items)  # its StopIteration is bytewax's end
        except CaptureError as error:  # the file changed since it was surveyed
            self._halt(error)
            raise StopIteration from None

    def next_awake(self) -> datetime:
        return AWAKE

    def snapshot(self) -> None:
        return None
