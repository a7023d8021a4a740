"""What we say to a feed: addresses, channels and subscribe messages of both dialects."""

import json
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from orderbook.errors import BooktapeError
from orderbook.feeds import Feed

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class FeedError(BooktapeError):
    """The exchange refused what we asked for, or the address cannot be one of a feed."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a feed is reached.

    Attributes:
        feed: its dialect.
        url: wss://..., or ws:// on this machine.
        channel: the channel of the book.
    """

    feed: Feed
    url: str
    channel: str


_DEFAULTS: Final[dict[Feed, Endpoint]] = {
    "exchange": Endpoint("exchange", "wss://ws-feed.exchange.coinbase.com", "level2_batch"),
    "advanced": Endpoint("advanced", "wss://advanced-trade-ws.coinbase.com", "level2"),
}


def endpoint(feed: Feed, url: str | None = None, channel: str | None = None) -> Endpoint:
    """Return a feed's endpoint, with the parts given in place of the usual ones.

    Raises:
        FeedError: where the address is no WebSocket, or not encrypted and not on this machine.
    """
    usual = _DEFAULTS[feed]
    chosen = Endpoint(feed, url or usual.url, channel or usual.channel)
    if "@" in chosen.url.partition("//")[2].partition("/")[0]:
        raise FeedError("a feed's address holds no user and no password: it stands on the tape")
    try:
        address = parse_uri(chosen.url)
    except (InvalidURI, ValueError):
        raise FeedError(f"{chosen.url!r} is no ws:// or wss:// address") from None
    if not address.secure and address.host not in _LOOPBACK:
        raise FeedError(f"{chosen.url}: an unencrypted feed is taken from this machine only; use wss://")
    return chosen


def subscribe_messages(feed: Feed, channel: str, product: str) -> list[str]:
    """Return what to send on a new connection: the book's channel, and heartbeats to keep it open.

    >>> subscribe_messages("exchange", "level2_batch", "BTC-USD")
    ['{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","heartbeat"]}']
    """
    if feed == "exchange":
        return [_compact({"type": "subscribe", "product_ids": [product], "channels": [channel, "heartbeat"]})]
    return [
        _compact({"type": "subscribe", "product_ids": [product], "channel": channel}),
        _compact({"type": "subscribe", "channel": "heartbeats"}),
    ]


def _compact(message: dict[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
