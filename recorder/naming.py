"""Which products a frame of a many-product connection belongs to."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from orderbook.envelope import open_envelope
from orderbook.feeds import Feed
from orderbook.frames import MalformedError
from orderbook.rawjson import string
from recorder.tape.layout import is_product_id

_JSON = msgspec.json.Decoder(Raw)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ARRAY = msgspec.json.Decoder(list[Raw])
_NAMED = re.compile(r'"product_id"\s*:\s*"([^"]*)"')


def products_named(frame: str) -> tuple[str, ...]:
    """Return every product id under a key `product_id` at any depth, each once, in order.

    Text that is not JSON names none; a value that can be no product id is none.

    >>> products_named('{"type":"l2update","product_id":"BTC-USD"}')
    ('BTC-USD',)
    """
    if "product_id" not in frame and "\\" not in frame:
        return ()
    try:
        whole = _JSON.decode(frame)
        # Without a backslash no string holds a quote, so the pattern finds keys and nothing else.
        names = _walk(whole) if "\\" in frame else iter(_NAMED.findall(frame))
        return tuple(dict.fromkeys(name for name in names if is_product_id(name)))
    except (msgspec.DecodeError, RecursionError):
        return ()


def _walk(raw: Raw) -> Iterator[str]:
    first = bytes(raw).lstrip()[:1]
    if first == b"{":
        for key, inner in _OBJECT.decode(raw).items():
            if key == "product_id":
                yield from filter(None, [string(inner)])
            yield from _walk(inner)
    elif first == b"[":
        for inner in _ARRAY.decode(raw):
            yield from _walk(inner)


def feed_of(frame: str) -> Feed | None:
    """Return the feed whose book a frame belongs to; None where it does not tell."""
    try:
        envelope = open_envelope(frame)
    except MalformedError:
        return None
    if string(envelope.channel) == "l2_data":
        return "advanced"
    return "exchange" if string(envelope.type) in ("snapshot", "l2update") else None
