"""Raw text to a `Frame`, for the dialect of a feed.

Two stages: the envelope says what the frame is (its top-level fields stay raw), then the dialect's
module reads the book events. All events are checked before any is handed out.
"""

from functools import lru_cache

from msgspec import Raw

from orderbook import advanced, exchange
from orderbook.envelope import ABSENT, Envelope, open_envelope
from orderbook.feeds import Feed
from orderbook.frames import BookFrame, Frame, MalformedError, MalformedFrame, OtherFrame
from orderbook.rawjson import integer, string
from orderbook.times import parse_time
from orderbook.vocabulary import DOCUMENTED


def decode_frame(text: str, product: str, feed: Feed) -> Frame:
    """Read a frame for one product. O(length of the text).

    Args:
        text: the frame as received.
        product: whose events are wanted, e.g. `BTC-USD`.
        feed: the dialect.

    Returns:
        `MalformedFrame` where the feed's form is broken; nothing is raised for any text.
    """
    sequence_num = None
    try:
        envelope = open_envelope(text)
        if envelope.sequence_num is not ABSENT:
            sequence_num = integer(envelope.sequence_num)
        if feed == "exchange":
            return _exchange_frame(envelope, product, sequence_num)
        return _advanced_frame(envelope, product, sequence_num)
    except MalformedError as error:
        return MalformedFrame(str(error), sequence_num)


def sequence_num(text: str) -> int | None:
    """Return the sequence_num of a frame of the Advanced feed; None where it has none."""
    try:
        envelope = open_envelope(text)
    except MalformedError:
        return None
    return integer(envelope.sequence_num)


def _exchange_frame(envelope: Envelope, product: str, sequence_num: int | None) -> Frame:
    kind = string(envelope.type)
    if kind == "l2update":
        event = exchange.update(envelope.product_id, envelope.changes, product)
    elif kind == "snapshot":
        event = exchange.snapshot(envelope.product_id, envelope.bids, envelope.asks, product)
    elif kind == "error":
        return _error_frame(envelope, sequence_num)
    else:
        return _other_frame(string(envelope.channel) if kind is None else kind, sequence_num)
    return BookFrame([event] if event else [], _exchange_time(envelope.time), sequence_num)


def _advanced_frame(envelope: Envelope, product: str, sequence_num: int | None) -> Frame:
    channel = string(envelope.channel)
    if channel == "l2_data":
        events = advanced.book_events(envelope.events, product)
        return BookFrame(events, _exchange_time(envelope.timestamp), sequence_num)
    kind = string(envelope.type)
    if channel is None and kind == "error":
        return _error_frame(envelope, sequence_num)
    return _other_frame(kind if channel is None else channel, sequence_num)


def _error_frame(envelope: Envelope, sequence_num: int | None) -> Frame:
    words = (string(envelope.message), string(envelope.reason))
    return OtherFrame("error", ": ".join(word for word in words if word), sequence_num)


def _other_frame(name: str | None, sequence_num: int | None) -> Frame:
    """Judge a frame that is none of the book's by its type or channel."""
    if name is None:
        raise MalformedError("neither a type nor a channel")
    return OtherFrame(None if name in DOCUMENTED else "unknown", name[:80], sequence_num)


def _exchange_time(raw: Raw) -> int | None:
    text = bytes(raw)
    # Without an escape the JSON string is its own text; with one, or of another type, take the long way.
    if text[:1] == b'"' and b"\\" not in text:
        return _quoted_time(text)
    value = string(raw)
    return None if value is None else parse_time(value)


@lru_cache(maxsize=16)
def _quoted_time(quoted: bytes) -> int | None:
    """Parse the quoted text; frames of one batch often share it."""
    return parse_time(quoted[1:-1].decode())
