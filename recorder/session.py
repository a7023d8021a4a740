"""The conversation on one connection, without I/O: a frame in, what follows from it for the connection out.

The frame is on its way to the tape before it is judged here; a judgement only ever ends the connection.
"""

from dataclasses import dataclass
from typing import Final

from orderbook.envelope import Envelope, open_envelope
from orderbook.feeds import Feed
from orderbook.frames import MalformedError
from orderbook.rawjson import integer, string
from recorder.naming import products_named
from recorder.printable import printable

ENDED_BY_US: Final = 4000
"""Close code of the ends that the recorder decides on (4000 to 4999 are free for applications)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended: a WebSocket close code and why."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The exchange will not serve what was asked for; another connection would not help."""

    text: str


class Session:
    """Judges the frames of one connection, in order.

    Args:
        feed: the dialect.
        product: what was subscribed.
        was_served: whether the product had a snapshot in this run: then the feed once worked, and
            what looks like a refusal is only told.

    Attributes:
        is_served: whether a snapshot of the product has come, here or before.
    """

    def __init__(self, feed: Feed, product: str, *, was_served: bool) -> None:
        self._feed = feed
        self._product = product
        self._last_sequence: int | None = None
        self.is_served = was_served

    def take(self, text: str) -> Ending | Refusal | None:
        """Return what a frame means for the connection; None where it goes on. O(length)."""
        try:
            envelope = open_envelope(text)
        except MalformedError:
            return None  # kept and counted as malformed; the connection is not to blame
        return self._sequence(envelope) or (None if self.is_served else self._first_frames(envelope, text))

    def _sequence(self, envelope: Envelope) -> Ending | None:
        """Check sequence_num, which counts every message of an Advanced Trade connection."""
        number = integer(envelope.sequence_num) if self._feed == "advanced" else None
        if number is None:
            return None
        last, self._last_sequence = self._last_sequence, number
        return None if last is None or number == last + 1 else Ending(ENDED_BY_US, "gap")

    def _first_frames(self, envelope: Envelope, text: str) -> Refusal | None:
        """Before the first snapshot: was the subscription refused, or answered under another name?"""
        if string(envelope.type) == "error" and string(envelope.channel) is None:
            words = [word for word in (string(envelope.message), string(envelope.reason)) if word]
            return Refusal(f"the exchange refused the subscription: {printable(': '.join(words))}")
        if not _holds_snapshot(envelope, self._feed):
            return None
        named = products_named(text)
        if self._product in named:
            self.is_served = True
        elif named:
            return Refusal(f"the exchange serves {', '.join(named)} in its place; ask for that name")
        return None


def _holds_snapshot(envelope: Envelope, feed: Feed) -> bool:
    if feed == "exchange":
        return string(envelope.type) == "snapshot"
    # An event's type stands in the raw events; a level holds no field of this name.
    return string(envelope.channel) == "l2_data" and b'"snapshot"' in bytes(envelope.events)
