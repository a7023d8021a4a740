"""Coinbase Advanced Trade as a server: subscriptions, and the frames in the spelling of 2026."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from orderbook.times import NS
from orderbook.venues.base import TextChange, TextLevel, TextTrade
from orderbook.venues.coinbase.server import compact, failed, read_subscribe, short_time


class AdvancedServer:
    """One connection of Coinbase Advanced Trade; its messages are numbered as they are made.

    Args:
        first_number: the number of the first message; None writes messages without numbers.
    """

    def __init__(self, first_number: int | None = 0) -> None:
        self._next_number = first_number

    def read_subscribe(
        self, text: str, products: Collection[str], channels: Collection[str]
    ) -> dict[str, list[str]]:
        """Return the products that a message subscribes to, by channel."""
        return read_subscribe(text, products, channels, _channel, channels_without_products=("heartbeats",))

    def snapshot(
        self, product: str, bids: Sequence[TextLevel], asks: Sequence[TextLevel], time_ns: int
    ) -> str:
        """Return the whole book, bids first."""
        event_time = short_time(time_ns, digits=6)
        updates = [_level("bid", *level, event_time) for level in bids]
        updates += [_level("offer", *level, event_time) for level in asks]
        return self._message("l2_data", time_ns, type="snapshot", product_id=product, updates=updates)

    def update(self, product: str, changes: Sequence[TextChange], time_ns: int) -> str:
        """Return the changes in the order of the venue: bids from the best down, offers from the best up."""
        event_time = short_time(time_ns, digits=6)
        bids = sorted((change for change in changes if change[0] == "bid"), key=_price, reverse=True)
        asks = sorted((change for change in changes if change[0] == "ask"), key=_price)
        updates = [_level("bid", price, size, event_time) for _, price, size in bids]
        updates += [_level("offer", price, size, event_time) for _, price, size in asks]
        return self._message("l2_data", time_ns, type="update", product_id=product, updates=updates)

    def subscriptions(self, channels: Mapping[str, Sequence[str]], time_ns: int) -> str:
        """Return the acknowledgement; the heartbeats channel has no products, it lists itself."""
        names = {name: list(channels[name]) for name in sorted(channels)}
        if "heartbeats" in names:
            names["heartbeats"] = ["heartbeats"]
        return self._message("subscriptions", time_ns, subscriptions=names)

    def trades(
        self, product: str, trades: Sequence[TextTrade], time_ns: int, *, is_history: bool = False
    ) -> list[str]:
        """Return one frame, newest first, if there is a trade."""
        spelled = [
            {
                "product_id": product,
                "trade_id": str(trade.trade_id),
                "price": _without_zeros(trade.price),
                "size": _without_zeros(trade.size),
                "time": short_time(trade.time_ns, digits=6),
                "side": "BUY" if trade.maker_side == "bid" else "SELL",
            }
            for trade in reversed(trades)
        ]
        kind = "snapshot" if is_history else "update"
        return [self._message("market_trades", time_ns, type=kind, trades=spelled)] if spelled else []

    def heartbeats(
        self,
        last_trades: Mapping[str, int],  # noqa: ARG002  part of Server
        count: int,
        time_ns: int,
        uptime_ns: int,
    ) -> list[str]:
        """Return the one frame of the connection; its time is spelled as Go does, like the real one."""
        date, _, time = short_time(time_ns, digits=9).removesuffix("Z").partition("T")
        seconds, fraction = divmod(uptime_ns, NS)
        current_time = f"{date} {time} +0000 UTC m=+{seconds}.{fraction:09d}"
        return [self._message("heartbeats", time_ns, current_time=current_time, heartbeat_counter=count)]

    def error(self, message: str, reason: str) -> str:
        """Return an error frame: one sentence and no number."""
        return compact({"type": "error", "message": f"{message}: {reason}"})

    def _message(self, channel: str, time_ns: int, **event: object) -> str:
        number = {} if self._next_number is None else {"sequence_num": self._next_number}
        if self._next_number is not None:
            self._next_number += 1
        return compact(
            {"channel": channel, "timestamp": short_time(time_ns, digits=9), **number, "events": [event]}
        )


def _channel(message: dict[str, object], ids: list[str]) -> dict[str, list[str]]:
    """Return the one channel that a message names."""
    channel = message.get("channel")
    if not isinstance(channel, str):
        raise failed("channel is not the name of a channel")
    return {channel: ids}


def _price(change: TextChange) -> Decimal:
    return Decimal(change[1])


def _level(side: str, price: str, size: str, event_time: str) -> dict[str, str]:
    return {
        "side": side,
        "event_time": event_time,
        "price_level": _without_zeros(price),
        "new_quantity": _without_zeros(size),
    }


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
