"""Trades of Coinbase Exchange: channel matches, and the last trade that a heartbeat names.

    {"type":"match","trade_id":280232,"side":"sell","size":"985","price":"0.00001305","product_id":"SKL-BTC","time":"..."}

`last_match` is the last trade before the subscription.
"""

from typing import Final

import msgspec

from orderbook.events import TradeFrame
from orderbook.venues.coinbase.trades import TradeFields, product_of, read_trade
from orderbook.venues.rawjson import check_depth, decode, integer, string

KINDS: Final = ("match", "last_match")
WORDS: Final = ('match"', '"heartbeat"')
"""Any frame without these, and without escapes, is no match, last_match or heartbeat."""

_FIELDS = msgspec.json.Decoder(TradeFields)


def read_trades(text: str, product: str) -> TradeFrame | None:
    """Return what a frame says about trades of a product; see `Venue.read_trades`. O(length).

    >>> read_trades('{"type":"heartbeat","product_id":"X-Y","last_trade_id":7}', "X-Y")
    TradeFrame(trades=[], last_trade_id=7)
    """
    fields = decode(_FIELDS, text, "not a JSON object")
    kind = string(fields.type)
    if kind in KINDS:
        check_depth(text)
        named = product_of(fields.product_id)
        trade = read_trade(fields, is_history=kind == "last_match")
        return TradeFrame([trade], None) if named == product else None
    if kind == "heartbeat" and string(fields.product_id) == product:
        last = integer(fields.last_trade_id)
        return None if last is None else TradeFrame([], last)
    return None
