"""The queue behind the socket thread: bounded in bytes, in order per product."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from orderbook.schema import Kind
from recorder.settings import CONNECTION

_ROW_BYTES: Final = 128  # counted for each queued row beside its payload
_POP_BYTES: Final = (
    8 * 2**20
)  # rows are taken until they exceed this: a batch of them is copied several times


class Received(NamedTuple):
    """A row before it is numbered; `recv_time` in nanoseconds since the epoch."""

    recv_time: int
    connection: int
    kind: Kind
    payload: str


def cost_of(row: Received) -> int:
    """Return what a row counts, in bytes of UTF-8; O(1) for ASCII."""
    payload = row.payload
    return (len(payload) if payload.isascii() else len(payload.encode())) + _ROW_BYTES


class ReceiveQueue:
    """Rows on their way from the socket thread to the thread that writes the journal. Thread-safe.

    What is in the journal, but still in memory for the dataflow, counts against the same bound: see `hold`.
    """

    def __init__(self, products: Iterable[str], max_bytes: int = CONNECTION.queue_bytes) -> None:
        self.max_bytes = max_bytes
        self._rows: dict[str, deque[Received]] = {product: deque() for product in products}
        self._finished: set[str] = set()
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._hurry = threading.Condition(self._lock)  # notified when rows must not be gathered any longer
        self._is_awaited = (
            False  # whether a thread waits for `_arrival`; a notification costs more than a row
        )
        self._since: float | None = None  # monotonic time of the oldest row, None if there is none
        self._queued = dict.fromkeys(self._rows, 0)
        self._capped_of = dict.fromkeys(self._rows, 0)  # what these count against the bound
        self._received = dict.fromkeys(self._rows, 0)
        self._capped_bytes = 0
        self._held = dict.fromkeys(self._rows, 0)
        self._held_bytes = 0

    def put(self, product: str, row: Received) -> bool:
        """Queue a row; return False, and queue nothing, if a frame would exceed the bound.

        No frame counts more than half the bound: otherwise a snapshot larger than a small bound, or the
        updates that follow before it is processed, could never be received. At most two such frames are
        queued. `connected` and `disconnected` are always queued, so that no interruption is lost.
        """
        cost = cost_of(row)
        with self._lock:
            capped = self._capped(cost)
            used = self._capped_bytes + self._held_bytes + capped
            if used > self.max_bytes and row.kind == "frame":
                return False
            self._rows[product].append(row)
            self._capped_bytes += capped
            self._capped_of[product] += capped
            self._queued[product] += cost
            if row.kind == "frame":
                self._received[product] += cost - _ROW_BYTES
            if self._since is None:
                self._since = time.monotonic()
            if self._is_awaited:
                self._is_awaited = False
                self._arrival.notify_all()
            if used > self.max_bytes // 2:
                self._hurry.notify_all()
        return True

    def finish(self, product: str) -> None:
        """Mark the end of a product's rows."""
        with self._lock:
            self._finished.add(product)
            self._arrival.notify_all()
            self._hurry.notify_all()

    def pop(self, product: str, limit: int, max_bytes: int = _POP_BYTES) -> list[Received]:
        """Remove and return up to `limit` rows of a product, in order; the last may exceed `max_bytes`."""
        with self._lock:
            queued = self._rows[product]
            if len(queued) <= limit and self._queued[product] <= max_bytes:
                rows = list(queued)
                queued.clear()
                cost, capped = self._queued[product], self._capped_of[product]
            else:
                rows, cost, capped = [], 0, 0
                while queued and len(rows) < limit and cost < max_bytes:
                    row = queued.popleft()
                    rows.append(row)
                    cost += cost_of(row)
                    capped += self._capped(cost_of(row))
            self._queued[product] -= cost
            self._capped_of[product] -= capped
            self._capped_bytes -= capped
            if not queued and not any(self._rows.values()):
                self._since = None
        return rows

    def hold(self, product: str, cost: int) -> None:
        """Count rows that have left the queue and wait in memory; a negative cost ends that."""
        with self._lock:
            self._held[product] += cost
            self._held_bytes += cost

    def is_drained(self, product: str) -> bool:
        """Return whether a product is finished and none of its rows is queued."""
        with self._lock:
            return product in self._finished and not self._rows[product]

    @property
    def is_empty(self) -> bool:
        """Whether no row is queued."""
        return self._since is None

    def wait(self, seconds: float) -> None:
        """Block until a row of any product is queued or the last one ends, at most so many seconds."""
        with self._lock:
            if self._since is None and not self._is_over:
                self._is_awaited = True
                self._arrival.wait(seconds)

    def gather(self, seconds: float) -> None:
        """Block until the oldest row is `seconds` old, so that rows are processed together.

        Without a row, block for `seconds`: on a busy feed that saves to be woken by the first one. Return at
        once if all products are finished, or if the queue is half full.
        """
        with self._lock:
            if self._is_over or self.used_bytes > self.max_bytes // 2:
                return
            left = seconds if self._since is None else self._since + seconds - time.monotonic()
            if left > 0:
                self._hurry.wait(left)

    @property
    def _is_over(self) -> bool:
        return len(self._finished) == len(self._rows)

    def _capped(self, cost: int) -> int:
        """Return what a row of this cost counts against the bound."""
        return min(cost, self.max_bytes // 2)

    @property
    def used_bytes(self) -> int:
        """How much of the bound is taken."""
        return self._capped_bytes + self._held_bytes

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait in memory now, in the queue or after it."""
        return sum(self._queued.values()) + self._held_bytes

    def queued_bytes_of(self, product: str) -> int:
        """Return the bytes of a product that wait in memory now."""
        return self._queued[product] + self._held[product]

    def received_bytes(self) -> dict[str, int]:
        """Return the bytes of all frames received so far by product."""
        with self._lock:
            return dict(self._received)
