"""The compiled reader of Advanced Trade frames, those of trades too; `decoder` says what they mean."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import numbers, times
from orderbook.compiled.frames import add_event, begin_frame
from orderbook.compiled.jit import inlined, inner
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
    skip_space,
    skip_value,
    string,
)
from orderbook.venues.advanced.compiled_updates import read_updates
from orderbook.venues.coinbase import compiled as envelope
from orderbook.venues.coinbase.compiled import envelope_key, is_silent
from orderbook.venues.coinbase.compiled_trades import keep_trade, read_object

# Bits of the keys of an event.
_TYPE: Final = 1
_PRODUCT: Final = 2
_UPDATES: Final = 4
_TRADES: Final = 8
_OF_BOOK: Final = _TYPE | _PRODUCT | _UPDATES
_OF_TRADES: Final = _TYPE | _TRADES

_TYPE_KEY = np.frombuffer(b"type", np.uint8)
_PRODUCT_KEY = np.frombuffer(b"product_id", np.uint8)
_UPDATES_KEY = np.frombuffer(b"updates", np.uint8)
_TRADES_KEY = np.frombuffer(b"trades", np.uint8)
_SNAPSHOT = np.frombuffer(b"snapshot", np.uint8)
_UPDATE = np.frombuffer(b"update", np.uint8)
_L2_DATA = np.frombuffer(b"l2_data", np.uint8)
_MARKET_TRADES = np.frombuffer(b"market_trades", np.uint8)


@inner
def _trades(data: Any, at: int, end: int, product: Any, is_history: bool, frame: Any, market: Any) -> int:
    """Read an array of trades; return the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        at = read_object(data, at, end, product, frame, market)
        registers = market.registers
        if at < 0 or registers.row_malformed or not registers.is_trade or registers.row_trades == MAX_TRADES:
            return -1
        keep_trade(market, is_history)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return expect(data, at, end, CLOSE_ARRAY)


@inlined
def _event(data: Any, at: int, end: int, product: Any, wanted: int, frame: Any, market: Any) -> int:
    """Read one event, keep what it has of the product; return the position behind it.

    Its type must come before its trades. `wanted` is `_OF_BOOK` or `_OF_TRADES`.
    """
    seen = 0
    first = frame.registers.changes
    frame.registers.event_time = -1
    is_snapshot = is_ours = False
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start, stop = string(data, at, end)
        if stop < 0:
            return -1
        key = 0
        if is_word(data, start, stop, _TYPE_KEY):
            key = _TYPE
        elif is_word(data, start, stop, _PRODUCT_KEY):
            key = _PRODUCT
        elif is_word(data, start, stop, _UPDATES_KEY):
            key = _UPDATES
        elif is_word(data, start, stop, _TRADES_KEY):
            key = _TRADES
        key &= wanted
        if seen & key:
            return -1
        seen |= key
        at = expect(data, stop + 1, end, COLON)
        if key == 0:
            at = skip_value(data, at, end)
        elif key == _UPDATES:
            at = read_updates(data, at, end, frame)
        elif key == _TRADES:
            if not seen & _TYPE:
                return -1
            at = _trades(data, at, end, product, is_snapshot, frame, market)
        else:
            start, stop = string(data, at, end)
            if stop < 0:
                return -1
            if key == _PRODUCT:
                is_ours = is_word(data, start, stop, product)
            else:
                is_snapshot = is_word(data, start, stop, _SNAPSHOT)
                if not (is_snapshot or is_word(data, start, stop, _UPDATE)):
                    return -1
            at = stop + 1
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    at = expect(data, at, end, CLOSE_OBJECT)
    if at < 0 or seen != wanted:
        return -1
    if wanted == _OF_TRADES:
        return at
    if not is_ours:
        frame.registers.changes = first
    elif not add_event(frame, is_snapshot, first):
        return -1
    else:
        frame.registers.book_time = max(frame.registers.book_time, frame.registers.event_time)
    return at


@inlined
def _events(data: Any, at: int, end: int, product: Any, wanted: int, frame: Any, market: Any) -> int:
    """Read the events of a frame; return the position behind them."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        at = _event(data, at, end, product, wanted, frame, market)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return expect(data, at, end, CLOSE_ARRAY)


@inlined
def read_advanced(
    data: Any, at: int, end: int, product: Any, wants_trades: bool, frame: Any, market: Any
) -> int:
    """Read a frame; see `read_frame` of `compiled_readers`. The channel must come before the events."""
    begin_frame(frame)
    seen = wanted = 0
    is_other = False
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start, stop = string(data, at, end)
        if stop < 0:
            return -1
        key = envelope_key(data, start, stop)
        if seen & key:
            return -1
        seen |= key
        at = expect(data, stop + 1, end, COLON)
        if at < 0:
            return -1
        at = skip_space(data, at, end)
        if key == envelope.EVENTS and wanted:
            at = _events(data, at, end, product, wanted, frame, market)
        elif key == envelope.CHANNEL or key == envelope.TIMESTAMP:
            start, stop = string(data, at, end)
            if stop < 0:
                return -1
            if key == envelope.TIMESTAMP:
                time = times.time(data, start, stop, frame.registers)
                if time < 0:
                    return -1
                frame.registers.exchange_time = time
            else:
                if is_word(data, start, stop, _L2_DATA):
                    wanted = _OF_BOOK
                elif wants_trades and is_word(data, start, stop, _MARKET_TRADES):
                    wanted = _OF_TRADES
                else:
                    is_other = is_silent(data, start, stop)
                if wanted and seen & envelope.EVENTS:
                    return -1
            at = stop + 1
        elif key == envelope.SEQUENCE_NUM:
            at, frame.registers.sequence = numbers.sequence(data, at, end)
        else:
            at = skip_value(data, at, end)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    at = expect(data, at, end, CLOSE_OBJECT)
    if at < 0 or skip_space(data, at, end) != end:
        return -1
    if wanted and not seen & envelope.EVENTS:
        return -1
    if wanted == _OF_BOOK:
        return 1
    if wanted == _OF_TRADES:
        return 0 if follow_seen(market) else -1
    return 0 if is_other else -1
