"""What a client asks for: the subscribe messages of both feeds, checked before anything is served.

The refusals are worded as the real feeds word them, as far as their words are known.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from orderbook.feeds import Feed

AUTH_NEEDED = (
    "level2, level3, and full channels now require authentication."
    " https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"
)

BOOK_CHANNELS: Mapping[Feed, Sequence[str]] = {
    "exchange": ("level2_batch", "level2_50"),
    "advanced": ("level2",),
}
"""The channels that carry the book."""

HEARTBEAT_CHANNEL: Mapping[Feed, str] = {"exchange": "heartbeat", "advanced": "heartbeats"}


class RefusedError(Exception):
    """The message cannot be served: an error frame answers it.

    Attributes:
        message: what failed.
        reason: why.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)
        self.message = message
        self.reason = reason


def parse_subscribe(
    feed: Feed, text: str, products: Iterable[str], channels: Sequence[str] | None = None
) -> dict[str, list[str]]:
    """Return the products asked for by channel; all of a message is served or none of it.

    Args:
        feed: whose form the message has.
        text: what the client sent.
        products: the product ids that are served.
        channels: what is served; the book and heartbeats as listed above unless given.

    Raises:
        RefusedError: where the message is malformed or names what is not served.

    >>> parse_subscribe("advanced", '{"type":"subscribe","product_ids":["A"],"channel":"level2"}', ["A"])
    {'level2': ['A']}
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("Malformed JSON", str(error)) from None
    if not isinstance(message, dict) or message.get("type") != "subscribe":
        raise RefusedError("Failed to subscribe", "type is not subscribe")
    ids = _ids(message.get("product_ids", []))
    wanted = _exchange_channels(message, ids) if feed == "exchange" else _advanced_channel(message, ids)
    served = set(products)
    for channel, asked in wanted.items():
        _check_channel(feed, channel, channels or (*BOOK_CHANNELS[feed], HEARTBEAT_CHANNEL[feed]))
        for product in asked:
            if product not in served:
                raise RefusedError("Failed to subscribe", f"{product} is not a valid product")
        # Only the Advanced heartbeats are about the connection, not about products.
        if not asked and channel != "heartbeats":
            reason = f"You need to specify at least one product ID for channel {channel}"
            raise RefusedError("Failed to subscribe", reason)
    return wanted


def _check_channel(feed: Feed, channel: str, channels: Sequence[str]) -> None:
    if channel in channels:
        return
    if feed == "exchange" and channel in {"level2", "level3", "full"}:
        raise RefusedError("Failed to subscribe", AUTH_NEEDED)
    raise RefusedError("Failed to subscribe", f"{channel} is not a valid channel")


def _exchange_channels(message: dict[str, object], ids: list[str]) -> dict[str, list[str]]:
    """Return the channels of an Exchange message: names, or objects with products of their own."""
    channels = message.get("channels")
    if not isinstance(channels, list) or not channels:
        raise RefusedError("Failed to subscribe", "channels is not a list of channels")
    wanted: dict[str, list[str]] = {}
    for channel in channels:
        if isinstance(channel, str):
            name, own = channel, ids
        elif isinstance(channel, dict) and isinstance(channel.get("name"), str):
            name, own = channel["name"], _ids(channel.get("product_ids", []))
        else:
            raise RefusedError("Failed to subscribe", f"{channel!r} is not a valid channel")
        wanted[name] = list(dict.fromkeys([*wanted.get(name, []), *(own or ids)]))
    return wanted


def _advanced_channel(message: dict[str, object], ids: list[str]) -> dict[str, list[str]]:
    """Return the one channel that an Advanced Trade message names."""
    channel = message.get("channel")
    if not isinstance(channel, str):
        raise RefusedError("Failed to subscribe", "channel is not the name of a channel")
    return {channel: ids}


def _ids(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(product, str) for product in value):
        raise RefusedError("Failed to subscribe", "product_ids is not a list of product ids")
    return list(dict.fromkeys(value))
