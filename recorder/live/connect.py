"""Opening a socket to a feed: how often, with which limits, no redirect, no payload in a log."""

import asyncio
import logging
import socket
import threading
from asyncio import BaseTransport
from contextlib import suppress
from functools import partial
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidProxy
from websockets.frames import Frame

from orderbook.display import printable
from recorder.live.endpoint import FeedError
from recorder.live.redaction import without_secrets

log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 64 * 2**20
"""Snapshots of deep books exceed 5 MB; the library's default of 1 MiB would end the connection."""

_LARGE_BYTES: Final = 2**20
_PIECE_BYTES: Final = 16 * 2**10
"""Bytes that are parsed at once: deflate makes at most 16 MiB of them."""

_CLOSING_S: Final = 1.0
_NEXT_ADDRESS_S: Final = 0.25
"""Seconds after which the next address of a host is tried beside the one before: IPv6 may be broken."""


class NoConnectionError(Exception):
    """A connection could not be opened; another attempt may succeed."""


_Addresses = list[Any]


class ReaderLoop(asyncio.SelectorEventLoop):
    """An event loop that looks up names on threads that nobody waits for, and ends without an open socket.

    A lookup can hang for minutes and cannot be cancelled. asyncio joins its own threads when the loop is
    closed, and again when the process exits. It loses a socket if the race between the addresses of a host
    is cancelled at the moment it is won.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sockets: set[socket.socket] = set()
        self._lookups: dict[tuple[object, ...], asyncio.Future[_Addresses]] = {}

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect a socket, which is closed with the loop if it is not before."""
        self._sockets = {sock, *(each for each in self._sockets if each.fileno() >= 0)}
        await super().sock_connect(sock, address)

    def close(self) -> None:
        """Close the loop and its sockets."""
        super().close()
        for each in self._sockets:
            each.close()

    def waits_for(self) -> str:
        """Return which names are being looked up; an empty text if none is."""
        names = ", ".join(str(question[0]) for question in self._lookups)
        return f"still looking up {names}" if names else ""

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002  the interface
        proto: int = 0,
        flags: int = 0,
    ) -> _Addresses:
        """Return the addresses of a host; everyone who asks for the same waits for one lookup."""
        question = (host, port, family, type, proto, flags)
        lookup = self._lookups.get(question)
        if lookup is None:
            lookup = self.create_future()
            lookup.add_done_callback(lambda done: self._forget(question, done))
            try:
                threading.Thread(target=self._look_up, args=(question, lookup), daemon=True).start()
            except RuntimeError as error:  # too many threads or too little memory: it may pass
                raise OSError(str(error)) from None
            self._lookups[question] = lookup
        return await asyncio.shield(lookup)

    def _forget(self, question: tuple[object, ...], done: asyncio.Future[_Addresses]) -> None:
        del self._lookups[question]
        done.exception()  # those who asked may be gone

    def _look_up(self, question: tuple[Any, ...], lookup: asyncio.Future[_Addresses]) -> None:
        try:
            found: _Addresses = socket.getaddrinfo(*question)
            answer = partial(lookup.set_result, found)
        except Exception as error:  # noqa: BLE001  UnicodeError of an odd name too: it is raised where it was asked
            answer = partial(lookup.set_exception, error)
        with suppress(RuntimeError):  # the loop was closed in the meantime
            self.call_soon_threadsafe(answer)


class RateLimiter:
    """Spaces connection attempts, which exchanges limit per address; `seconds` is the least distance."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def wait(self) -> None:
        """Wait until the next attempt is allowed."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._seconds
        await asyncio.sleep(turn - now)


class _Connect(connect):
    """The library's connect without redirects: an API key is sent only to the address that the user chose."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the redirect as an error."""
        return exc


def _quiet_logger() -> logging.Logger:
    """Return a logger for the library that no configuration can set to DEBUG, at which it logs payloads."""
    logger = logging.Logger("websockets", logging.WARNING)  # noqa: LOG001  unknown to logging.config on purpose
    logger.parent = log
    return logger


async def open_socket(url: str, connect_to: tuple[str, int] | None) -> ClientConnection:
    """Open a connection.

    Args:
        url: address of the feed.
        connect_to: host and port to connect to in place of the url's.

    Raises:
        NoConnectionError: if another attempt may succeed; the text says what failed.
        FeedError: if no attempt can succeed.
    """
    address: dict[str, Any] = {}
    if connect_to is not None:
        address = dict(zip(("host", "port"), connect_to, strict=True))
    try:
        return await _Connect(
            url,
            proxy=True if url.lower().startswith("wss:") else None,
            max_size=MAX_FRAME_BYTES,
            create_connection=BoundedConnection,
            close_timeout=1,
            open_timeout=10,
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
            logger=_quiet_logger(),
            **address,
        )
    except UnicodeError:
        raise FeedError(f"{without_secrets(url)}: no host can have this name") from None
    except (ImportError, InvalidProxy) as error:
        raise FeedError(
            f"the proxy of the environment cannot be used ({printable(without_secrets(str(error)))})"
        ) from None
    except (OSError, TimeoutError, InvalidHandshake) as error:
        reason = str(error) or type(error).__name__
        raise NoConnectionError(without_secrets(f"no connection to {url} ({reason})")) from None


async def close_socket(socket: ClientConnection) -> None:
    """Close a connection; break it if the peer does not take part within a second."""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await socket.close()
    finally:  # also if it is cancelled: a loop that ends would leave the socket open
        socket.transport.abort()


class BoundedConnection(ClientConnection):
    """A client connection whose received messages are bounded in bytes.

    It holds one large message, what one piece inflates to, and 16 small messages beside it. The library stops
    reading after so many messages, of whatever size, and parses all that it has read at once: compressed
    frames of 64 KiB that inflate to 64 MiB each took gigabytes. Here what was read is parsed piece by piece,
    and no piece after a large message until that has been taken.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over from the library when reading goes on."""
        super().connection_made(transport)
        self._unparsed = b""
        self.recv_messages.low = 0  # so that a large message has been taken
        self.recv_messages.resume = self._resume

    def data_received(self, data: bytes) -> None:
        """Parse what was read, as far as it may be held."""
        if len(data) <= _PIECE_BYTES and not self._unparsed:
            super().data_received(data)
        else:
            self._unparsed += data
            self._parse()

    def process_event(self, event: Any) -> None:
        """Pass a frame on; stop behind a large one."""
        super().process_event(event)
        if isinstance(event, Frame) and len(event.data) > _LARGE_BYTES:
            messages = self.recv_messages
            if not messages.paused:
                messages.paused = True
                messages.pause()

    def _parse(self) -> None:
        while self._unparsed and not self.recv_messages.paused:
            piece, self._unparsed = self._unparsed[:_PIECE_BYTES], self._unparsed[_PIECE_BYTES:]
            super().data_received(piece)

    def _resume(self) -> None:
        self._parse()
        if not self.recv_messages.paused:
            self.transport.resume_reading()
