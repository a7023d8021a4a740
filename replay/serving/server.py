"""`serve`: the WebSocket server that plays a tape to whoever subscribes."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve

from recorder.lifetime import on_signals
from replay.serving.link import PATIENCE_S, Link
from replay.serving.stage import ServeError, Stage

log = logging.getLogger(__name__)

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

_CLOSING_S: Final = 0.4
"""How long clients may take over the closing handshake when the server stops."""


class TapeServer:
    """Serves a tape until `stop`.

    Memory: for each client a batch of rows a product and the write buffer of its socket, whatever it reads.

    Args:
        stage: what is served.
        host: where to listen.
        port: 0 is any free one.
    """

    def __init__(self, stage: Stage, host: str = "127.0.0.1", port: int = 8765) -> None:
        self._stage = stage
        self._host = host
        self._port = port
        self._links: set[Link] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_stopped = False

    def stop(self) -> None:
        """End: every client is told so by close 1001. From any thread, and from a signal handler."""
        self._is_stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self, listening: Callable[[str], None]) -> None:
        """Serve until stopped.

        Args:
            listening: is told the address once clients can connect.

        Raises:
            ServeError: where the address cannot be had.
        """
        self._loop = asyncio.get_running_loop()
        if self._is_stopped:
            return
        try:
            server = await serve(
                self._handle,
                self._host,
                self._port,
                compression="deflate",  # as the real feeds do
                ping_interval=None,  # a client that reads slowly is slow, not dead
                close_timeout=PATIENCE_S,
                logger=_quiet_logger(),
            )
        except OSError as error:
            raise ServeError(f"cannot listen on {self._host}:{self._port} ({_reason(error)})") from None
        port = next(iter(server.sockets)).getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        listening(f"ws://{host}:{port}")
        await self._stopping.wait()
        await self._shut(server)

    async def _shut(self, server: Server) -> None:
        """Close every connection, those of clients that do not read too."""
        server.close()  # with 1001, going away
        # A client that stopped reading blocks the closing handshake: its connection is broken instead.
        breaking = asyncio.get_running_loop().call_later(_CLOSING_S, self._break_all)
        await server.wait_closed()
        breaking.cancel()

    def _break_all(self) -> None:
        for link in self._links:
            link.abort()

    async def _handle(self, websocket: ServerConnection) -> None:
        """Serve one connection until it is gone."""
        link = Link(websocket, self._stage)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


def serve_tape(stage: Stage, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve a tape until Ctrl-C or SIGTERM.

    Args:
        stage: what is served.
        host: where to listen.
        port: 0 is any free one.
        listening: is told the address once clients can connect.

    Raises:
        ServeError: where the address cannot be had.
    """
    if host not in LOOPBACK:
        log.warning("the tape is served, unencrypted, to whoever reaches %s", host)
    server = TapeServer(stage, host, port)
    with on_signals(server.stop):
        asyncio.run(server.run(listening))


def _reason(error: OSError) -> str:
    """Return why an address cannot be had; asyncio's own words for it say the address once more."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def _quiet_logger() -> logging.Logger:
    """Return a logger that reports a failed handler but not each connection's coming and going."""
    logger = logging.getLogger(f"{__name__}.websockets")
    logger.setLevel(logging.ERROR)
    return logger
