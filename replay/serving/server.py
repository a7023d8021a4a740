"""The WebSocket server of `booktape serve`: replays a tape to every client that subscribes."""

import asyncio
import logging
import os
import resource
from collections.abc import Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from orderbook.errors import explain
from recorder.runtime.local_http import refusal
from recorder.runtime.signals import on_signals
from recorder.settings import SYNTHETIC_SERVER
from replay.serving.client import CLOSE_TIMEOUT_S, ServedClient
from replay.serving.served_tape import ServedTape, ServeError
from replay.serving.sockets import listening, quiet_logger

log = logging.getLogger(__name__)

_OTHER_DESCRIPTORS: Final = 24
_DESCRIPTORS_OF_A_CLIENT: Final = 3

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class TapeServer:
    """Serves a tape until `stop`.

    Memory per client: a batch of rows of each product and the write buffer of its socket, however slowly it
    reads.

    Args:
        tape: the tape to serve.
        host: address to bind.
        port: port to bind; 0 is any free one.
    """

    def __init__(self, tape: ServedTape, host: str = "127.0.0.1", port: int = 8765) -> None:
        self._tape = tape
        self._host = host
        self._port = port
        self._clients: set[ServedClient] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_stopped = False

    def stop(self) -> None:
        """Stop: every client gets close 1001. Call it from any thread or a signal handler."""
        self._is_stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self, on_listening: Callable[[str], None]) -> None:
        """Serve until stopped.

        Args:
            on_listening: called with the address once clients can connect.

        Raises:
            ServeError: if the address cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_report_once())
        if self._is_stopped:
            return
        serving = listening(
            self._handle,
            self._host,
            self._port,
            compression="deflate",  # as the real feeds do
            ping_interval=None,  # a client that reads slowly is slow, not dead
            close_timeout=CLOSE_TIMEOUT_S,
            process_request=self._check,
            server_header=SYNTHETIC_SERVER if self._tape.tape.manifest.synthetic else None,
            logger=quiet_logger(__name__),
        )
        async with AsyncExitStack() as stack:
            try:
                server = await stack.enter_async_context(serving)
            except OSError as error:
                raise ServeError(f"cannot listen on {self._host}:{self._port} ({_reason(error)})") from None
            if not server.sockets:  # asyncio passes over an address for which there is no socket
                raise ServeError(f"cannot listen on {self._host}:{self._port} (no descriptors are left)")
            port = next(iter(server.sockets)).getsockname()[1]
            host = f"[{self._host}]" if ":" in self._host else self._host
            on_listening(f"ws://{host}:{port}")
            await self._stopping.wait()

    def _check(self, websocket: ServerConnection, request: Request) -> Response | None:
        """Refuse what a web page asks for, and clients for whose segments no descriptors would be left."""
        reason = refusal(request.headers.get("Host"), request.headers.get("Origin"), self._host)
        if reason is not None:
            return websocket.respond(HTTPStatus.FORBIDDEN, f"{reason}\n")
        if len(self._clients) >= max_clients():
            return websocket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients\n")
        return None

    async def _handle(self, websocket: ServerConnection) -> None:
        """Serve one connection until it is closed."""
        client = ServedClient(websocket, self._tape)
        self._clients.add(client)
        try:
            await client.run()
        finally:
            self._clients.discard(client)


def serve_tape(tape: ServedTape, host: str, port: int, on_listening: Callable[[str], None]) -> None:
    """Serve a tape until Ctrl-C or SIGTERM.

    Args:
        tape: the tape to serve.
        host: address to bind.
        port: port to bind; 0 is any free one.
        on_listening: called with the address once clients can connect.

    Raises:
        ServeError: if the address cannot be bound.
    """

    def listening(address: str) -> None:
        if host not in LOOPBACK:
            log.warning("the tape is served, unencrypted, to everyone who can reach %s", host)
        on_listening(address)

    server = TapeServer(tape, host, port)
    with on_signals(server.stop):
        asyncio.run(server.run(listening))


def max_clients() -> int:
    """Return how many clients are served at once: each needs a socket and, at most, two open files."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (allowed - _OTHER_DESCRIPTORS) // _DESCRIPTORS_OF_A_CLIENT)


def _report_once() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return a handler that logs each kind of failure of the event loop once, in one line.

    Without descriptors asyncio would log a traceback for each connection that waits, again and again.
    """
    reported: set[str] = set()

    def report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        line = explain(error) if isinstance(error, BaseException) else str(context.get("message"))
        if line not in reported:
            reported.add(line)
            log.warning("%s; the clients that are served go on", line)

    return report


def _reason(error: OSError) -> str:
    """Return why an address cannot be bound; asyncio's own message would repeat the address."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
