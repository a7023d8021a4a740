"""The synthetic market in the words of Coinbase's two feeds: values in, the text of a frame out.

The spelling follows frames of 2026: key order, digits of a time, trailing zeros, the names of sides. No
clock and no I/O. A dialect object belongs to one connection, because an Advanced Trade frame is numbered
by its place among all messages of its connection.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from orderbook.feeds import Feed
from orderbook.times import NS, format_time
from replay.synthetic.market import BookLevels, Change, Level

Subscriptions = Mapping[str, Sequence[str]]
"""The products of every channel that a connection is subscribed to."""

_GONE = "0.00000000"


class Dialect(Protocol):
    """What a connection says to its client; every time is int nanoseconds since 1970."""

    def snapshot(self, product: str, levels: BookLevels, time_ns: int) -> str:
        """Return the frame that replaces the whole book."""

    def update(self, product: str, changes: Sequence[Change], time_ns: int) -> str:
        """Return the frame of one batch of changes."""

    def subscriptions(self, channels: Subscriptions, time_ns: int) -> str:
        """Return the acknowledgement: everything that the connection is subscribed to."""

    def heartbeats(self, products: Sequence[str], count: int, time_ns: int, uptime_ns: int) -> list[str]:
        """Return the frames of heartbeat number `count`, `uptime_ns` after the connection opened."""

    def error(self, message: str, reason: str) -> str:
        """Return the frame that refuses what the client asked for."""


class ExchangeDialect:
    """The Exchange feed: snapshot, l2update, heartbeat.

    >>> ExchangeDialect().update("X", [("bid", "25.00", "0")], 1_500_000_000)
    '{"type":"l2update","product_id":"X","changes":[["buy","25.00","0.00000000"]],"time":"1970-01-01T00:00:01.500000Z"}'
    """

    def snapshot(self, product: str, levels: BookLevels, time_ns: int) -> str:
        """Return the whole book, in the key order of 2026: asks first, a trailing time."""
        return _json(
            {
                "type": "snapshot",
                "product_id": product,
                "asks": levels.asks,
                "bids": levels.bids,
                "time": _micros(time_ns),
            }
        )

    def update(self, product: str, changes: Sequence[Change], time_ns: int) -> str:
        """Return an l2update; a removed level has the size `0.00000000`."""
        spelled = [
            ("buy" if side == "bid" else "sell", price, _GONE if size == "0" else size)
            for side, price, size in changes
        ]
        return _json(
            {"type": "l2update", "product_id": product, "changes": spelled, "time": _micros(time_ns)}
        )

    def subscriptions(self, channels: Subscriptions, time_ns: int) -> str:  # noqa: ARG002  of the other feed
        """Return the acknowledgement, in which level2_batch goes by the name level2_50."""
        acknowledged = [
            {
                "name": "level2_50" if name == "level2_batch" else name,
                "product_ids": list(products),
                "account_ids": None,
            }
            for name, products in channels.items()
        ]
        return _json({"type": "subscriptions", "channels": acknowledged})

    def heartbeats(self, products: Sequence[str], count: int, time_ns: int, uptime_ns: int) -> list[str]:  # noqa: ARG002  of the other feed
        """Return a frame for each product; the numbers stand for a full channel that nobody serves here."""
        return [
            _json(
                {
                    "type": "heartbeat",
                    "last_trade_id": 0,
                    "product_id": product,
                    "sequence": count,
                    "time": _micros(time_ns),
                }
            )
            for product in products
        ]

    def error(self, message: str, reason: str) -> str:
        """Return an error frame."""
        return _json({"type": "error", "message": message, "reason": reason})


class AdvancedDialect:
    """The Advanced Trade feed: l2_data, heartbeats, each frame numbered from 0 in the order it was made."""

    def __init__(self) -> None:
        self.sequence_num = 0

    def snapshot(self, product: str, levels: BookLevels, time_ns: int) -> str:
        """Return the whole book, bids first."""
        event_time = _shortest(time_ns, digits=6)
        updates = [_advanced_level("bid", level, event_time) for level in levels.bids]
        updates += [_advanced_level("offer", level, event_time) for level in levels.asks]
        return self._numbered("l2_data", time_ns, type="snapshot", product_id=product, updates=updates)

    def update(self, product: str, changes: Sequence[Change], time_ns: int) -> str:
        """Return the changes in the order of the feed: bids from the best down, offers from the best up."""
        event_time = _shortest(time_ns, digits=6)
        bids = sorted((c for c in changes if c[0] == "bid"), key=_price, reverse=True)
        asks = sorted((c for c in changes if c[0] == "ask"), key=_price)
        updates = [_advanced_level("bid", change[1:], event_time) for change in bids]
        updates += [_advanced_level("offer", change[1:], event_time) for change in asks]
        return self._numbered("l2_data", time_ns, type="update", product_id=product, updates=updates)

    def subscriptions(self, channels: Subscriptions, time_ns: int) -> str:
        """Return the acknowledgement; the heartbeats channel has no products, it names itself."""
        names = {name: list(channels[name]) for name in sorted(channels)}
        if "heartbeats" in names:
            names["heartbeats"] = ["heartbeats"]
        return self._numbered("subscriptions", time_ns, subscriptions=names)

    def heartbeats(self, products: Sequence[str], count: int, time_ns: int, uptime_ns: int) -> list[str]:  # noqa: ARG002  of the other feed
        """Return the one frame of the connection, its time in the words of Go, as the feed has it."""
        date, _, time = _shortest(time_ns, digits=9).removesuffix("Z").partition("T")
        seconds, fraction = divmod(uptime_ns, NS)
        current_time = f"{date} {time} +0000 UTC m=+{seconds}.{fraction:09d}"
        return [self._numbered("heartbeats", time_ns, current_time=current_time, heartbeat_counter=count)]

    def error(self, message: str, reason: str) -> str:
        """Return an error frame: one sentence and no number."""
        return _json({"type": "error", "message": f"{message}: {reason}"})

    def _numbered(self, channel: str, time_ns: int, **event: object) -> str:
        frame = {
            "channel": channel,
            "timestamp": _shortest(time_ns, digits=9),
            "sequence_num": self.sequence_num,
            "events": [event],
        }
        self.sequence_num += 1
        return _json(frame)


def dialect_of(feed: Feed) -> Dialect:
    """Return the dialect of a new connection."""
    return ExchangeDialect() if feed == "exchange" else AdvancedDialect()


def _json(frame: object) -> str:
    return json.dumps(frame, separators=(",", ":"))


def _micros(time_ns: int) -> str:
    """Spell a time with 6 digits, always.

    >>> _micros(1_300_000_999)
    '1970-01-01T00:00:01.300000Z'
    """
    return format_time(time_ns)[:26] + "Z"


def _shortest(time_ns: int, digits: int) -> str:
    """Spell a time with at most so many digits, trailing zeros dropped.

    >>> _shortest(1_300_000_999, digits=6), _shortest(2_000_000_000, digits=9)
    ('1970-01-01T00:00:01.3Z', '1970-01-01T00:00:02Z')
    """
    return format_time(time_ns)[: 20 + digits].rstrip("0").rstrip(".") + "Z"


def _price(change: Change) -> Decimal:
    return Decimal(change[1])


def _advanced_level(side: str, level: Level, event_time: str) -> dict[str, str]:
    price, size = level
    return {
        "side": side,
        "event_time": event_time,
        "price_level": _without_zeros(price),
        "new_quantity": _without_zeros(size),
    }


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
