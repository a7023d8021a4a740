"""Which products a frame of a many-product connection belongs to."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from orderbook.schema import Feed
from recorder.tape.layout import is_product_id

_JSON = msgspec.json.Decoder(Raw)
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
        _JSON.decode(frame)
        # Without a backslash no string holds a quote, so the pattern finds keys and nothing else.
        names = _walk(msgspec.json.decode(frame)) if "\\" in frame else iter(_NAMED.findall(frame))
        return tuple(dict.fromkeys(name for name in names if is_product_id(name)))
    except (msgspec.DecodeError, RecursionError):
        return ()


def _walk(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "product_id" and isinstance(inner, str):
                yield inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


class _Envelope(msgspec.Struct):
    type: Any = None
    channel: Any = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def feed_of(frame: str) -> Feed | None:
    """Return the feed whose book a frame belongs to; None where it does not tell."""
    try:
        envelope = _ENVELOPE.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return None
    if envelope.channel == "l2_data":
        return "advanced"
    return "exchange" if envelope.type in ("snapshot", "l2update") else None
