"""What the WebSocket servers of this package and of `replay.synthetic` share at the transport."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve

from orderbook.errors import explain

CLOSING_S: Final = 0.4
"""How long clients may take over the closing handshake when a server stops."""

_FLUSH_POLL_S: Final = 0.001


async def flush(websocket: ServerConnection) -> None:
    """Wait until the kernel has accepted all that was sent, or the connection is closing."""
    transport = websocket.transport
    # asyncio has no event for an empty write buffer.
    while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_FLUSH_POLL_S)


class _Accepted(ServerConnection):
    """A connection that is in a set from its first byte to its last, also during its opening handshake."""

    def __init__(self, accepted: set["_Accepted"], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._accepted = accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._accepted.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._accepted.discard(self)
        super().connection_lost(exc)


@asynccontextmanager
async def listening(
    handle: Callable[[ServerConnection], Awaitable[None]], host: str, port: int, **options: Any
) -> AsyncIterator[Server]:
    """Serve connections while the block runs; however it ends, no socket stays open.

    At its end every connection is closed with code 1001. Those of clients that do not read, or that never
    finished their opening handshake, are broken after `CLOSING_S`; if the end is cancelled, all are at once.

    Args:
        handle: called with each connection.
        host: address to bind.
        port: port to bind; 0 is any free one.
        options: more of `websockets.asyncio.server.serve`.

    Raises:
        OSError: if the address cannot be bound.
    """
    accepted: set[_Accepted] = set()

    def break_all() -> None:
        for each in tuple(accepted):
            each.transport.abort()

    accept: Any = partial(_Accepted, accepted)  # called like the class that the library's types ask for
    server = await serve(handle, host, port, create_connection=accept, **options)
    try:
        yield server
        server.close()
        breaking = asyncio.get_running_loop().call_later(CLOSING_S, break_all)
        try:
            await server.wait_closed()
        finally:
            breaking.cancel()
    finally:
        server.server.close()  # at once: the task of the library may never run
        break_all()


def quiet_logger(name: str) -> logging.Logger:
    """Return a logger for `websockets` that reports failed handlers in a line, but not every connection."""
    logger = logging.getLogger(f"{name}.websockets")
    logger.setLevel(logging.ERROR)
    logger.filters = [_in_one_line]
    return logger


def _in_one_line(record: logging.LogRecord) -> bool:
    if record.msg == "opening handshake failed":  # who connects and leaves is no event before websockets 17
        return False
    if record.exc_info and (error := record.exc_info[1]) is not None:
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: {explain(error)}", (), None
    return True
