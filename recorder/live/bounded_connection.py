"""A client connection of the library whose received messages are bounded in bytes.

The library stops reading after so many messages, of whatever size, and parses all that it has read at once:
compressed frames of 64 KiB that inflate to 64 MiB each took gigabytes. Here what was read is parsed piece by
piece, and no piece after a large message until that has been taken.
"""

from asyncio import BaseTransport
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame

_LARGE_BYTES: Final = 2**20
_PIECE_BYTES: Final = 16 * 2**10
"""Bytes that are parsed at once: deflate makes at most 16 MiB of them."""


class BoundedConnection(ClientConnection):
    """Holds one large message, what one piece inflates to, and 16 small messages beside it."""

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
