"""The server's side of a client's conversation, without I/O: subscriptions, refusals, close frames."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from orderbook.connection_marks import Disconnected
from orderbook.display import printable
from orderbook.venues.base import RefusedError, Venue
from recorder.live.connection_check import ENDED_BY_US
from replay.serving.merging import ServedFrame

END_OF_TAPE: Final = Disconnected(1000, "the end of the tape")
ALREADY_SERVED: Final = Disconnected(1000, "the tape was served to its end; --loop begins again")
NOTHING_TO_SERVE: Final = Disconnected(1000, "the tape has nothing here")
DAMAGED_TAPE: Final = Disconnected(1011, "the tape cannot be read")

_NO_TIME: Final = 0
"""Time of an acknowledgement on a connection without numbers, where it has none."""

_SENDABLE: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)} - {ENDED_BY_US})
"""Codes that a close frame may hold, except our own code for a connection that ended without one."""

_REASON_BYTES: Final = 123  # what RFC 6455 leaves of a control frame


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a client's message.

    Attributes:
        replies: frames to send now.
        products: products whose books begin now; the recorded acknowledgement comes with them.
        heartbeats: products whose heartbeats begin if no book is subscribed to; if heartbeats
            belong to the connection, those of any of these products.
        trades: products whose trades begin if no book is subscribed to.
    """

    replies: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    heartbeats: tuple[str, ...] = ()
    trades: tuple[str, ...] = ()


class ClientSubscriptions:
    """One client's subscriptions.

    Args:
        venue: the venue of the tape.
        products: product ids of the tape.
    """

    def __init__(self, venue: Venue, products: Collection[str]) -> None:
        self._venue = venue
        self._server = venue.server(None)
        self._products = products
        self._channels: dict[str, list[str]] = {}
        self._books: set[str] = set()

    def asks_for_trades(self, text: str) -> bool:
        """Tell whether a message may subscribe to trades, of a client without a book."""
        return self._venue.trade_channel in text and not self._books

    def has_trades(self, products: Collection[str]) -> bool:
        """Tell whether it subscribed to the trades of some product."""
        return any(product in self._channels.get(self._venue.trade_channel, ()) for product in products)

    def receive(self, text: str, *, has_trades: bool = True) -> Answer:
        """Process a message of the client and return the answer to it.

        Args:
            text: the message.
            has_trades: whether the tape has any; asked only for what `asks_for_trades`.
        """
        books = self._venue.book_channels  # a tape also serves those that need a key at the venue
        trades = self._venue.trade_channel
        channels = (*books, trades, *self._venue.heartbeat_channels)
        try:
            requested = self._server.read_subscribe(text, self._products, channels)
        except RefusedError as refused:
            return Answer((self._server.error(refused.message, refused.reason),))
        if requested.keys() == {trades} and not (self._books or has_trades):
            return Answer((self._server.error("Failed to subscribe", f"the tape has no {trades}"),))
        new: list[str] = []
        heartbeats: list[str] = []
        for channel, products in requested.items():
            held = self._channels.setdefault(channel, [])
            held += [product for product in products if product not in held]
            if channel in books:
                new += [product for product in held if product not in self._books and product not in new]
            elif channel != trades and not self._books:
                heartbeats = held or sorted(self._products)
        self._books.update(new)
        # The tape has the acknowledgements of its connections, and another frame between
        # numbered ones would look like a gap.
        if new:
            return Answer(products=tuple(new))
        traded = () if self._books else tuple(self._channels.get(trades, ()))
        if self._venue.is_numbered or (self._books and trades in requested):
            return Answer(heartbeats=tuple(heartbeats), trades=traded)
        acknowledged = self._server.subscriptions(self._channels, _NO_TIME)
        return Answer((acknowledged,), heartbeats=tuple(heartbeats), trades=traded)

    def acknowledgement(self, products: Collection[str], number: int | None, time_ns: int) -> str:
        """Return a generated acknowledgement, for a connection that has none on the tape.

        Args:
            products: products of the connection.
            number: its number; None for none.
            time_ns: its time, nanoseconds since 1970.
        """
        channels = {
            channel: [product for product in held if product in products]
            for channel, held in self._channels.items()
        }
        return self._venue.server(number).subscriptions(channels, time_ns)

    def includes(self, frame: ServedFrame) -> bool:
        """Return whether this client gets a frame of the tape.

        It gets all of them except trades and heartbeats of products for which it did not subscribe to them,
        as many clients accept no others. Numbered heartbeats are about the connection and always sent. A
        client without a book gets only heartbeats and trades.
        """
        if self._venue.holds_trades(frame.text):
            return self.has_trades(frame.products)
        if self._venue.is_numbered and self._books:
            return True
        name = self._venue.heartbeat_channels[0]
        if f'"{name}"' not in frame.text or self._venue.kind(frame.text) != name:
            return bool(self._books)
        subscribed = self._channels.get(name, ())
        return self._venue.is_numbered or any(product in subscribed for product in frame.products)


def close_frame(close: Disconnected) -> tuple[int, str] | None:
    """Return code and reason of the close frame; None if the connection breaks without one.

    >>> close_frame(Disconnected(1012, "restart")), close_frame(Disconnected(1006, ""))
    ((1012, 'restart'), None)
    """
    if close.code is None or close.code not in _SENDABLE:
        return None
    return close.code, close.reason.encode()[:_REASON_BYTES].decode(errors="ignore")


def describe(close: Disconnected) -> str:
    """Return a description for a log line.

    >>> describe(Disconnected(1012, "restart")), describe(Disconnected(1006, ""))
    ('close 1012 restart', 'drop')
    """
    frame = close_frame(close)
    return f"{'drop' if frame is None else f'close {frame[0]}'} {printable(close.reason)}".rstrip()
