"""The socket thread: one asyncio loop that owns every connection of the process.

Frames are stamped here, the moment they are read, and queued; nothing downstream can delay a read,
a ping or a reconnect. One connection a product; each is followed until `stop`.
"""

import asyncio
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from orderbook.marks import Connected, Disconnected, encode_mark
from orderbook.schema import Kind
from recorder.backoff import Backoff, Turnstile
from recorder.clock import Clock, ReceiveClock
from recorder.credentials import Credentials
from recorder.feeds import Endpoint, FeedError, subscribe_messages
from recorder.inbox import QUEUE_BYTES, Inbox, Received
from recorder.opening import NoConnectionError, open_socket
from recorder.printable import printable
from recorder.session import ENDED_BY_US, Ending, Refusal, Session
from recorder.tape.position import Position

log = logging.getLogger(__name__)

NO_CLOSE_FRAME = 1006
_SETTLED_S = 10.0  # a connection that lasted so long begins the backoff anew
STOPPED = Ending(1000, "stopped")
BACKOFF = Backoff()


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
        credentials: signs the subscribe messages, where the channel needs a key.
        connect_to: host and port to reach in place of the url's.
        connections: end a product after so many connections; None to come back without end.
        stale_after: seconds without any frame after which a connection counts as dead.
        queue_bytes: what may wait between socket and dataflow; more ends a connection with `overflow`.
        spacing: least seconds between two connection attempts of the process; the Advanced feed takes
            8 unauthenticated messages/s from an address and a connection begins with two.
    """

    endpoint: Endpoint
    backoff: Backoff = BACKOFF
    clock_for: Callable[[str, int], Clock] = field(default=lambda _product, last: ReceiveClock(last))
    connection_id: Callable[[], str] = new_connection_id
    credentials: Credentials | None = None
    connect_to: tuple[str, int] | None = None
    connections: int | None = None
    stale_after: float = 10.0
    queue_bytes: int = QUEUE_BYTES
    spacing: float = 0.25


class FeedReader:
    """Follows products on a thread of its own, from `start` to `stop`.

    Attributes:
        failure: why it stopped by itself: a `FeedError` where the exchange refuses a product, anything
            else is a defect.
    """

    def __init__(self, settings: ReaderSettings, inbox: Inbox, positions: Mapping[str, Position]) -> None:
        self._settings = settings
        self._inbox = inbox
        self._lines = {product: _Line(product, position) for product, position in positions.items()}
        self._thread = threading.Thread(target=self._run, name="feed-reader", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._stopped = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._turnstile = Turnstile(settings.spacing)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin, where that has not happened yet."""
        if not self._thread.ident:
            self._thread.start()

    def stop(self) -> None:
        """Close all connections, tell it as `disconnected` rows, and finish the inbox. Returns at once."""
        self._stopped.set()
        with suppress(RuntimeError):  # the loop is closed: the thread has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)

    def endings(self, product: str) -> dict[str, int]:
        """Return how often a product's connections ended, by reason."""
        return dict(self._lines[product].endings)

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
        await asyncio.gather(*self._tasks, return_exceptions=True)  # what they raise, they keep in `failure`
        for product in self._lines:  # also of a line that was stopped before it began
            self._inbox.finish(product)

    async def _follow(self, line: "_Line") -> None:
        """Keep one product connected until cancelled."""
        rng = random.Random()  # noqa: S311  jitter
        attempt = 0
        try:
            while True:
                began = self._loop.time()
                problem = await self._connection(line)
                if line.opened == self._settings.connections:
                    return
                if self._loop.time() - began > _SETTLED_S:
                    attempt = 0
                wait = self._settings.backoff.wait(attempt, rng)
                attempt += 1
                log.warning("%s: %s; connecting again in %.1f s", line.product, printable(problem), wait)
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            log.debug("%s: stopped", line.product)
        except BaseException as error:  # noqa: BLE001  a defect: no product must go on as if nothing had happened
            self.failure = self.failure or error
            self.stop()
        finally:
            self._inbox.finish(line.product)

    async def _connection(self, line: "_Line") -> str:
        """Open one connection and follow it to its end; return what ended it."""
        settings = self._settings
        await self._turnstile.pass_through()
        try:
            socket = await open_socket(settings.endpoint.url, settings.connect_to)
        except NoConnectionError as error:
            return str(error)
        clock = settings.clock_for(line.product, line.last_time)
        line.connection += 1
        line.opened += 1
        messages = subscribe_messages(settings.endpoint.feed, settings.endpoint.channel, line.product)
        opened = Connected(settings.connection_id(), settings.endpoint.url, [line.product], messages)
        line.put(self._inbox, clock(), "connected", encode_mark(opened))
        ending = STOPPED
        try:
            ending = await self._receive(line, socket, messages, clock)
        finally:  # also where the task is cancelled: then this connection ends by our own will
            line.put(
                self._inbox, clock(), "disconnected", encode_mark(Disconnected(ending.code, ending.reason))
            )
            line.endings[ending.reason if ending.code == ENDED_BY_US else f"closed {ending.code}"] += 1
            await socket.close()
        reason = f" {ending.reason}" if ending.reason else ""
        return f"connection {line.connection} ended ({ending.code}{reason})"

    async def _receive(
        self, line: "_Line", socket: ClientConnection, messages: list[str], clock: Clock
    ) -> Ending:
        """Subscribe and queue every frame; return how the connection ended."""
        session = Session(self._settings.endpoint.feed, line.product, was_served=line.is_served)
        try:
            for message in messages:
                await socket.send(self._signed(message))
            while True:
                async with asyncio.timeout(self._settings.stale_after):
                    frame = await socket.recv()
                if not isinstance(frame, str):
                    return Ending(ENDED_BY_US, "binary frame")
                if not line.put(self._inbox, clock(), "frame", frame):
                    return Ending(ENDED_BY_US, "overflow")
                judgement = session.take(frame)
                line.is_served = session.is_served
                if isinstance(judgement, Refusal):
                    self.failure = self.failure or FeedError(f"{line.product}: {judgement.text}")
                    self.stop()
                    return Ending(ENDED_BY_US, "refused")
                if judgement is not None:
                    return judgement
        except TimeoutError:
            return Ending(ENDED_BY_US, "stale")
        except ConnectionClosed as closed:
            return _ending(closed)

    def _signed(self, message: str) -> str:
        """Return what really goes out: the tape holds the message without the key."""
        credentials = self._settings.credentials
        return message if credentials is None else credentials.sign(message, time.time())


@dataclass(slots=True)
class _Line:
    """One product's way from connection to connection."""

    product: str
    position: Position
    connection: int = field(init=False)
    last_time: int = field(init=False)
    opened: int = 0
    is_served: bool = False
    endings: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.connection = self.position.connection - 1
        self.last_time = self.position.recv_time

    def put(self, inbox: Inbox, recv_time: int, kind: Kind, payload: str) -> bool:
        """Queue a row of the current connection."""
        self.last_time = recv_time
        return inbox.put(self.product, Received(recv_time, self.connection, kind, payload))


def _ending(closed: ConnectionClosed) -> Ending:
    """Return the close frame that ended a connection: the peer's, or ours where the peer was at fault."""
    if closed.rcvd is not None:
        return Ending(closed.rcvd.code, closed.rcvd.reason)
    if closed.sent is not None:
        return Ending(closed.sent.code, closed.sent.reason)
    return Ending(NO_CLOSE_FRAME, "")
