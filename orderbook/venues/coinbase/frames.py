"""Frames of Coinbase: top-level fields, documented kinds, errors, times and product ids.

A frame is read in two stages: the envelope says what it is (its top-level fields stay raw), then the venue's
decoder reads the book events. All events are checked before any is returned.
"""

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from orderbook.events import Frame, MalformedError, MalformedFrame, OtherFrame
from orderbook.times import parse_time
from orderbook.venues.base import is_product_id
from orderbook.venues.rawjson import check_depth, decode, integer, string

ABSENT: Final = Raw()
"""The value of a field that a frame does not have."""

_DOCUMENTED: Final = frozenset(
    {
        # values of `type` on Exchange
        *("subscriptions", "error", "heartbeat", "status", "ticker", "snapshot", "l2update", "auction"),
        *("rfq_match", "balance", "received", "open", "done", "match", "last_match", "change", "activate"),
        # values of `channel` on Advanced Trade
        *("subscriptions", "heartbeats", "candles", "status", "ticker", "ticker_batch", "l2_data"),
        *("market_trades", "user", "futures_balance_summary"),
    }
)
"""The types and channels that Coinbase documents. Each is known on both venues; any other is `unknown`."""


class Envelope(msgspec.Struct):
    """The top-level fields of a frame of either venue; an absent field is an empty `Raw`."""

    type: Raw = ABSENT
    channel: Raw = ABSENT
    product_id: Raw = ABSENT
    time: Raw = ABSENT
    timestamp: Raw = ABSENT
    sequence_num: Raw = ABSENT
    bids: Raw = ABSENT
    asks: Raw = ABSENT
    changes: Raw = ABSENT
    events: Raw = ABSENT
    message: Raw = ABSENT
    reason: Raw = ABSENT


_ENVELOPE = msgspec.json.Decoder(Envelope)
_JSON = msgspec.json.Decoder(Raw)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ARRAY = msgspec.json.Decoder(list[Raw])
_NUMBERED = re.compile(r'"sequence_num"\s*:\s*(-?[0-9]+)')
_PASSES = re.compile(
    r"\b(?:rate|limit\w*|too many|exceed\w*|again|later|retry|time[sd]? ?out|temporar\w*|unavailable"
    r"|maintenance|internal|overload\w*|busy|capacity|heartbeats?)\b|slow",
    re.IGNORECASE,
)
_LONGEST_ERROR: Final = 1_000
"""Number of characters of an error message that are looked at; real ones are shorter."""
_FINAL = re.compile(
    r"\b(?:not a valid|invalid|unknown|unsupported|no such|nonexistent) (?:product|channel)\b"
    r"|\b(?:product|channel)\b.*(?:invalid|unknown|unsupported|not (?:valid|found|supported|listed|exist))\b"
    r"|\bdelisted\b|\bauthenticat|\bunauthori[sz]ed\b|\bforbidden\b|\bkey\b|\bsignature\b|\bpassphrase\b",
    re.IGNORECASE,
)
_NAMED = re.compile(r'"product_id"\s*:\s*"([^"]*)"')


def open_envelope(text: str) -> Envelope:
    """Check that a frame is valid JSON and return its fields. O(length).

    Raises:
        MalformedError: if it is not a JSON object, or is nested too deeply.
    """
    envelope = decode(_ENVELOPE, text, "not a JSON object")
    check_depth(text)
    return envelope


def try_envelope(text: str) -> Envelope:
    """Return the fields of a frame, none of them if it is malformed."""
    try:
        return open_envelope(text)
    except MalformedError:
        return Envelope()


def frame_decoder(
    read: Callable[[Envelope, str, int | None], Frame], signs: Collection[str]
) -> Callable[[str, str], Frame]:
    """Return a venue's `decode`.

    Args:
        read: (envelope, product, sequence_num) to a frame; may raise MalformedError.
        signs: texts of which every frame of the book contains one.
    """

    def decode_frame(text: str, product: str) -> Frame:
        sequence_num = None
        try:
            envelope = open_envelope(text)
            if envelope.sequence_num is not ABSENT:
                sequence_num = integer(envelope.sequence_num)
            return read(envelope, product, sequence_num)
        except MalformedError as error:
            return MalformedFrame(str(error), sequence_num, any(sign in text for sign in signs))

    return decode_frame


def error_frame(envelope: Envelope, sequence_num: int | None) -> OtherFrame:
    """Return the frame of an error message."""
    return OtherFrame("error", _error_text(envelope), sequence_num)


def other_frame(kind: str | None, sequence_num: int | None) -> OtherFrame:
    """Return a frame that holds no book, by its type or channel.

    Raises:
        MalformedError: if it has neither.
    """
    if kind is None:
        raise MalformedError("neither a type nor a channel")
    return OtherFrame(None if kind in _DOCUMENTED else "unknown", kind[:80], sequence_num)


def frame_time(raw: Raw) -> int | None:
    """Return a frame's time in nanoseconds since the epoch, None if it has no valid one."""
    text = bytes(raw)
    # Without an escape the JSON string is its own text; with one, or of another type, decode it properly.
    if text[:1] == b'"' and b"\\" not in text:
        return _quoted_time(text)
    value = string(raw)
    return None if value is None else parse_time(value)


@lru_cache(maxsize=16)
def _quoted_time(quoted: bytes) -> int | None:
    """Parse a time in quotes; the frames of one batch often share it."""
    return parse_time(quoted[1:-1].decode())


def sequence_num(text: str) -> int | None:
    """Return the sequence_num of a frame, None if it has none."""
    return integer(try_envelope(text).sequence_num)


def renumbered(text: str, number: int) -> str:
    """Return a frame that has a sequence_num with another one; the rest of its text stays as it is.

    >>> renumbered('{"channel":"l2_data","sequence_num": 5,"events":[]}', 17)
    '{"channel":"l2_data","sequence_num": 17,"events":[]}'
    """
    # Without a backslash no string holds a quote, so the pattern finds keys and nothing else.
    found = [] if "\\" in text else list(_NUMBERED.finditer(text))
    if len(found) == 1:
        return f"{text[: found[0].start(1)]}{number}{text[found[0].end(1) :]}"
    fields = _OBJECT.decode(text)
    return msgspec.json.encode(fields | {"sequence_num": Raw(str(number).encode())}).decode()


def kind(text: str) -> str | None:
    """Return the channel of a frame (Advanced Trade) or its type (Exchange), None if it has neither.

    >>> kind('{"type":"heartbeat"}'), kind('{"channel":"subscriptions"}')
    ('heartbeat', 'subscriptions')
    """
    envelope = try_envelope(text)
    return string(envelope.channel) or string(envelope.type)


def error(text: str) -> str | None:
    """Return what an error message says, None for any other frame."""
    envelope = try_envelope(text)
    is_error = string(envelope.type) == "error" and string(envelope.channel) is None
    return _error_text(envelope) if is_error else None


def is_final(error: str, product: str) -> bool:
    """Tell whether what an error says refuses a product for good, in the words that Coinbase uses.

    A message about limits, the state of a server or another channel passes, whichever product it names. So
    does one in other words: rather ask again for ever than give a product up that could be had.

    >>> is_final("Failed to subscribe: BAD-USD is not a valid product", "BAD-USD")
    True
    >>> is_final("level2 channels now require authentication", "BTC-USD")
    True
    >>> is_final("Failed to subscribe: rate limit exceeded for BTC-USD", "BTC-USD")
    False
    >>> is_final("You need to specify at least one product ID for channel heartbeat", "BTC-USD")
    False
    """
    named = rf"(?<![\w-]){re.escape(product)}(?![\w-])"
    words = re.sub(named, "product", error[:_LONGEST_ERROR], flags=re.IGNORECASE)
    return _FINAL.search(words) is not None and _PASSES.search(words) is None


def _error_text(envelope: Envelope) -> str:
    return ": ".join(filter(None, [string(envelope.message), string(envelope.reason)]))


def products_named(text: str) -> tuple[str, ...]:
    """Return every product id under a key `product_id` at any depth, each once, in order.

    Text that is not JSON names no product; values that are not valid product ids are ignored.

    >>> products_named('{"type":"l2update","product_id":"BTC-USD"}')
    ('BTC-USD',)
    """
    if "product_id" not in text and "\\" not in text:
        return ()
    try:
        whole = _JSON.decode(text)
        # Without a backslash no string holds a quote, so the pattern finds keys and nothing else.
        names = _walk(whole) if "\\" in text else iter(_NAMED.findall(text))
        return tuple(dict.fromkeys(name for name in names if is_product_id(name)))
    except (msgspec.DecodeError, RecursionError):
        return ()


def _walk(raw: Raw) -> Iterator[str]:
    """Yield all strings under a key `product_id`."""
    first = bytes(raw).lstrip()[:1]
    if first == b"{":
        for key, inner in _OBJECT.decode(raw).items():
            if key == "product_id":
                yield from filter(None, [string(inner)])
            yield from _walk(inner)
    elif first == b"[":
        for inner in _ARRAY.decode(raw):
            yield from _walk(inner)
