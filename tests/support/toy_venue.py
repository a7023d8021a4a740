"""A fictitious venue with its own message format: everything that a new venue has to define.

Every message is numbered over all products of a connection:
`{"k": "book", "n": 3, "p": "BTC-USD", "full": true, "b": [["100", "1"]], "a": []}`. Other kinds are `ok`,
`beat` and `no`.
"""
# ruff: noqa: ARG002  this venue needs only some of the arguments

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any

from orderbook.decimals import parse_price, parse_size
from orderbook.events import BookEvent, BookFrame, Frame, MalformedError, MalformedFrame, OtherFrame
from orderbook.venues.base import RefusedError, TextChange, TextLevel, TextTrade, Venue


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def decode(text: str, product: str) -> Frame:
    """Return the frame."""
    fields = _fields(text)
    number = fields.get("n")
    if fields.get("k") in ("ok", "beat"):
        return OtherFrame(None, fields["k"], number)
    if fields.get("k") == "no":
        return OtherFrame("error", fields["why"], None)
    try:
        bids, asks = ([(parse_price(p), parse_size(s)) for p, s in fields[side]] for side in ("b", "a"))
        event = BookEvent(fields["full"], bids, asks)
    except (KeyError, TypeError, ValueError, MalformedError):
        return MalformedFrame("not a message of this venue", number)
    return BookFrame([event] if fields["p"] == product else [], None, number)


def acknowledged(text: str) -> frozenset[str] | None:
    """Return the products that an acknowledgement lists; None if it is none."""
    fields = _fields(text)
    channels = fields.get("have", {}).values()
    return frozenset(name for listed in channels for name in listed) if fields.get("k") == "ok" else None


class ToyServer:
    """One connection."""

    def __init__(self, first_number: int | None) -> None:
        self._numbers = count(first_number or 0)

    def read_subscribe(
        self, text: str, products: Collection[str], channels: Collection[str]
    ) -> dict[str, list[str]]:
        """Return the products, by channel."""
        wanted: dict[str, list[str]] = _fields(text).get("want", {})
        for channel, named in wanted.items():
            if channel not in channels or not set(named) <= set(products):
                raise RefusedError("no", f"{channel} {named}")
        return wanted

    def snapshot(
        self, product: str, bids: Sequence[TextLevel], asks: Sequence[TextLevel], time_ns: int
    ) -> str:
        """Return the whole book."""
        return self._message("book", p=product, full=True, b=bids, a=asks)

    def update(self, product: str, changes: Sequence[TextChange], time_ns: int) -> str:
        """Return a batch of changes."""
        sides = {name: [each[1:] for each in changes if each[0][0] == name] for name in ("b", "a")}
        return self._message("book", p=product, full=False, **sides)

    def subscriptions(self, channels: Mapping[str, Sequence[str]], time_ns: int) -> str:
        """Return the acknowledgement."""
        return self._message("ok", have=dict(channels))

    def trades(
        self, product: str, trades: Sequence[TextTrade], time_ns: int, *, is_history: bool = False
    ) -> list[str]:
        """Return no frame: this venue tells no trades."""
        return []

    def heartbeats(
        self, last_trades: Mapping[str, int], number: int, time_ns: int, uptime_ns: int
    ) -> list[str]:
        """Return the heartbeat of the connection."""
        return [self._message("beat")]

    def error(self, message: str, reason: str) -> str:
        """Return a refusal."""
        return json.dumps({"k": "no", "why": f"{message} {reason}"})

    def _message(self, kind: str, **fields: object) -> str:
        return json.dumps({"k": kind, "n": next(self._numbers), **fields})


VENUE = Venue(
    name="toy",
    url="wss://toy.invalid",
    book_channels=("depth",),
    heartbeat_channels=("beat",),
    acknowledgement="ok",
    acknowledged=acknowledged,
    acknowledges_first=True,
    is_numbered=True,
    reader=1_000,
    subscribe=lambda channel, product, _trades: [json.dumps({"want": {channel: [product], "beat": []}})],
    decode=decode,
    sequence_num=lambda text: _fields(text).get("n"),
    kind=lambda text: _fields(text).get("k"),
    holds_book=lambda text: _fields(text).get("k") == "book",
    holds_snapshot=lambda text: _fields(text).get("full") is True,
    trade_channel="trades",
    trades_first={"depth": True},
    trade_kinds=("trade",),
    trade_words=('"trade"',),
    read_trades=lambda _text, _product: None,
    update_sign='"book"',
    error=lambda text: _fields(text)["why"] if _fields(text).get("k") == "no" else None,
    is_final=lambda error, product: product in error,
    activity=lambda _text, _product: None,
    products_named=lambda text: (_fields(text)["p"],) if "p" in _fields(text) else (),
    server=ToyServer,
)
