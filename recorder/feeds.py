"""What we say to a feed: addresses, channels and subscribe messages of both dialects."""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from orderbook.errors import BooktapeError
from orderbook.schema import Feed

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
    parts = urlsplit(chosen.url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise FeedError(f"--url {chosen.url}: not a ws:// or wss:// address")
    if parts.scheme == "ws" and parts.hostname not in _LOOPBACK:
        raise FeedError(
            f"--url {chosen.url}: an unencrypted feed is taken from this machine only; use wss://"
        )
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


def connected_payload(connection_id: str, url: str, products: list[str], subscribe: list[str]) -> str:
    """Return the payload of a `connected` row; it never holds a secret."""
    return _compact({"id": connection_id, "url": url, "products": products, "subscribe": subscribe})


def disconnected_payload(code: int, reason: str) -> str:
    """Return the payload of a `disconnected` row: a WebSocket close code and why."""
    return _compact({"code": code, "reason": reason})


def _compact(message: dict[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
