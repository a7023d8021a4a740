"""The socket thread: one asyncio loop that owns every connection of the process.

Each product has a connection of its own. Frames are stamped the moment they are read, and queued; nothing
downstream can delay a read, a ping or a reconnect.
"""

import asyncio
import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from orderbook.connection_marks import Connected, Disconnected, encode_mark
from orderbook.decimals import price_to_float
from orderbook.display import printable
from orderbook.engine import Step
from orderbook.errors import explain
from orderbook.schema import Kind
from recorder.live.clock import Clock, ClockReading, ReceiveClock, suspended_since
from recorder.live.connect import NoConnectionError, RateLimiter, ReaderLoop, close_socket, open_socket
from recorder.live.connection_check import ENDED_BY_US, STALE, ConnectionCheck, Ending, Refusal
from recorder.live.credentials import credentials_for
from recorder.live.endpoint import FeedError, endpoint
from recorder.live.progress import ProductProgress
from recorder.live.queue import Received, ReceiveQueue
from recorder.settings import SYNTHETIC_SERVER, ConnectionSettings
from recorder.tape.connections import Outage
from recorder.tape.row_batches import Position

log = logging.getLogger(__name__)

NO_CLOSE_FRAME = Ending(1006, "")
STOPPED = Ending(1000, "stopped")
JOIN_S: Final = 10.0
"""Seconds to wait for the end of the socket thread."""

_STABLE_S: Final = 10.0  # a connection with a book that lasted longer resets the backoff
_CHECKS: Final = 20  # how often a connection is checked in the time after which it is stale
_LONGEST_CHECK_S: Final = 1.0
_REFUSALS: Final = 3  # in a row, after which a product is given up that this run has received before


def new_connection_id() -> str:
    """Return a random id."""
    return uuid4().hex


class FeedReader:
    """Receives products of a feed on a thread of its own, from `start` to `stop`.

    Attributes:
        endpoint: address and channel of the feed.
        queue: what was received.
        given_up: by product, why it was given up: the exchange refused it for good.
        problems: by product, what kept it from being received last.
        is_interrupted: whether a signal stopped it.
        is_synthetic: whether a server said that its frames are synthetic.
        failure: why the reader stopped by itself: a `FeedError` if all products were given up; anything else
            is a defect.

    Raises:
        FeedError: if the address or the channel is invalid, or an API key is missing.
    """

    def __init__(self, products: Sequence[str], settings: ConnectionSettings) -> None:
        self.endpoint = endpoint(settings.feed, settings.url, settings.channel)
        self.queue = ReceiveQueue(products, settings.queue_bytes)
        self.failure: BaseException | None = None
        self.is_synthetic = False
        self.is_interrupted = False
        self._settings = settings
        self._credentials = settings.credentials or credentials_for(self.endpoint, os.environ)
        self.given_up: dict[str, str] = {}
        self.problems: dict[str, str] = {}
        self._endings: dict[str, Counter[str]] = {product: Counter() for product in products}
        self._products: dict[str, ProductProgress] = {}
        self._limiter = RateLimiter(settings.spacing)
        self._jitter = random.Random()  # noqa: S311  of its own: whoever seeds Python's keeps its sequence
        self._stopped = threading.Event()
        self._stopped_at = 0.0
        self._thread: threading.Thread | None = None
        self._loop: ReaderLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, positions: Mapping[str, Position]) -> None:
        """Connect all products, continuing at their positions on the tape; a second call does nothing."""
        if self._thread is None:
            self._products = {name: ProductProgress(name, positions[name]) for name in self._endings}
            thread = threading.Thread(target=self._run, name="feed-reader", daemon=True)
            thread.start()
            self._thread = thread  # one that could not be started cannot be joined

    @property
    def is_ending(self) -> bool:
        """Whether it was told to stop, or has stopped by itself."""
        return self._stopped.is_set() or (self._thread is not None and not self._thread.is_alive())

    def interrupt(self) -> None:
        """Stop because of a signal. Returns at once."""
        self.is_interrupted = True
        self.stop()

    def stop(self) -> None:
        """Close all connections, queue their `disconnected` rows and finish the queue. Returns at once."""
        if not self._stopped.is_set():
            self._stopped_at = time.monotonic()
            self._stopped.set()
            self._call(self._cancel)  # once: a second one would interrupt what ends the connections

    def resync(self, product: str, step: Step) -> None:
        """End a connection on which a frame of the book was malformed, for a fresh snapshot. Returns at once.

        If that connection has ended in the meantime, its successor is left alone.
        """
        if step.diverged:
            self._call(self._end_malformed, product, max(step.diverged))

    def join(self, seconds: float = JOIN_S) -> None:
        """Wait for the end of the thread, at most so many seconds."""
        if self._thread is not None:
            self._thread.join(seconds)

    def failures(self, summaries: Mapping[str, int]) -> dict[str, str]:
        """Return the products that were given up or never had a book in this run, with the reason.

        One that a signal stopped before its first snapshot was due has not failed.

        Args:
            summaries: number of summaries by product.
        """
        received = self.queue.received_bytes()
        failures = dict(self.given_up)
        for product in self._endings:
            if product not in failures and not summaries.get(product):
                known = self._products.get(product)
                if (
                    self.is_interrupted
                    and known is not None
                    and product not in self.problems
                    and known.had_no_time(self._stopped_at, self._settings.stale_after)
                ):
                    continue  # a signal came before it could have a book: nothing is wrong with it
                what = "no book was received" if received[product] else "no frame was received"
                failures[product] = f"{what} ({self.problems.get(product) or self.state(product)})"
        return failures

    def state(self, product: str) -> str:
        """Return how far the first connection of a product has come."""
        known = self._products.get(product)
        return known.state if known else "stopped before it began"

    def outages(self, books: Mapping[str, tuple[int, int] | None]) -> dict[str, Outage]:
        """Return the products whose book was lost and had not come back when the reader stopped.

        Args:
            books: time and connection of the last summary by product; None if there is none in this run.
        """
        found = {}
        for product, last in books.items():
            known = self._products.get(product)
            if known is not None and last is not None and last[1] != known.open_at_stop:
                reason = self.given_up.get(product) or self.problems.get(product) or known.state
                found[product] = Outage(last[0], known.last_time, reason)
        return found

    def endings(self, product: str) -> dict[str, int]:
        """Return the number of ended connections of a product by reason."""
        return dict(self._endings[product])

    def oddities(self, product: str) -> dict[str, int]:
        """Return what was odd about the connections of a product and ended none: `ODDITIES` by number."""
        found = self._products.get(product)
        return {} if found is None else dict(found.all_oddities)

    @property
    def reads_trades(self) -> bool:
        """Whether trades were subscribed to."""
        return self._settings.trades

    def trades(self, product: str) -> tuple[int, float | None]:
        """Return the number of trades of a product in this run, and the price of the last one, if any."""
        found = self._products.get(product)
        if found is None or found.past.last_trade is None:
            return 0, None
        return found.past.trades, price_to_float(found.past.last_trade.price)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """Call a function on the reader's thread, if it is still running."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the thread has ended by itself
                self._loop.call_soon_threadsafe(function, *arguments)

    def _end_malformed(self, name: str, connection: int) -> None:
        product = self._products[name]
        if product.connection == connection:
            product.end(Ending(ENDED_BY_US, "malformed"))

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _run(self) -> None:
        try:
            self._loop = loop = ReaderLoop()
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._receive_all())
        except BaseException as error:  # noqa: BLE001  no descriptors for a loop: nobody else would end the run
            self.failure = self.failure or FeedError(explain(error))
        finally:
            for product in self._endings:  # also those that were cancelled before they began
                self.queue.finish(product)

    async def _receive_all(self) -> None:
        products = self._products.values()
        self._tasks = [asyncio.create_task(self._keep_connected(product)) for product in products]
        if self._stopped.is_set():
            self._cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # `failure` holds what they raised

    async def _keep_connected(self, product: ProductProgress) -> None:
        """Connect a product again and again until cancelled."""
        attempt = 0
        try:
            while True:
                began = time.monotonic()
                problem = self.problems[product.name] = printable(await self._connect(product))
                if product.opened == self._settings.connections:
                    return
                if product.name in self.given_up:
                    if len(self.given_up) == len(self._products):
                        self.stop()
                        return
                    await asyncio.Event().wait()  # for the stop, whose time is known then
                if time.monotonic() - began > _STABLE_S and not product.past.without_book:
                    attempt = 0
                wait = self._settings.backoff.wait(attempt, self._jitter.random())
                attempt += 1
                log.warning("%s: %s; connecting again in %.1f s", product.name, problem, wait)
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            self._mark_stop(product)
            log.debug("%s: stopped", product.name)
        except BaseException as error:  # noqa: BLE001  a defect: stop all products rather than record some of them
            self.failure = self.failure or error
            self.stop()
        finally:
            self.queue.finish(product.name)

    def _mark_stop(self, product: ProductProgress) -> None:
        """Put a second `disconnected` row if the recording ends in an outage: how long that was is known."""
        if product.clock is not None and product.open_at_stop is None:
            # A clock that was set meanwhile says nothing about how long that was.
            time = product.clock() + suspended_since(product.ended)
            stopped = Disconnected(STOPPED.code, STOPPED.reason)
            self._put(product, time, "disconnected", encode_mark(stopped))

    async def _connect(self, product: ProductProgress) -> str:
        """Open one connection and receive until it ends; return the reason of its end."""
        settings, feed = self._settings, self.endpoint
        await self._limiter.wait()
        product.began = product.began or time.monotonic()
        product.state = f"still connecting to {feed.url}"
        try:
            socket = await open_socket(feed.url, settings.connect_to)
        except (NoConnectionError, asyncio.CancelledError) as error:
            lookup = self._loop.waits_for() if self._loop else ""
            if isinstance(error, NoConnectionError):
                return "; ".join(filter(None, (str(error), lookup)))
            product.state = lookup or product.state
            raise
        product.state = "stopped before that"
        try:
            return await self._hold(product, socket)
        finally:  # whatever ended it: a loop that ends would leave the socket open
            await close_socket(socket)

    async def _hold(self, product: ProductProgress, socket: ClientConnection) -> str:
        """Receive from a connection until it ends; return the reason of its end."""
        settings, feed = self._settings, self.endpoint
        answer = socket.response
        self.is_synthetic |= answer is not None and answer.headers.get("Server") == SYNTHETIC_SERVER
        make_clock = settings.clock_for or (lambda _product, last: ReceiveClock(last))
        clock = product.clock = make_clock(product.name, product.last_time)
        product.connection += 1
        product.opened += 1
        messages = feed.venue.subscribe(feed.channel, product.name, settings.trades)
        connection_id = (settings.connection_id or new_connection_id)()
        opened = Connected(connection_id, feed.public_url, [product.name], messages)
        self._put(product, clock(), "connected", encode_mark(opened))
        signed, hide = self._sign(messages)
        ending = STOPPED
        try:
            ending = await self._receive(product, socket, signed, hide, clock)
        finally:  # a cancelled task ends its connection too
            odd = product.take_oddities()
            closed = Disconnected(ending.code, hide(ending.reason), oddities=dict(odd) or UNSET)
            self._put(product, clock(), "disconnected", encode_mark(closed))
            reason = ending.reason if ending.code == ENDED_BY_US else f"closed {ending.code}"
            self._endings[product.name][reason] += 1
            product.open_at_stop = product.connection if ending is STOPPED else None
            product.ended = ClockReading.now()
        reason = f" {ending.reason}" if ending.reason else ""
        said = f": {ending.said}" if ending.said else ""
        return hide(f"connection {product.connection} ended ({ending.code}{reason}){said}")

    async def _receive(
        self,
        product: ProductProgress,
        socket: ClientConnection,
        signed: list[str],
        hide: Callable[[str], str],
        clock: Clock,
    ) -> Ending:
        """Send the subscribe messages and queue every frame; return how the connection ended."""
        now, stale_after = asyncio.get_running_loop().time, self._settings.stale_after
        check = ConnectionCheck(
            self.endpoint.venue, product.name, product.past, stale_after, now(), trades=self._settings.trades
        )
        product.oddities = check.oddities
        watch = asyncio.create_task(
            product.end_if_silent(check, min(stale_after / _CHECKS, _LONGEST_CHECK_S))
        )
        product.ending = None
        try:
            # One timeout for the whole connection: one for each frame would cost as much as reading it.
            async with asyncio.timeout(None) as product.limit:
                for message in signed:
                    await socket.send(message)
                while True:
                    received = await socket.recv()
                    if isinstance(received, str):
                        received = hide(received)
                    ending = self._take(product, received, check, now(), clock)
                    if ending is not None:
                        return ending
        except TimeoutError:
            return product.ending or NO_CLOSE_FRAME
        except ConnectionClosed as closed:
            close_frame = closed.rcvd or closed.sent  # ours if the peer was at fault
            return Ending(close_frame.code, close_frame.reason) if close_frame else NO_CLOSE_FRAME
        finally:
            product.limit = None
            watch.cancel()

    def _take(
        self, product: ProductProgress, frame: str | bytes, check: ConnectionCheck, now: float, clock: Clock
    ) -> Ending | None:
        """Queue a frame and check it; return how it ends the connection, if it does."""
        if check.is_stale(now):  # this process stood still: the frames that waited bridge no gap
            return STALE
        if not isinstance(frame, str):
            return Ending(ENDED_BY_US, "binary frame")
        if not self._put(product, clock(), "frame", frame):
            return Ending(ENDED_BY_US, "overflow")
        verdict = check.check(frame, now)
        if isinstance(verdict, Refusal):
            self._refuse(product, verdict)
            return Ending(ENDED_BY_US, "refused", verdict.text)
        return verdict

    def _refuse(self, product: ProductProgress, refusal: Refusal) -> None:
        """Give a product up that is refused for good; end the run if none is left."""
        past, name = product.past, product.name
        past.refusals += 1
        if past.is_served and past.refusals < _REFUSALS:
            return  # it was received before: rather ask again than lose it for a slip of the exchange
        self.given_up[name] = refusal.text
        if len(self.given_up) < len(self._products):
            log.error("%s: given up: %s; the others go on", name, refusal.text)
        else:
            self.failure = FeedError.of(self.given_up)

    def _sign(self, messages: list[str]) -> tuple[list[str], Callable[[str], str]]:
        """Return the messages to send, and what removes their secrets from all that the tape holds."""
        if self._credentials is None:
            return messages, str
        signed = [self._credentials.sign(message, time.time()) for message in messages]
        return signed, self._credentials.redaction(signed)

    def _put(self, product: ProductProgress, recv_time: int, kind: Kind, payload: str) -> bool:
        """Queue a row of the current connection; return False if the queue is full."""
        product.last_time = recv_time
        return self.queue.put(product.name, Received(recv_time, product.connection, kind, payload))
