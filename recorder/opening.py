"""Opening a socket to a feed: sizes, time limits, no redirect, no payload in a log."""

import logging
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidProxy

from recorder.feeds import FeedError
from recorder.printable import printable

log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 64 * 2**20
"""Snapshots of deep books pass 5 MB; the library's default of 1 MiB ends the connection."""


class NoConnectionError(Exception):
    """No connection now; another attempt may have more luck."""


class _Connect(connect):
    """The library's connect, but a redirect is a refusal: the address was chosen, and a key may go there."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return what went wrong in place of another address."""
        return exc


def _quiet_logger() -> logging.Logger:
    """Return a logger for the library that no configuration can set to DEBUG: there it logs payloads."""
    logger = logging.Logger("websockets", logging.WARNING)  # noqa: LOG001  unknown to logging.config on purpose
    logger.parent = log
    return logger


async def open_socket(url: str, connect_to: tuple[str, int] | None) -> ClientConnection:
    """Open a connection.

    Args:
        url: of the feed.
        connect_to: host and port to reach in place of the url's.

    Raises:
        NoConnectionError: where there is none; the text says why.
        FeedError: where no attempt can help.
    """
    address: dict[str, Any] = {}
    if connect_to is not None:
        address = dict(zip(("host", "port"), connect_to, strict=True))
    try:
        return await _Connect(
            url,
            proxy=True if url.lower().startswith("wss:") else None,
            max_size=MAX_FRAME_BYTES,
            close_timeout=1,
            open_timeout=10,
            logger=_quiet_logger(),
            **address,
        )
    except (ImportError, InvalidProxy) as error:
        raise FeedError(f"the proxy of the environment cannot be used ({printable(str(error))})") from None
    except (OSError, TimeoutError, InvalidHandshake) as error:
        reason = str(error) or type(error).__name__
        raise NoConnectionError(f"no connection to {url} ({reason})") from None
