"""Frames of Coinbase Exchange: snapshot and l2update, and the trades of channel matches.

    {"type":"snapshot","product_id":"BTC-USD","asks":[["10102.55","0.57"]],"bids":[["10101.10","0.45"]],"time":"..."}
    {"type":"l2update","product_id":"BTC-USD","changes":[["buy","10101.80","0.162567"]],"time":"..."}

A level is an array of exactly two strings, a change of exactly three; a size is absolute, 0 removes.

    {"type":"match","trade_id":280232,"side":"sell","size":"985","price":"0.00001305","product_id":"SKL-BTC","time":"..."}

`last_match` is the last trade before the subscription; a heartbeat names the last trade, too.
"""

from typing import Final

import msgspec
from msgspec import Raw

from orderbook.decimals import parse_price, parse_size
from orderbook.events import BookEvent, BookFrame, Frame, Level, MalformedError, TradeFrame
from orderbook.venues.coinbase.frames import (
    ABSENT,
    Envelope,
    error_frame,
    frame_time,
    other_frame,
    try_envelope,
)
from orderbook.venues.coinbase.trades import TradeFields, product_of, read_trade
from orderbook.venues.rawjson import UNREADABLE, check_depth, decode, integer, string

ACKNOWLEDGEMENT: Final = "subscriptions"
UPDATE_SIGN: Final = '"l2update"'
BOOK_SIGNS: Final = (UPDATE_SIGN, '"snapshot"')
"""What a frame of the book contains, unless its type is escaped."""
TRADE_KINDS: Final = ("match", "last_match")
TRADE_WORDS: Final = ('match"', '"heartbeat"')
"""Any frame without these, and without escapes, is no match, last_match or heartbeat."""


class _Heartbeat(msgspec.Struct):
    type: Raw = ABSENT
    product_id: Raw = ABSENT
    sequence: Raw = ABSENT


class _Channel(msgspec.Struct):
    product_ids: list[str] | None = None


class _Acknowledgement(msgspec.Struct):
    type: str
    channels: list[_Channel]


_ACKNOWLEDGEMENT = msgspec.json.Decoder(_Acknowledgement)
_HEARTBEAT = msgspec.json.Decoder(_Heartbeat)
_LEVELS = msgspec.json.Decoder(list[tuple[str, str]])
_CHANGES = msgspec.json.Decoder(list[tuple[str, str, str]])
_TRADE = msgspec.json.Decoder(TradeFields)


def read(envelope: Envelope, product: str, sequence_num: int | None) -> Frame:
    """Return the frame of an envelope, with the events of one product.

    Raises:
        MalformedError: if a field is missing or has another type, or a side or number is not valid.
    """
    kind = string(envelope.type)
    if kind == "l2update":
        event = _update(envelope.product_id, envelope.changes, product)
    elif kind == "snapshot":
        event = _snapshot(envelope.product_id, envelope.bids, envelope.asks, product)
    elif kind == "error":
        return error_frame(envelope, sequence_num)
    else:
        return other_frame(string(envelope.channel) if kind is None else kind, sequence_num)
    return BookFrame([event] if event else [], frame_time(envelope.time), sequence_num)


def holds_book(text: str) -> bool:
    """Tell whether a text is a snapshot or an l2update."""
    if "\\" not in text and not any(sign in text for sign in BOOK_SIGNS):
        return False
    envelope = try_envelope(text)
    if string(envelope.type) not in ("snapshot", "l2update"):
        return False
    return envelope.channel is ABSENT or string(envelope.channel) is None


def holds_snapshot(text: str) -> bool:
    """Tell whether a text is a snapshot."""
    return string(try_envelope(text).type) == "snapshot"


def acknowledged(text: str) -> frozenset[str] | None:
    """Return the products that an acknowledgement lists, of any channel; see `Venue.acknowledged`.

    >>> acknowledged('{"type":"subscriptions","channels":[{"name":"level2","product_ids":["BTC-USD"]}]}')
    frozenset({'BTC-USD'})
    """
    if ACKNOWLEDGEMENT not in text:
        return None
    try:
        told = _ACKNOWLEDGEMENT.decode(text)
    except UNREADABLE:
        return None
    named = frozenset(product for channel in told.channels for product in channel.product_ids or ())
    return named if told.type == ACKNOWLEDGEMENT else None


def activity(text: str, product: str) -> int | None:
    """Return the sequence that a heartbeat of a product names: the number of its last message of any channel.

    >>> activity('{"type":"heartbeat","sequence":90,"product_id":"BTC-USD"}', "BTC-USD")
    90
    """
    try:
        beat = _HEARTBEAT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    is_beat = string(beat.type) == "heartbeat" and string(beat.product_id) == product
    return integer(beat.sequence) if is_beat else None


def _snapshot(product_id: Raw, bids: Raw, asks: Raw, product: str) -> BookEvent | None:
    """Read a snapshot; None if it is another product's."""
    named = _product(product_id)
    event = BookEvent(True, _levels(bids, "bids"), _levels(asks, "asks"))
    return event if named == product else None


def _update(product_id: Raw, changes: Raw, product: str) -> BookEvent | None:
    """Read an l2update; None if it is another product's."""
    named = _product(product_id)
    bids: list[Level] = []
    asks: list[Level] = []
    for side, price, size in decode(_CHANGES, changes, "changes"):
        if side == "buy":
            bids.append((parse_price(price), parse_size(size)))
        elif side == "sell":
            asks.append((parse_price(price), parse_size(size)))
        else:
            raise MalformedError(f"side {side[:40]!r} is neither buy nor sell")
    return BookEvent(False, bids, asks) if named == product else None


def _product(product_id: Raw) -> str:
    product = string(product_id)
    if product is None:
        raise MalformedError("product_id is no string")
    return product


def _levels(raw: Raw, what: str) -> list[Level]:
    return [(parse_price(price), parse_size(size)) for price, size in decode(_LEVELS, raw, what)]


def read_trades(text: str, product: str) -> TradeFrame | None:
    """Return what a frame says about trades of a product; see `Venue.read_trades`. O(length).

    >>> read_trades('{"type":"heartbeat","product_id":"X-Y","last_trade_id":7}', "X-Y")
    TradeFrame(trades=[], last_trade_id=7)
    """
    fields = decode(_TRADE, text, "not a JSON object")
    kind = string(fields.type)
    if kind in TRADE_KINDS:
        check_depth(text)
        named = product_of(fields.product_id)
        trade = read_trade(fields, is_history=kind == "last_match")
        return TradeFrame([trade], None) if named == product else None
    if kind == "heartbeat" and string(fields.product_id) == product:
        last = integer(fields.last_trade_id)
        return None if last is None else TradeFrame([], last)
    return None
