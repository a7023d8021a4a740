"""The socket thread: one asyncio loop that owns every connection of the process.

Each product has a connection of its own, one after another (`receiving`). Frames are stamped the moment they
are read, and queued; nothing downstream can delay a read, a ping or a reconnect.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from orderbook.decimals import price_to_float
from orderbook.display import printable
from orderbook.engine import Step
from orderbook.errors import explain
from recorder.live.connect import ReaderLoop
from recorder.live.connection_check import ENDED_BY_US, Ending
from recorder.live.endpoint import FeedError
from recorder.live.progress import ProductProgress
from recorder.live.receiving import Receiver
from recorder.settings import ConnectionSettings
from recorder.tape.connections import Outage
from recorder.tape.row_batches import Position

log = logging.getLogger(__name__)

JOIN_S: Final = 10.0
"""Seconds to wait for the end of the socket thread."""

_STABLE_S: Final = 10.0  # a connection with a book that lasted longer resets the backoff


class FeedReader:
    """Receives products of a feed on a thread of its own, from `start` to `stop`.

    Attributes:
        endpoint: address and channel of the feed.
        queue: what was received.
        given_up: by product, why it was given up: the exchange refused it for good.
        problems: by product, what kept it from being received last.
        is_interrupted: whether a signal stopped it.

    Raises:
        FeedError: if the address or the channel is invalid, or an API key is missing.
    """

    def __init__(self, products: Sequence[str], settings: ConnectionSettings) -> None:
        self._receiver = Receiver(products, settings)
        self.endpoint = self._receiver.endpoint
        self.queue = self._receiver.queue
        self.given_up = self._receiver.given_up
        self.problems: dict[str, str] = {}
        self.is_interrupted = False
        self._failure: BaseException | None = None
        self._settings = settings
        self._names = tuple(self._receiver.endings)
        self._products: dict[str, ProductProgress] = {}
        self._jitter = random.Random()  # noqa: S311  of its own: whoever seeds Python's keeps its sequence
        self._stopped = threading.Event()
        self._stopped_at = 0.0
        self._thread: threading.Thread | None = None
        self._loop: ReaderLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, positions: Mapping[str, Position]) -> None:
        """Connect all products, continuing at their positions on the tape; a second call does nothing."""
        if self._thread is None:
            self._products = {name: ProductProgress(name, positions[name]) for name in self._names}
            thread = threading.Thread(target=self._run, name="feed-reader", daemon=True)
            thread.start()
            self._thread = thread  # one that could not be started cannot be joined

    @property
    def failure(self) -> BaseException | None:
        """Why the reader stopped by itself: a `FeedError` if no product is left, else a defect."""
        return FeedError.of(self.given_up) if self._receiver.has_given_up_all else self._failure

    @property
    def is_synthetic(self) -> bool:
        """Whether a server said that its frames are synthetic."""
        return self._receiver.is_synthetic

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
        for product in self._names:
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

    @property
    def has_begun(self) -> bool:
        """Whether it was started."""
        return self._thread is not None

    def is_connected(self, product: str) -> bool:
        """Return whether a product has a connection that is open."""
        known = self._products.get(product)
        return known is not None and known.limit is not None

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
        return dict(self._receiver.endings[product])

    def oddities(self, product: str) -> dict[str, int]:
        """Return what was odd about the connections of a product and ended none: `ODDITIES` by number."""
        found = self._products.get(product)
        return {} if found is None else dict(found.all_oddities)

    @property
    def stale_after(self) -> float:
        """Seconds without a frame after which a connection is replaced."""
        return self._settings.stale_after

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
            self._failure = self._failure or FeedError(explain(error))
        finally:
            for product in self._names:  # also those that were cancelled before they began
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
                problem = self.problems[product.name] = printable(await self._receiver.connect(product))
                if product.opened == self._settings.connections:
                    return
                if product.name in self.given_up:
                    if self._receiver.has_given_up_all:
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
            self._receiver.mark_stop(product)
            log.debug("%s: stopped", product.name)
        except BaseException as error:  # noqa: BLE001  a defect: stop all products rather than record some of them
            self._failure = self._failure or error
            self.stop()
        finally:
            self.queue.finish(product.name)
