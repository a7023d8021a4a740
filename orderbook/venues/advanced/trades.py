"""Trades of Coinbase Advanced Trade: channel market_trades, newest first.

    {"channel":"market_trades","timestamp":"...","sequence_num":0,"events":[{"type":"update","trades":[
     {"product_id":"BTC-USD","trade_id":"1068572090","price":"65083.67","size":"0.002186","time":"...","side":"SELL"}]}]}

A snapshot event holds the last trades before the subscription.
"""

from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw

from orderbook.events import MalformedError, Trade, TradeFrame
from orderbook.venues.coinbase.frames import ABSENT, open_envelope
from orderbook.venues.coinbase.trades import TradeFields, product_of, read_trade
from orderbook.venues.rawjson import decode, string

KINDS: Final = ("market_trades",)
WORDS: Final = ('"market_trades"',)
"""Any frame without this, and without escapes, is not of channel market_trades."""


class _Event(msgspec.Struct):
    type: Raw = ABSENT
    trades: Raw = ABSENT


_EVENTS = msgspec.json.Decoder(list[_Event])
_TRADES = msgspec.json.Decoder(list[TradeFields])


def read_trades(text: str, product: str) -> TradeFrame | None:
    """Return what a frame says about trades of a product; see `Venue.read_trades`. O(length + n log n)."""
    envelope = open_envelope(text)
    if string(envelope.channel) not in KINDS:
        return None
    trades: list[Trade] = []
    for event in decode(_EVENTS, envelope.events, "events"):
        kind = string(event.type)
        if kind not in ("snapshot", "update"):
            raise MalformedError("an event is neither snapshot nor update")
        for fields in decode(_TRADES, event.trades, "trades"):
            named = product_of(fields.product_id)
            trade = read_trade(fields, is_history=kind == "snapshot")
            if named == product:
                trades.append(trade)
    trades.sort(key=attrgetter("trade_id"))
    return TradeFrame(trades, None) if trades else None
