"""Frames of Coinbase Advanced Trade: channel l2_data, and the trades of channel market_trades.

    {"channel":"l2_data","timestamp":"...","sequence_num":15,"events":[{"type":"update","product_id":"BTC-USD",
     "updates":[{"side":"offer","event_time":"...","price_level":"65106.54","new_quantity":"0.15361938"}]}]}

A snapshot has the same form. Sides are bid and offer; some documents say ask.

    {"channel":"market_trades","timestamp":"...","sequence_num":0,"events":[{"type":"update","trades":[
     {"product_id":"BTC-USD","trade_id":"1068572090","price":"65083.67","size":"0.002186","time":"...","side":"SELL"}]}]}

Trades come newest first; a snapshot event holds the last ones before the subscription.
"""

from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw

from orderbook.decimals import parse_price, parse_size
from orderbook.events import BookEvent, BookFrame, Frame, Level, MalformedError, Trade, TradeFrame
from orderbook.venues.coinbase.frames import (
    ABSENT,
    Envelope,
    error_frame,
    frame_time,
    open_envelope,
    other_frame,
    try_envelope,
)
from orderbook.venues.coinbase.trades import TradeFields, product_of, read_trade
from orderbook.venues.rawjson import UNREADABLE, decode, string

ACKNOWLEDGEMENT: Final = "subscriptions"
BOOK_SIGN: Final = '"l2_data"'
"""What a frame of the book contains, unless its channel is escaped."""
TRADE_KINDS: Final = ("market_trades",)
TRADE_WORDS: Final = ('"market_trades"',)
"""Any frame without this, and without escapes, is not of channel market_trades."""


class Change(msgspec.Struct, gc=False):
    """One change of an event."""

    side: str
    price_level: str
    new_quantity: str


class _Subscriptions(msgspec.Struct):
    subscriptions: dict[str, list[str]]


class _Acknowledgement(msgspec.Struct):
    channel: str
    events: list[_Subscriptions]


class _TradeEvent(msgspec.Struct):
    type: Raw = ABSENT
    trades: Raw = ABSENT


_ACKNOWLEDGEMENT = msgspec.json.Decoder(_Acknowledgement)
_CHANGES = msgspec.json.Decoder(list[Change])
_OBJECTS = msgspec.json.Decoder(list[dict[str, Raw]])
_TRADE_EVENTS = msgspec.json.Decoder(list[_TradeEvent])
_TRADES = msgspec.json.Decoder(list[TradeFields])


def read(envelope: Envelope, product: str, sequence_num: int | None) -> Frame:
    """Return the frame of an envelope, with the events of one product.

    Raises:
        MalformedError: if a field is missing or has another type, or a side or number is not valid.
    """
    channel = string(envelope.channel)
    if channel == "l2_data":
        return BookFrame(_book_events(envelope.events, product), frame_time(envelope.timestamp), sequence_num)
    kind = string(envelope.type)
    if channel is None and kind == "error":
        return error_frame(envelope, sequence_num)
    return other_frame(kind if channel is None else channel, sequence_num)


def holds_book(text: str) -> bool:
    """Tell whether a text is a frame of channel l2_data."""
    if BOOK_SIGN not in text and "\\" not in text:
        return False
    return string(try_envelope(text).channel) == "l2_data"


def holds_snapshot(text: str) -> bool:
    """Tell whether a text is a frame of channel l2_data with a snapshot among its events."""
    envelope = try_envelope(text)
    # The type of an event is in the raw events; the fields of a level have other values.
    return string(envelope.channel) == "l2_data" and b'"snapshot"' in bytes(envelope.events)


def acknowledged(text: str) -> frozenset[str] | None:
    """Return the products that an acknowledgement lists, of any channel; see `Venue.acknowledged`.

    The channel of heartbeats has no products: it lists itself.

    >>> acknowledged('{"channel":"subscriptions","events":[{"subscriptions":{"level2":["BTC-USD"]}}]}')
    frozenset({'BTC-USD'})
    """
    if ACKNOWLEDGEMENT not in text:
        return None
    try:
        told = _ACKNOWLEDGEMENT.decode(text)
    except UNREADABLE:
        return None
    channels = [channel for event in told.events for channel in event.subscriptions.items()]
    named = frozenset(product for name, listed in channels for product in listed if product != name)
    return named if told.channel == ACKNOWLEDGEMENT else None


def book_time(text: str, product: str) -> int | None:
    """Return the largest event_time of a product's changes in a well-formed frame, None if it has none."""
    times = [
        frame_time(change.get("event_time", ABSENT))
        for event in decode(_OBJECTS, open_envelope(text).events, "events")
        if string(event.get("product_id", ABSENT)) == product
        for change in decode(_OBJECTS, event.get("updates", ABSENT), "updates")
    ]
    return max((time for time in times if time is not None), default=None)


def _book_events(events: Raw, product: str) -> list[BookEvent]:
    """Read all events of a frame, of whichever product, and return those of one product."""
    wanted = []
    for fields in decode(_OBJECTS, events, "events"):
        kind = string(fields.get("type", ABSENT))
        named = string(fields.get("product_id", ABSENT))
        if kind not in ("snapshot", "update"):
            raise MalformedError("an event is neither snapshot nor update")
        if named is None:
            raise MalformedError("product_id is no string")
        bids, asks = _sides(fields.get("updates", ABSENT))
        if named == product:
            wanted.append(BookEvent(kind == "snapshot", bids, asks))
    return wanted


def _sides(updates: Raw) -> tuple[list[Level], list[Level]]:
    bids: list[Level] = []
    asks: list[Level] = []
    for change in _changes(updates):
        level = (parse_price(change.price_level), parse_size(change.new_quantity))
        if change.side == "bid":
            bids.append(level)
        elif change.side in ("offer", "ask"):
            asks.append(level)
        else:
            raise MalformedError(f"side {change.side[:40]!r} is none of bid, offer, ask")
    return bids, asks


def _changes(updates: Raw) -> list[Change]:
    try:
        return decode(_CHANGES, updates, "updates")
    except MalformedError:
        # Of duplicate keys the last counts, but the typed decoder rejects a wrong type in an earlier one:
        # try again with the last values alone.
        return [_change(fields) for fields in decode(_OBJECTS, updates, "updates")]


def _change(fields: dict[str, Raw]) -> Change:
    values = [string(fields.get(name, ABSENT)) for name in ("side", "price_level", "new_quantity")]
    if None in values:
        raise MalformedError("side, price_level and new_quantity must be strings")
    return Change(*values)  # type: ignore[arg-type]  # None was ruled out above


def read_trades(text: str, product: str) -> TradeFrame | None:
    """Return what a frame says about trades of a product; see `Venue.read_trades`. O(length + n log n)."""
    envelope = open_envelope(text)
    if string(envelope.channel) not in TRADE_KINDS:
        return None
    trades: list[Trade] = []
    for event in decode(_TRADE_EVENTS, envelope.events, "events"):
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
