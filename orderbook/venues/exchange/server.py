"""Coinbase Exchange as a server: subscriptions, and the frames in the spelling of 2026."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from orderbook.times import format_time
from orderbook.venues.base import TextChange, TextLevel, TextTrade
from orderbook.venues.coinbase.server import compact, failed, product_ids, read_subscribe

KEYED_CHANNELS = frozenset({"level2", "level3", "full"})
"""Channels that need a key since 2023-08-01."""

_REMOVED = "0.00000000"


class ExchangeServer:
    """One connection of Coinbase Exchange; its messages have no numbers.

    >>> ExchangeServer().update("X", [("bid", "25.00", "0")], 1_500_000_000)
    '{"type":"l2update","product_id":"X","changes":[["buy","25.00","0.00000000"]],"time":"1970-01-01T00:00:01.500000Z"}'
    """

    def __init__(self, first_number: int | None = None) -> None:  # noqa: ARG002  part of Server
        """Ignore the number: see `Venue.server`."""
        self._updates: Counter[str] = Counter()

    def read_subscribe(
        self, text: str, products: Collection[str], channels: Collection[str]
    ) -> dict[str, list[str]]:
        """Return the products that a message subscribes to, by channel."""
        return read_subscribe(text, products, channels, _channels, KEYED_CHANNELS)

    def snapshot(
        self, product: str, bids: Sequence[TextLevel], asks: Sequence[TextLevel], time_ns: int
    ) -> str:
        """Return the whole book, in the key order of 2026: asks first, the time last."""
        fields = {"type": "snapshot", "product_id": product, "asks": asks, "bids": bids}
        return compact({**fields, "time": _microseconds(time_ns)})

    def update(self, product: str, changes: Sequence[TextChange], time_ns: int) -> str:
        """Return an l2update; a removed level has the size `0.00000000`."""
        spelled = [
            ("buy" if side == "bid" else "sell", price, _REMOVED if size == "0" else size)
            for side, price, size in changes
        ]
        self._updates[product] += 1
        fields = {"type": "l2update", "product_id": product, "changes": spelled}
        return compact({**fields, "time": _microseconds(time_ns)})

    def subscriptions(self, channels: Mapping[str, Sequence[str]], time_ns: int) -> str:  # noqa: ARG002  part of Server
        """Return the acknowledgement, in which level2_batch is called level2_50."""
        acknowledged = [
            {
                "name": "level2_50" if name == "level2_batch" else name,
                "product_ids": list(products),
                "account_ids": None,
            }
            for name, products in channels.items()
        ]
        return compact({"type": "subscriptions", "channels": acknowledged})

    def trades(
        self,
        product: str,
        trades: Sequence[TextTrade],
        time_ns: int,  # noqa: ARG002  part of Server; a match has only the time of the trade
        *,
        is_history: bool = False,
    ) -> list[str]:
        """Return a match for each trade; of history the last one alone, as last_match."""
        return [
            compact(
                {
                    "type": "last_match" if is_history else "match",
                    "trade_id": trade.trade_id,
                    "side": "buy" if trade.maker_side == "bid" else "sell",
                    "size": trade.size,
                    "price": trade.price,
                    "product_id": product,
                    "time": _microseconds(trade.time_ns),
                }
            )
            for trade in (trades[-1:] if is_history else trades)
        ]

    def heartbeats(
        self,
        last_trades: Mapping[str, int],
        count: int,  # noqa: ARG002  part of Server
        time_ns: int,
        uptime_ns: int,  # noqa: ARG002  part of Server
    ) -> list[str]:
        """Return a frame for each product; `sequence` rises with its updates, as if each was one order."""
        return [
            compact(
                {
                    "type": "heartbeat",
                    "last_trade_id": last_trade,
                    "product_id": product,
                    "sequence": self._updates[product],
                    "time": _microseconds(time_ns),
                }
            )
            for product, last_trade in last_trades.items()
        ]

    def error(self, message: str, reason: str) -> str:
        """Return an error frame."""
        return compact({"type": "error", "message": message, "reason": reason})


def _channels(message: dict[str, object], ids: list[str]) -> dict[str, list[str]]:
    """Return the channels of a message: names, or objects with their own products."""
    channels = message.get("channels")
    if not isinstance(channels, list) or not channels:
        raise failed("channels is not a list of channels")
    wanted: dict[str, list[str]] = {}
    for channel in channels:
        if isinstance(channel, str):
            name, own = channel, ids
        elif isinstance(channel, dict) and isinstance(channel.get("name"), str):
            name, own = channel["name"], product_ids(channel)
        else:
            raise failed(f"{channel!r} is not a valid channel")
        wanted[name] = list(dict.fromkeys([*wanted.get(name, []), *(own or ids)]))
    return wanted


def _microseconds(time_ns: int) -> str:
    """Return a time as ISO text with exactly 6 decimals.

    >>> _microseconds(1_300_000_999)
    '1970-01-01T00:00:01.300000Z'
    """
    return format_time(time_ns)[:26] + "Z"
