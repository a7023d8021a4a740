"""The connections of a product: opened, subscribed on, read and closed; every frame is stamped and queued."""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from orderbook.connection_marks import Connected, Disconnected, encode_mark
from orderbook.schema import Kind
from recorder.live.clock import Clock, ClockReading, ReceiveClock, suspended_since
from recorder.live.connect import NoConnectionError, RateLimiter, ReaderLoop, close_socket, open_socket
from recorder.live.connection_check import ENDED_BY_US, STALE, ConnectionCheck, Ending, Refusal
from recorder.live.credentials import credentials_for
from recorder.live.endpoint import endpoint
from recorder.live.progress import ProductProgress
from recorder.live.queue import Received, ReceiveQueue
from recorder.settings import SYNTHETIC_SERVER, ConnectionSettings

log = logging.getLogger(__name__)

NO_CLOSE_FRAME = Ending(1006, "")
STOPPED = Ending(1000, "stopped")

_CHECKS: Final = 20  # how often a connection is checked in the time after which it is stale
_LONGEST_CHECK_S: Final = 1.0
_REFUSALS: Final = 3  # in a row, after which a product is given up that this run has received before


def new_connection_id() -> str:
    """Return a random id."""
    return uuid4().hex


class Receiver:
    """Receives the products of a feed, each on a connection of its own, on one asyncio loop.

    Attributes:
        endpoint: address and channel of the feed.
        queue: what was received.
        given_up: by product, why it was given up: the exchange refused it for good.
        endings: by product, the number of ended connections by reason.
        is_synthetic: whether a server said that its frames are synthetic.

    Raises:
        FeedError: if the address or the channel is invalid, or an API key is missing.
    """

    def __init__(self, products: Sequence[str], settings: ConnectionSettings) -> None:
        self.endpoint = endpoint(settings.feed, settings.url, settings.channel)
        self.queue = ReceiveQueue(products, settings.queue_bytes)
        self.given_up: dict[str, str] = {}
        self.endings: dict[str, Counter[str]] = {product: Counter() for product in products}
        self.is_synthetic = False
        self._settings = settings
        self._credentials = settings.credentials or credentials_for(self.endpoint, os.environ)
        self._limiter = RateLimiter(settings.spacing)

    @property
    def has_given_up_all(self) -> bool:
        """Whether no product is left."""
        return 0 < len(self.given_up) == len(self.endings)

    async def connect(self, product: ProductProgress) -> str:
        """Open one connection and receive until it ends; return the reason of its end."""
        settings, feed = self._settings, self.endpoint
        await self._limiter.wait()
        product.began = product.began or time.monotonic()
        product.state = f"still connecting to {feed.url}"
        try:
            socket = await open_socket(feed.url, settings.connect_to)
        except (NoConnectionError, asyncio.CancelledError) as error:
            loop = asyncio.get_running_loop()
            lookup = loop.waits_for() if isinstance(loop, ReaderLoop) else ""
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
            self.endings[product.name][reason] += 1
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
        """Give a product up that is refused for good."""
        past, name = product.past, product.name
        past.refusals += 1
        if past.is_served and past.refusals < _REFUSALS:
            return  # it was received before: rather ask again than lose it for a slip of the exchange
        self.given_up[name] = refusal.text
        if not self.has_given_up_all:
            log.error("%s: given up: %s; the others go on", name, refusal.text)

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

    def mark_stop(self, product: ProductProgress) -> None:
        """Put a second `disconnected` row if the recording ends in an outage: how long that was is known."""
        if product.clock is not None and product.open_at_stop is None:
            # A clock that was set meanwhile says nothing about how long that was.
            time = product.clock() + suspended_since(product.ended)
            stopped = Disconnected(STOPPED.code, STOPPED.reason)
            self._put(product, time, "disconnected", encode_mark(stopped))
