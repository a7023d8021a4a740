"""What the WebSocket servers of this package and of `replay.synthetic` share at the transport."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import Server, ServerConnection

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


async def shut_down(server: Server, break_all: Callable[[], None]) -> None:
    """Close every connection with code 1001, also those of clients that do not read.

    Args:
        server: to be closed.
        break_all: aborts all connections; called if the closing handshakes take longer than `CLOSING_S`,
            because a client that stopped reading blocks its own.
    """
    server.close()
    breaking = asyncio.get_running_loop().call_later(CLOSING_S, break_all)
    await server.wait_closed()
    breaking.cancel()


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
