"""What is said to one client beside the frames of the tape, without I/O: subscriptions, refusals."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orderbook.decoder import sequence_num
from orderbook.feeds import Feed
from replay.serving.merging import Said
from replay.serving.reel import frame_kind
from replay.synthetic.dialects import dialect_of
from replay.synthetic.subscribe import BOOK_CHANNELS, HEARTBEAT_CHANNEL, RefusedError, parse_subscribe

_BOOKS: Final[Mapping[Feed, Sequence[str]]] = {
    "exchange": (*BOOK_CHANNELS["exchange"], "level2"),  # the real one needs a key, a tape does not
    "advanced": BOOK_CHANNELS["advanced"],
}

_CHANNELS: Final[Mapping[Feed, Sequence[str]]] = {
    "exchange": (*_BOOKS["exchange"], HEARTBEAT_CHANNEL["exchange"]),
    # Clients are about (cryptofeed) that ask for heartbeats by the name that they have on the other feed.
    "advanced": (*_BOOKS["advanced"], HEARTBEAT_CHANNEL["advanced"], HEARTBEAT_CHANNEL["exchange"]),
}


_NO_TIME: Final = 0
"""An acknowledgement of the Exchange feed has none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What follows from a client's message.

    Attributes:
        replies: frames to send now.
        products: whose books begin now; the recorded acknowledgement comes with them.
        heartbeats: whose heartbeats begin where no book is asked for; on the Advanced feed, where they are
            the connection's, any of these products'.
    """

    replies: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    heartbeats: tuple[str, ...] = ()


class Conversation:
    """One client's subscriptions.

    Args:
        feed: the dialect.
        products: what the tape holds.
    """

    def __init__(self, feed: Feed, products: Collection[str]) -> None:
        self._feed: Feed = feed
        self._products = products
        self._channels: dict[str, list[str]] = {}
        self._books: set[str] = set()

    def receive(self, text: str) -> Answer:
        """Take a message of the client and return what follows from it."""
        try:
            wanted = parse_subscribe(self._feed, text, self._products, _CHANNELS[self._feed])
        except RefusedError as refused:
            return Answer((dialect_of(self._feed).error(refused.message, refused.reason),))
        new: list[str] = []
        beating: list[str] = []
        for channel, products in wanted.items():
            held = self._channels.setdefault(channel, [])
            held += [product for product in products if product not in held]
            if channel in _BOOKS[self._feed]:
                new += [product for product in held if product not in self._books and product not in new]
            elif not self._books:
                beating = held or sorted(self._products)
        self._books.update(new)
        # A frame of ours among the numbered ones of the Advanced feed would look like a gap, and the tape
        # has the acknowledgements of its own connection.
        if new:
            return Answer(products=tuple(new))
        if self._feed == "advanced":
            return Answer(heartbeats=tuple(beating))
        acknowledged = dialect_of(self._feed).subscriptions(self._channels, _NO_TIME)
        return Answer((acknowledged,), heartbeats=tuple(beating))

    def acknowledgement(self, products: Collection[str], first: str | None, time_ns: int) -> str:
        """Return the acknowledgement of a connection that has none on the tape.

        Args:
            products: whose connection it is.
            first: the frame that will be sent next: an Advanced number stands before it, or is left out.
            time_ns: its time, nanoseconds since 1970.
        """
        channels = {
            channel: [product for product in held if product in products]
            for channel, held in self._channels.items()
        }
        text = dialect_of(self._feed).subscriptions(channels, time_ns)
        if self._feed == "exchange":
            return text
        frame = json.loads(text)
        number = sequence_num(first) if first is not None else None
        frame["sequence_num"] = (number or 0) - 1
        if frame["sequence_num"] < 0:
            del frame["sequence_num"]
        return json.dumps(frame, separators=(",", ":"))

    def wants(self, said: Said) -> bool:
        """Tell whether a frame of the tape is for this client.

        All are but heartbeats of the Exchange feed that it did not subscribe to: there they count nothing,
        and many clients take no others than they asked for. On the Advanced feed they have numbers.
        A client without a book gets heartbeats alone.
        """
        if self._feed == "advanced" and self._books:
            return True
        name = HEARTBEAT_CHANNEL[self._feed]
        if f'"{name}"' not in said.text or frame_kind(said.text) != name:
            return bool(self._books)
        asked = self._channels.get(HEARTBEAT_CHANNEL["exchange"], ())
        return self._feed == "advanced" or any(product in asked for product in said.products)
