"""A small exchange on loopback that serves synthetic markets over WebSocket. Its market data is made up.

It runs on a thread and an event loop of its own, so that the client under test, or the recorder of the
demo, is met over a real socket. Everything that can be decided without a socket is in `conversation`.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from replay.synthetic.connection import Connection, ExchangeSettings, Link
from replay.synthetic.conversation import Conversation, Listing
from replay.synthetic.market import MarketSettings

__all__ = ["Connection", "ExchangeSettings", "SyntheticExchange"]

HOST = "127.0.0.1"

_CLOSING_S = 0.4
"""How long a client may take over the closing handshake before its connection is broken."""

_CONTROL_TIMEOUT_S = 10.0


class SyntheticExchange:
    """A synthetic exchange, open inside a `with` block.

    Every connection has markets of its own, so its frames follow from seed and settings alone. A
    connection that opens after others ended goes on where the farthest of them stood.

    Args:
        markets: one per product.
        settings: feed, pace, script; the default is the Exchange feed as fast as the client takes it.

    Raises:
        OSError: on entering, where the port cannot be had.
    """

    def __init__(self, markets: Sequence[MarketSettings], settings: ExchangeSettings | None = None) -> None:
        self.settings = settings or ExchangeSettings()
        self.connections: list[Connection] = []
        self.port = 0
        self._listing = Listing(markets)
        self._links: dict[int, Link] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    @property
    def url(self) -> str:
        """The address that a client connects to."""
        return f"ws://{HOST}:{self.port}"

    @property
    def sent(self) -> list[list[str]]:
        """The text of all frames sent, by connection in order of acceptance."""
        return [list(connection.sent) for connection in list(self.connections)]

    def __enter__(self) -> Self:
        listening: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="synthetic-exchange", daemon=True
        )
        self._thread.start()
        self.port = listening.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()

    def drop(self) -> int:
        """Break all open connections without a closing handshake and return how many there were."""

        async def drop() -> int:
            links = list(self._links.values())
            for link in links:
                link.drop()
            return len(links)

        return self._control(drop())

    def close_all(self, code: int = 1012, reason: str = "service restart") -> int:
        """Close all open connections with a handshake and return how many there were."""

        async def close() -> int:
            links = list(self._links.values())
            for link in links:
                link.hush()
            await asyncio.gather(*(link.websocket.close(code, reason) for link in links))
            return len(links)

        return self._control(close())

    def wait_until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until a condition on `connections` holds; it is looked at after every round and change.

        Args:
            condition: what must hold.
            timeout: in seconds.

        Raises:
            TimeoutError: where it does not hold in time.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"the synthetic exchange did not get there within {timeout} s")

    def wait_for_connections(self, number: int, timeout: float = 10.0) -> None:
        """Wait until so many connections were accepted, closed ones included; see `wait_until`."""
        self.wait_until(lambda: len(self.connections) >= number, timeout)

    def wait_for_done(self, number: int = 1, timeout: float = 10.0) -> None:
        """Wait until so many connections were sent all their updates; see `wait_until`."""
        self.wait_until(lambda: sum(c.done for c in self.connections) >= number, timeout)

    def _control(self, coroutine: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CONTROL_TIMEOUT_S)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    async def _serve(self, listening: Future[int]) -> None:
        """Listen, say where, and serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            server = await serve(
                self._handle,
                HOST,
                self.settings.port,
                compression="deflate" if self.settings.compression else None,
                max_size=None,
                ping_interval=None,
                close_timeout=_CLOSING_S,
                logger=_quiet_logger(),
            )
        except OSError as error:
            listening.set_exception(error)
            return
        listening.set_result(next(iter(server.sockets)).getsockname()[1])
        await self._stop.wait()
        await self._shut(server)

    async def _shut(self, server: Server) -> None:
        """Close every connection, those of clients that do not read too."""
        for link in self._links.values():
            link.hush()
        server.close()
        # A client that stopped reading blocks the closing handshake: its connection is broken instead.
        breaking = self._loop.call_later(_CLOSING_S, self._break_all)
        await server.wait_closed()
        breaking.cancel()

    def _break_all(self) -> None:
        for link in self._links.values():
            link.drop()

    async def _handle(self, websocket: ServerConnection) -> None:
        """Serve one connection until it is gone."""
        settings = self.settings
        index = len(self.connections)
        prepared = partial(settings.frames_of, index) if settings.frames_of else None
        conversation = Conversation(settings.feed, self._listing, settings.now_ns, prepared)
        link = Link(websocket, conversation, settings, Connection(index), self._notify)
        self.connections.append(link.record)
        self._links[index] = link
        self._notify()
        try:
            await link.run()
        except* ConnectionClosed:
            pass
        finally:
            del self._links[index]


def _quiet_logger() -> logging.Logger:
    """Return a logger that reports a failed handler but not each connection's coming and going."""
    logger = logging.getLogger("booktape.synthetic")
    logger.setLevel(logging.ERROR)
    return logger
