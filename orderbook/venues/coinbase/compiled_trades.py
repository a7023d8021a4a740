"""The compiled reader of an object with the fields of a trade; `trades` says what they mean."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import numbers, times
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import TRADE
from orderbook.compiled.market import size_units
from orderbook.compiled.scan import (
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_OBJECT,
    QUOTE,
    byte,
    expect,
    is_word,
    peek,
    skip_space,
    skip_value,
    string,
    string_end,
)
from orderbook.compiled.words import eight, mask_of, set_word, word_of
from orderbook.execution.market_rows import NO_TIME

# Bits of the keys of an object.
_TYPE: Final = 1
_PRODUCT: Final = 2
_TRADE_ID: Final = 4
_SIDE: Final = 8
_PRICE: Final = 16
_SIZE: Final = 32
_TIME: Final = 64
_LAST_TRADE_ID: Final = 128
_SEQUENCE_NUM: Final = 256
_NEEDED: Final = _PRODUCT | _TRADE_ID | _SIDE | _PRICE | _SIZE

# Values of `type`, as `MARKET_REGISTERS` has them.
OTHER: Final = 0
MATCH: Final = 1
LAST_MATCH: Final = 2
HEARTBEAT: Final = 3

_FOUR: Final[Any] = mask_of(4)
_FIVE: Final[Any] = mask_of(5)
_TYPE_KEY: Final[Any] = word_of(b"type")
_SIDE_KEY: Final[Any] = word_of(b"side")
_SIZE_KEY: Final[Any] = word_of(b"size")
_TIME_KEY: Final[Any] = word_of(b"time")
_PRICE_KEY: Final[Any] = word_of(b"price")
_ID_KEY: Final[Any] = word_of(b"trade_id")
_PRODUCT_KEY = np.frombuffer(b"product_id", np.uint8)
_LAST_ID_KEY = np.frombuffer(b"last_trade_id", np.uint8)
_SEQUENCE_KEY = np.frombuffer(b"sequence_num", np.uint8)
_VALUES = [
    np.frombuffer(word, np.uint8)
    for word in (b"match", b"last_match", b"heartbeat", b"buy", b"BUY", b"sell", b"SELL")
]
_MATCH, _LAST_MATCH, _HEARTBEAT, _BUY, _BUY_LARGE, _SELL, _SELL_LARGE = _VALUES


@inlined
def _key(data: Any, start: int, stop: int) -> int:
    """Return the bit of a key; 0 for any other."""
    length = stop - start
    word = eight(data, start)
    if length == 4:
        word &= _FOUR
        if word == _SIDE_KEY:
            return _SIDE
        if word == _SIZE_KEY:
            return _SIZE
        if word == _TIME_KEY:
            return _TIME
        return _TYPE if word == _TYPE_KEY else 0
    if length == 5:
        return _PRICE if word & _FIVE == _PRICE_KEY else 0
    if length == 8:
        return _TRADE_ID if word == _ID_KEY else 0
    if length == 10:
        return _PRODUCT if is_word(data, start, stop, _PRODUCT_KEY) else 0
    if length == 12:
        return _SEQUENCE_NUM if is_word(data, start, stop, _SEQUENCE_KEY) else 0
    return _LAST_TRADE_ID if is_word(data, start, stop, _LAST_ID_KEY) else 0


@inlined
def type_of(data: Any, start: int, stop: int) -> int:
    """Return which of the types that tell of trades it is, `OTHER` if none."""
    if is_word(data, start, stop, _MATCH):
        return MATCH
    if is_word(data, start, stop, _HEARTBEAT):
        return HEARTBEAT
    return LAST_MATCH if is_word(data, start, stop, _LAST_MATCH) else OTHER


@inlined
def _side(data: Any, start: int, stop: int) -> int:
    """Return the maker's side; -1 for any other text."""
    if is_word(data, start, stop, _BUY) or is_word(data, start, stop, _BUY_LARGE):
        return 0
    return 1 if is_word(data, start, stop, _SELL) or is_word(data, start, stop, _SELL_LARGE) else -1


@inlined
def _is_malformed(data: Any, start: int, stop: int) -> bool:
    """Tell whether a text that ends before `stop`, -1 if it has escapes, is surely not 1 to 18 digits."""
    is_number = stop - start > 0 and stop - start <= 18
    for place in range(start, stop):
        is_number = is_number and 48 <= byte(data, place) <= 57
    return stop >= 0 and not is_number


@inner
def read_object(data: Any, at: int, end: int, product: Any, frame: Any, market: Any) -> int:
    """Read an object into the place behind the trades of the row.

    Returns:
        The position behind it. Registers say what it is: `type`, `is_ours`, `is_trade`, `row_malformed` if
        its trade_id is a text that is no number, and `last_trade_id`, -1 if it has none.
        -1 if it is left to the plain engine or there is no room.
    """
    registers, trades = market.registers, market.trades
    trade = (registers.trades + registers.row_trades) * TRADE
    if trade + TRADE > len(trades):
        registers.lacks_room = 1
        return -1
    registers.type = OTHER
    registers.is_ours = registers.is_cut = 0
    registers.last_trade_id = -1
    set_word(trades, trade + 1, NO_TIME)
    seen = 0
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start, stop = string(data, at, end)
        if stop < 0 or start + 8 > end:
            return -1
        key = _key(data, start, stop)
        if seen & key or key == _SEQUENCE_NUM:
            return -1
        seen |= key
        at = expect(data, stop + 1, end, COLON)
        if at < 0:
            return -1
        at = skip_space(data, at, end)
        if key == 0:
            at = skip_value(data, at, end)
        elif key == _TRADE_ID or key == _LAST_TRADE_ID:  # noqa: SIM109  `in` makes a tuple
            is_text = key == _TRADE_ID and peek(data, at, end) == QUOTE
            start = at + is_text
            at, number = numbers.sequence(data, start, end)
            if is_text and (at < 0 or byte(data, at) != QUOTE):
                at = string_end(data, start, end)
                registers.row_malformed = _is_malformed(data, start, at)
                if not registers.row_malformed:
                    return -1
            if at < 0:
                return -1
            at += is_text
            if key == _TRADE_ID:
                set_word(trades, trade, number)
            else:
                registers.last_trade_id = number
        else:
            at = expect(data, at, end, QUOTE)
            if at < 0:
                return -1
            if key == _PRICE:
                at, price = numbers.price(data, at, end)
                set_word(trades, trade + 3, price)
            elif key == _SIZE:
                at, units, rest = numbers.size(data, at, end)
                units, registers.is_cut = size_units(units, rest)
                set_word(trades, trade + 4, units)
            else:
                start, stop = at, string_end(data, at, end)
                if stop < 0:
                    return -1
                if key == _TYPE:
                    registers.type = type_of(data, start, stop)
                elif key == _PRODUCT:
                    registers.is_ours = is_word(data, start, stop, product)
                else:
                    if key == _SIDE:
                        value = _side(data, start, stop)
                    else:
                        value = times.time(data, start, stop, frame.registers)
                    if value < 0:
                        return -1
                    set_word(trades, trade + (2 if key == _SIDE else 1), value)
                at = stop + 1
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    registers.is_trade = seen & _NEEDED == _NEEDED
    return expect(data, at, end, CLOSE_OBJECT)


@inlined
def keep_trade(market: Any, is_history: bool) -> None:
    """Keep the trade that was read, if it is the product's."""
    registers = market.registers
    if registers.is_ours:
        trade = registers.trades + registers.row_trades
        set_word(market.trades, trade * TRADE + 5, is_history)
        registers.row_trades += 1
        registers.row_cut += registers.is_cut
