"""A small exchange on loopback that serves synthetic markets over WebSocket. Its market data is not real.

It runs on its own thread and event loop, so that a client under test, or the recorder of the demo, connects
over a real socket. Everything that can be decided without a socket is in `conversation`.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from recorder.settings import SYNTHETIC_SERVER
from replay.serving.sockets import CLOSING_S, listening, quiet_logger
from replay.synthetic.connection import ConnectionRecord, ConnectionServer
from replay.synthetic.conversation import Conversation, Markets
from replay.synthetic.settings import ExchangeSettings, MarketSettings

HOST = "127.0.0.1"

_CONTROL_TIMEOUT_S = 10.0


class SyntheticExchange:
    """A synthetic exchange, open inside a `with` block.

    Every connection has its own markets, so its frames follow from seed and settings alone. A connection
    that opens after others ended continues the one that got farthest.

    Args:
        markets: one per product.
        settings: the default is the Exchange feed, as fast as the client reads.

    Raises:
        OSError: on entering the block, if the port cannot be bound.
    """

    def __init__(self, markets: Sequence[MarketSettings], settings: ExchangeSettings | None = None) -> None:
        self.settings = settings or ExchangeSettings()
        self.connections: list[ConnectionRecord] = []
        self.port = 0
        self._markets = Markets(markets)
        self._servers: dict[int, ConnectionServer] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    @property
    def url(self) -> str:
        """Address to connect to."""
        return f"ws://{HOST}:{self.port}"

    @property
    def sent(self) -> list[list[str]]:
        """Text of all frames sent, by connection in order of acceptance."""
        return [list(connection.sent) for connection in list(self.connections)]

    def __enter__(self) -> Self:
        port: Future[int] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(port,), name="synthetic-exchange", daemon=True
        )
        self._thread.start()
        self.port = port.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RuntimeError):  # the loop is closed: the thread has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()

    def drop(self) -> int:
        """Break all open connections without a closing handshake; return their number."""

        async def drop() -> int:
            servers = list(self._servers.values())
            for server in servers:
                server.drop()
            return len(servers)

        return self._control(drop())

    def close_all(self, code: int = 1012, reason: str = "service restart") -> int:
        """Close all open connections with a closing handshake; return their number."""

        async def close() -> int:
            servers = list(self._servers.values())
            for server in servers:
                server.stop()
            await asyncio.gather(*(server.websocket.close(code, reason) for server in servers))
            return len(servers)

        return self._control(close())

    def wait_until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until a condition on `connections` holds; it is checked after every round and change.

        Args:
            condition: the condition.
            timeout: in seconds.

        Raises:
            TimeoutError: if it does not hold in time.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"the condition did not hold within {timeout} s")

    def wait_for_connections(self, number: int, timeout: float = 10.0) -> None:
        """Wait until `number` connections were accepted, including closed ones; see `wait_until`."""
        self.wait_until(lambda: len(self.connections) >= number, timeout)

    def wait_for_done(self, number: int = 1, timeout: float = 10.0) -> None:
        """Wait until `number` connections were sent all their updates; see `wait_until`."""
        self.wait_until(lambda: sum(c.done for c in self.connections) >= number, timeout)

    def _control(self, coroutine: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CONTROL_TIMEOUT_S)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self, port: Future[int]) -> None:
        """Serve until stopped; whatever keeps it from listening is raised where the port is waited for."""
        try:
            asyncio.run(self._serve(port))
        except BaseException as error:
            if port.done():
                raise
            port.set_exception(error)

    async def _serve(self, port: Future[int]) -> None:
        """Listen, report the port, and serve until stopped."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with listening(
            self._handle,
            HOST,
            self.settings.port,
            compression="deflate" if self.settings.compression else None,
            max_size=None,
            ping_interval=None,
            close_timeout=CLOSING_S,
            server_header=SYNTHETIC_SERVER,
            logger=quiet_logger(__name__),
        ) as server:
            port.set_result(next(iter(server.sockets)).getsockname()[1])
            await self._stop.wait()
            for each in self._servers.values():
                each.stop()

    async def _handle(self, websocket: ServerConnection) -> None:
        """Serve one connection until it is closed."""
        settings = self.settings
        index = len(self.connections)
        prepared = partial(settings.frames_of, index) if settings.frames_of else None
        conversation = Conversation(settings.feed, self._markets, settings.now_ns, prepared)
        record = ConnectionRecord(index)
        server = ConnectionServer(websocket, conversation, settings, record, self._notify)
        self.connections.append(record)
        self._servers[index] = server
        self._notify()
        try:
            await server.run()
        except* ConnectionClosed:
            pass
        finally:
            del self._servers[index]
