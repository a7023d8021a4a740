"""The socket thread: one asyncio loop that owns every connection of the process.

Frames are stamped here, the moment they are read, and queued; nothing downstream can delay a read,
a ping or a reconnect. One connection a product; each is followed until `stop`.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from orderbook.schema import Kind
from recorder.backoff import Backoff
from recorder.clock import Clock, ReceiveClock
from recorder.feeds import Endpoint, connected_payload, disconnected_payload, subscribe_messages
from recorder.inbox import Inbox, Received
from recorder.tape.writer import Position

log = logging.getLogger(__name__)

MAX_FRAME_BYTES = 64 * 2**20
"""Snapshots of deep books pass 5 MB; the library's default of 1 MiB ends the connection."""

NO_CLOSE_FRAME = 1006
BACKOFF = Backoff()
GOING = (1000, "stopped")


def new_connection_id() -> str:
    """Return an id that no other connection has."""
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How connections are made.

    Attributes:
        endpoint: the feed.
        backoff: waits between attempts.
        clock_for: a connection's clock, given the product and its last recv_time.
        connection_id: makes the id of a connection.
        connect_to: host and port to reach in place of the url's.
        connections: end a product after so many connections; None to come back without end.
    """

    endpoint: Endpoint
    backoff: Backoff = BACKOFF
    clock_for: Callable[[str, int], Clock] = field(default=lambda _product, last: ReceiveClock(last))
    connection_id: Callable[[], str] = new_connection_id
    connect_to: tuple[str, int] | None = None
    connections: int | None = None


class FeedReader:
    """Follows products on a thread of its own, from `start` to `stop`."""

    def __init__(self, settings: ReaderSettings, inbox: Inbox, positions: Mapping[str, Position]) -> None:
        self._settings = settings
        self._inbox = inbox
        self._lines = {product: _Line(product, position) for product, position in positions.items()}
        self._thread = threading.Thread(target=self._run, name="feed-reader", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._stopped = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.failure: BaseException | None = None  # a defect of ours: what no connection should raise

    def start(self) -> None:
        """Begin, where that has not happened yet."""
        if not self._thread.ident:
            self._thread.start()

    def stop(self) -> None:
        """Close all connections, tell it as `disconnected` rows, and finish the inbox. Returns at once."""
        self._stopped.set()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._cancel)

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        if self._thread.ident:
            self._thread.join(seconds)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._follow_all())

    async def _follow_all(self) -> None:
        self._tasks = [asyncio.create_task(self._follow(line)) for line in self._lines.values()]
        if self._stopped.is_set():
            self._cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, BaseException) and self.failure is None:
                self.failure = result

    async def _follow(self, line: "_Line") -> None:
        """Keep one product connected until cancelled."""
        rng = random.Random()  # noqa: S311  jitter
        attempt = 0
        try:
            while True:
                line.got_frames = False
                problem = await self._connection(line)
                if line.opened == self._settings.connections:
                    return
                attempt = 0 if line.got_frames else attempt
                wait = self._settings.backoff.wait(attempt, rng)
                attempt += 1
                log.warning("%s: %s; connecting again in %.1f s", line.product, problem, wait)
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            log.debug("%s: stopped", line.product)
        finally:
            self._inbox.finish(line.product)

    async def _connection(self, line: "_Line") -> str:
        """Open one connection and follow it to its end; return what ended it."""
        settings = self._settings
        address: dict[str, Any] = {}
        if settings.connect_to is not None:
            address = dict(zip(("host", "port"), settings.connect_to, strict=True))
        try:
            socket = await connect(
                settings.endpoint.url, max_size=MAX_FRAME_BYTES, close_timeout=1, open_timeout=10, **address
            )
        except (OSError, TimeoutError, InvalidHandshake) as error:
            return f"no connection to {settings.endpoint.url} ({_reason(error)})"
        clock = settings.clock_for(line.product, line.last_time)
        line.connection += 1
        line.opened += 1
        messages = subscribe_messages(settings.endpoint.feed, settings.endpoint.channel, line.product)
        opened = connected_payload(settings.connection_id(), settings.endpoint.url, [line.product], messages)
        line.put(self._inbox, clock(), "connected", opened)
        ending = GOING
        try:
            ending = await self._receive(line, socket, messages, clock)
        finally:  # also where the task is cancelled: then this connection ends by our own will
            line.put(self._inbox, clock(), "disconnected", disconnected_payload(*ending))
            await socket.close()
        code, reason = ending
        return f"connection {line.connection} ended ({code}{f' {reason}' if reason else ''})"

    async def _receive(
        self, line: "_Line", socket: ClientConnection, messages: list[str], clock: Clock
    ) -> tuple[int, str]:
        """Subscribe and queue every frame; return the close code and the reason of the end."""
        try:
            for message in messages:
                await socket.send(message)
            while True:
                frame = await socket.recv()
                if not isinstance(frame, str):
                    return 1003, "binary frame"
                if not line.put(self._inbox, clock(), "frame", frame):
                    return 1008, "overflow"
                line.got_frames = True
        except ConnectionClosed:
            return socket.close_code or NO_CLOSE_FRAME, socket.close_reason or ""


@dataclass(slots=True)
class _Line:
    """One product's way from connection to connection."""

    product: str
    position: Position
    connection: int = field(init=False)
    last_time: int = field(init=False)
    opened: int = 0
    got_frames: bool = False

    def __post_init__(self) -> None:
        self.connection = self.position.connection - 1
        self.last_time = self.position.recv_time

    def put(self, inbox: Inbox, recv_time: int, kind: Kind, payload: str) -> bool:
        """Queue a row of the current connection."""
        self.last_time = recv_time
        return inbox.put(self.product, Received(recv_time, self.connection, kind, payload))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
