"""The numbers of the messages on a socket: a real connection counts them one by one. Pure.

A frame keeps its number where a socket gets all frames of a recorded connection. If it gets some of them
(other products or the trades are left out, or several connections are merged), a number that would look like
a gap is replaced; a gap that was recorded stays one.
"""

from collections.abc import Mapping

from orderbook.venues.base import Venue
from replay.serving.merging import ServedFrame
from replay.serving.playlist import ConnectionReplay


class SocketNumbers:
    """The numbers of one socket.

    Args:
        venue: the venue of the frames; without numbers nothing is changed.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._last: int | None = None

    def stream(self, replay: ConnectionReplay, *, is_whole: bool) -> "StreamNumbers":
        """Return the numbers of frames that begin now.

        Args:
            replay: where the frames come from.
            is_whole: whether the socket gets all frames of its connections, as far as it has their products.
        """
        served = {each.product for each in replay.connections}
        whole = {
            each.product: (
                each.id or each.product,
                is_whole and not each.is_joined and served.issuperset(each.products),
            )
            for each in replay.connections
        }
        return StreamNumbers(self, whole)

    def acknowledgement(self, first: str | None) -> int | None:
        """Return the number of a generated frame; None if it gets none.

        Args:
            first: the frame that will be sent next.
        """
        if self._last is not None:
            return self.next(1, 0)
        number = None if first is None else self._venue.sequence_num(first)
        return number - 1 if number is not None and number > 0 else None

    def next(self, step: int, first: int) -> int:
        """Return the number of the next message, so many after the last one, or the first."""
        self._last = first if self._last is None else self._last + step
        return self._last

    def number_of(self, text: str) -> int | None:
        """Return the number of a recorded frame."""
        return self._venue.sequence_num(text) if self._venue.is_numbered else None

    def renumbered(self, text: str, number: int) -> str:
        """Return a frame with another number."""
        return self._venue.renumbered(text, number)


class StreamNumbers:
    """The numbers of the frames of one connection replay on a socket.

    Args:
        socket: the numbers of all messages of the socket.
        connections: by product, the name of its connection, and whether the socket gets all of its frames.
    """

    def __init__(self, socket: SocketNumbers, connections: Mapping[str, tuple[str, bool]]) -> None:
        self._socket = socket
        self._connections = connections
        self._recorded: dict[str, int] = {}
        self._first: dict[str, int] = {}  # numbers with which connections began, if those were left out

    def leave_out(self, frame: ServedFrame) -> None:
        """Take note of a frame that the socket does not get: the numbers after it close up. O(length)."""
        number = self._socket.number_of(frame.text)
        if number is not None:
            name, is_whole = self._connections[frame.products[0]]
            self._recorded[name] = self._recorded.get(name, number - 1) + 1
            if is_whole:
                self._first.setdefault(name, number)

    def text(self, frame: ServedFrame) -> str:
        """Return what to send for the next frame. O(length) if the venue has numbers."""
        number = self._socket.number_of(frame.text)
        if number is None:
            return frame.text
        name, is_whole = self._connections[frame.products[0]]
        before = self._recorded.get(name, number - 1)
        self._recorded[name] = number
        sent = self._socket.next(number - before if is_whole else 1, self._first.get(name, number))
        return frame.text if sent == number else self._socket.renumbered(frame.text, sent)
