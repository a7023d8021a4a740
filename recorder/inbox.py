"""The queue between the socket thread and the dataflow: bounded in bytes, a lane per product."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from orderbook.schema import Kind

QUEUE_BYTES: Final = 256 * 2**20
"""Payload that may wait, over all products."""

_ROW_BYTES: Final = 128  # what a waiting row costs beside its payload


class Received(NamedTuple):
    """A row before it has a number: when it came (ns since 1970), on which connection, what it is."""

    recv_time: int
    connection: int
    kind: Kind
    payload: str


def _cost(row: Received) -> int:
    """Return what a waiting row counts, in bytes of UTF-8; O(1) for ASCII."""
    payload = row.payload
    return (len(payload) if payload.isascii() else len(payload.encode())) + _ROW_BYTES


class Inbox:
    """Rows on their way from the socket thread to the dataflow. Thread-safe."""

    def __init__(self, products: Iterable[str], max_bytes: int = QUEUE_BYTES) -> None:
        self._lanes: dict[str, deque[Received]] = {product: deque() for product in products}
        self._finished: set[str] = set()
        lock = threading.Lock()
        self._arrival = threading.Condition(lock)
        self._haste = threading.Condition(lock)
        self._since: dict[str, float] = {}  # since when the first row of a lane waits, monotonic
        self._waiting = dict.fromkeys(self._lanes, 0)
        self._received = dict.fromkeys(self._lanes, 0)
        self._bytes = 0
        self._counted = 0
        self._max_bytes = max_bytes

    def put(self, product: str, row: Received) -> bool:
        """Queue a row; False, and nothing is queued, where a frame would pass the bound.

        No frame counts for more than half the bound: a snapshot beyond a small bound, or the updates that
        follow it before the dataflow has taken it, could else never be had. At most two such frames wait.
        `connected` and `disconnected` always find room: an interruption must be told.
        """
        cost = _cost(row)
        with self._arrival:
            if row.kind == "frame" and self._counted + self._capped(cost) > self._max_bytes:
                return False
            lane = self._lanes[product]
            if not lane:
                self._since[product] = time.monotonic()
            lane.append(row)
            self._bytes += cost
            self._counted += self._capped(cost)
            self._waiting[product] += cost
            if row.kind == "frame":
                self._received[product] += cost - _ROW_BYTES
            self._arrival.notify_all()
            if self._is_filling:
                self._haste.notify_all()
        return True

    def finish(self, product: str) -> None:
        """Say that nothing more comes for a product."""
        with self._arrival:
            self._finished.add(product)
            self._arrival.notify_all()
            self._haste.notify_all()

    def take(self, product: str, limit: int) -> list[Received]:
        """Remove and return up to `limit` waiting rows of a product, in order."""
        with self._arrival:
            lane = self._lanes[product]
            rows = [lane.popleft() for _ in range(min(limit, len(lane)))]
            if not lane:
                self._since.pop(product, None)
            costs = [_cost(row) for row in rows]
            cost = sum(costs)
            self._bytes -= cost
            self._counted -= sum(map(self._capped, costs))
            self._waiting[product] -= cost
        return rows

    def is_drained(self, product: str) -> bool:
        """Tell whether a product is finished and nothing of it waits."""
        with self._arrival:
            return product in self._finished and not self._lanes[product]

    def wait(self, seconds: float) -> None:
        """Wait until a row arrives for any product, at most so long; not at all where one waits already."""
        with self._arrival:
            if not any(self._lanes.values()):
                self._arrival.wait(seconds)

    def gather(self, product: str, seconds: float) -> None:
        """Wait until the first row that waits for any product has waited so long; more come meanwhile.

        Not at all where none waits for this product, where it is finished, or where the queue is half full.
        """
        with self._arrival:
            if product not in self._since or product in self._finished or self._is_filling:
                return
            # Of any product: they take turns, and their waiting must not add up.
            left = min(self._since.values()) + seconds - time.monotonic()
            if left > 0:
                self._haste.wait(left)

    @property
    def _is_filling(self) -> bool:
        return self._counted > self._max_bytes // 2

    def _capped(self, cost: int) -> int:
        """Return what a row of this cost counts against the bound."""
        return min(cost, self._max_bytes // 2)

    @property
    def waiting_bytes(self) -> int:
        """What waits now, in bytes."""
        return self._bytes

    def waiting_bytes_of(self, product: str) -> int:
        """What waits now for a product, in bytes."""
        return self._waiting[product]

    def received_bytes(self) -> dict[str, int]:
        """Return how many bytes of frames came for each product so far."""
        with self._arrival:
            return dict(self._received)
