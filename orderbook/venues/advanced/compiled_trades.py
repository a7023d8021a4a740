"""The compiled reader of the trades of Advanced Trade; `trades` says what they mean."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inner
from orderbook.compiled.layout import MAX_TRADES
from orderbook.compiled.market import follow_seen
from orderbook.compiled.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    expect,
    is_word,
    peek,
    skip_value,
    string,
)
from orderbook.venues.coinbase.compiled_trades import keep_trade, read_object

# What is known of an event while it is read.
_UNKNOWN: Final = 0
_UPDATE: Final = 1
_SNAPSHOT: Final = 2
_READ: Final = 3

_CHANNEL_KEY = np.frombuffer(b"channel", np.uint8)
_EVENTS_KEY = np.frombuffer(b"events", np.uint8)
_TYPE_KEY = np.frombuffer(b"type", np.uint8)
_TRADES_KEY = np.frombuffer(b"trades", np.uint8)
_MARKET_TRADES = np.frombuffer(b"market_trades", np.uint8)
_UPDATE_TYPE = np.frombuffer(b"update", np.uint8)
_SNAPSHOT_TYPE = np.frombuffer(b"snapshot", np.uint8)


@inner
def _trades(data: Any, at: int, end: int, product: Any, is_history: bool, frame: Any, market: Any) -> int:
    """Read an array of trades; return the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        at = read_object(data, at, end, product, frame, market)
        if at < 0 or not market.registers.is_trade or market.registers.row_trades == MAX_TRADES:
            return -1
        keep_trade(market, is_history)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return expect(data, at, end, CLOSE_ARRAY)


@inner
def _event(data: Any, at: int, end: int, product: Any, frame: Any, market: Any) -> int:
    """Read an event, whose type must come before its trades; return the position behind it."""
    state = _UNKNOWN
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start, stop = string(data, at, end)
        if stop < 0:
            return -1
        at = expect(data, stop + 1, end, COLON)
        if is_word(data, start, stop, _TYPE_KEY):
            start, stop = string(data, at, end)
            if stop < 0 or state != _UNKNOWN:
                return -1
            if is_word(data, start, stop, _SNAPSHOT_TYPE):
                state = _SNAPSHOT
            elif is_word(data, start, stop, _UPDATE_TYPE):
                state = _UPDATE
            else:
                return -1
            at = stop + 1
        elif is_word(data, start, stop, _TRADES_KEY):
            if state == _UNKNOWN or state == _READ:  # noqa: SIM109  `in` makes a tuple
                return -1
            at = _trades(data, at, end, product, state == _SNAPSHOT, frame, market)
            state = _READ
        else:
            at = skip_value(data, at, end)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return expect(data, at, end, CLOSE_OBJECT) if state == _READ else -1


@inner
def read_advanced_trades(data: Any, at: int, end: int, product: Any, frame: Any, market: Any) -> int:
    """Read the trades of a frame that is no book; return 0, or -1 as `read_frame` does.

    The channel must come before the events, as `read_advanced` has it, which has checked all that is left out
    here.
    """
    is_known = False
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start, stop = string(data, at, end)
        at = expect(data, stop + 1, end, COLON)
        if is_word(data, start, stop, _CHANNEL_KEY):
            start, stop = string(data, at, end)
            if not is_word(data, start, stop, _MARKET_TRADES):
                return 0
            is_known = True
            at = stop + 1
        elif is_word(data, start, stop, _EVENTS_KEY):
            if not is_known:
                return -1
            at = expect(data, at, end, OPEN_ARRAY)
            if peek(data, at, end) == CLOSE_ARRAY:
                return 0
            while at >= 0:
                at = _event(data, at, end, product, frame, market)
                if peek(data, at, end) != COMMA:
                    return 0 if peek(data, at, end) == CLOSE_ARRAY and follow_seen(market) else -1
                at = expect(data, at, end, COMMA)
            return -1
        else:
            at = skip_value(data, at, end)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return -1
