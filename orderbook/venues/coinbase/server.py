"""Coinbase as a server: subscribe messages, times and JSON. Refusals have the words of the real feeds."""

import json
from collections.abc import Callable, Collection

from orderbook.times import format_time
from orderbook.venues.base import RefusedError

_AUTHENTICATION_NEEDED = (
    "level2, level3, and full channels now require authentication."
    " https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"
)


def read_subscribe(
    text: str,
    products: Collection[str],
    channels: Collection[str],
    read_channels: Callable[[dict[str, object], list[str]], dict[str, list[str]]],
    keyed_channels: Collection[str] = (),
    channels_without_products: Collection[str] = (),
) -> dict[str, list[str]]:
    """Return the products that a message subscribes to, by channel; see `Server.read_subscribe`.

    Args:
        text: the message.
        products: the product ids that are served.
        channels: the channels that are served.
        read_channels: (message, its product ids) to products by channel; may raise RefusedError.
        keyed_channels: the channels that need an API key.
        channels_without_products: the channels that can be subscribed to without a product.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("Malformed JSON", str(error)) from None
    if not isinstance(message, dict) or message.get("type") != "subscribe":
        raise failed("type is not subscribe")
    wanted = read_channels(message, product_ids(message))
    for channel, named in wanted.items():
        if channel not in channels:
            is_keyed = channel in keyed_channels
            raise failed(_AUTHENTICATION_NEEDED if is_keyed else f"{channel} is not a valid channel")
        for product in named:
            if product not in products:
                raise failed(f"{product} is not a valid product")
        if not named and channel not in channels_without_products:
            raise failed(f"You need to specify at least one product ID for channel {channel}")
    return wanted


def product_ids(fields: dict[str, object]) -> list[str]:
    """Return the product ids of a subscribe message, or of a channel in it, each once.

    Raises:
        RefusedError: if they are not a list of strings.
    """
    value = fields.get("product_ids", [])
    if not isinstance(value, list) or not all(isinstance(product, str) for product in value):
        raise failed("product_ids is not a list of product ids")
    return list(dict.fromkeys(value))


def failed(reason: str) -> RefusedError:
    """Return the refusal of a subscribe message."""
    return RefusedError("Failed to subscribe", reason)


def compact(message: object, *, ensure_ascii: bool = True) -> str:
    """Return a message as JSON without spaces."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=ensure_ascii)


def short_time(time_ns: int, digits: int) -> str:
    """Return a time as ISO text with at most `digits` decimals, trailing zeros dropped.

    >>> short_time(1_300_000_999, digits=6), short_time(2_000_000_000, digits=9)
    ('1970-01-01T00:00:01.3Z', '1970-01-01T00:00:02Z')
    """
    return format_time(time_ns)[: 20 + digits].rstrip("0").rstrip(".") + "Z"
