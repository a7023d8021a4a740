"""Top-level keys and silent kinds of Coinbase's frames, as bytes for the compiled engine."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.scan import is_word

# Bits of the top-level keys.
TYPE: Final = 1
CHANNEL: Final = 2
PRODUCT_ID: Final = 4
TIME: Final = 8
TIMESTAMP: Final = 16
SEQUENCE_NUM: Final = 32
BIDS: Final = 64
ASKS: Final = 128
CHANGES: Final = 256
EVENTS: Final = 512

_TYPE = np.frombuffer(b"type", np.uint8)
_CHANNEL = np.frombuffer(b"channel", np.uint8)
_PRODUCT_ID = np.frombuffer(b"product_id", np.uint8)
_TIME = np.frombuffer(b"time", np.uint8)
_TIMESTAMP = np.frombuffer(b"timestamp", np.uint8)
_SEQUENCE_NUM = np.frombuffer(b"sequence_num", np.uint8)
_BIDS = np.frombuffer(b"bids", np.uint8)
_ASKS = np.frombuffer(b"asks", np.uint8)
_CHANGES = np.frombuffer(b"changes", np.uint8)
_EVENTS = np.frombuffer(b"events", np.uint8)
_SILENT = [
    np.frombuffer(word, np.uint8)
    for word in (b"heartbeat", b"heartbeats", b"subscriptions", b"ticker", b"ticker_batch", b"status")
]
_HEARTBEAT, _HEARTBEATS, _SUBSCRIPTIONS, _TICKER, _TICKER_BATCH, _STATUS = _SILENT
_MARKET_TRADES = np.frombuffer(b"market_trades", np.uint8)
_CANDLES = np.frombuffer(b"candles", np.uint8)
_MATCH = np.frombuffer(b"match", np.uint8)
_LAST_MATCH = np.frombuffer(b"last_match", np.uint8)


@inlined
def envelope_key(data: Any, start: int, stop: int) -> int:
    """Return the bit of a top-level key; 0 for any other key."""
    length = stop - start
    if length == 4:
        if is_word(data, start, stop, _TYPE):
            return TYPE
        if is_word(data, start, stop, _TIME):
            return TIME
        if is_word(data, start, stop, _BIDS):
            return BIDS
        return ASKS if is_word(data, start, stop, _ASKS) else 0
    if length == 10:
        return PRODUCT_ID if is_word(data, start, stop, _PRODUCT_ID) else 0
    if length == 7:
        if is_word(data, start, stop, _CHANGES):
            return CHANGES
        return CHANNEL if is_word(data, start, stop, _CHANNEL) else 0
    if length == 9:
        return TIMESTAMP if is_word(data, start, stop, _TIMESTAMP) else 0
    if length == 12:
        return SEQUENCE_NUM if is_word(data, start, stop, _SEQUENCE_NUM) else 0
    return EVENTS if length == 6 and is_word(data, start, stop, _EVENTS) else 0


@inner
def is_silent(data: Any, start: int, stop: int) -> bool:
    """Tell whether a type or channel is a documented one that is neither about the book nor an error.

    Only the common ones are recognised.
    """
    return (
        is_word(data, start, stop, _HEARTBEATS)
        or is_word(data, start, stop, _TICKER)
        or is_word(data, start, stop, _MARKET_TRADES)
        or is_word(data, start, stop, _HEARTBEAT)
        or is_word(data, start, stop, _SUBSCRIPTIONS)
        or is_word(data, start, stop, _TICKER_BATCH)
        or is_word(data, start, stop, _STATUS)
        or is_word(data, start, stop, _CANDLES)
        or is_word(data, start, stop, _MATCH)
        or is_word(data, start, stop, _LAST_MATCH)
    )
