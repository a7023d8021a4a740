"""The levels of an Advanced Trade frame, as bytes."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import numbers
from orderbook.compiled.frames import add_change
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    byte,
    expect,
    is_word,
    peek,
    skip_value,
    string_end,
)
from orderbook.compiled.words import eight, mask_of, word_of

# Bits of the keys of a level.
_SIDE: Final = 1
_PRICE: Final = 2
_QUANTITY: Final = 4
_ALL: Final = 7

_SIDE_KEY = np.frombuffer(b"side", np.uint8)
_PRICE_KEY = np.frombuffer(b"price_level", np.uint8)
_QUANTITY_KEY = np.frombuffer(b"new_quantity", np.uint8)
_BID = np.frombuffer(b"bid", np.uint8)
_OFFER = np.frombuffer(b"offer", np.uint8)
_ASK = np.frombuffer(b"ask", np.uint8)

_SIX: Final[Any] = mask_of(6)
_BEGIN: Final[Any] = word_of(b'{"side":')
_BID_NEXT: Final[Any] = word_of(b'"bid",')
_OFFER_NEXT: Final[Any] = word_of(b'"offer",')
_EVENT_TIME: Final[Any] = word_of(b'"event_t'), word_of(b'ime":"')
_PRICE_LEVEL: Final[Any] = word_of(b'","price'), word_of(b'_level":')
_NEW_QUANTITY: Final[Any] = word_of(b',"new_qu'), word_of(b'antity":')


@inner
def _update(data: Any, at: int, end: int, changes: Any, registers: Any) -> int:
    """Read one level, an object, into the changes; the position behind it."""
    seen = 0
    side = 0
    price = whole = fraction = 0
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start = expect(data, at, end, QUOTE)
        stop = string_end(data, start, end)
        if stop < 0:
            return -1
        key = 0
        if is_word(data, start, stop, _SIDE_KEY):
            key = _SIDE
        elif is_word(data, start, stop, _PRICE_KEY):
            key = _PRICE
        elif is_word(data, start, stop, _QUANTITY_KEY):
            key = _QUANTITY
        if seen & key:
            return -1
        seen |= key
        at = expect(data, stop + 1, end, COLON)
        if key == 0:
            at = skip_value(data, at, end)
        else:
            at = expect(data, at, end, QUOTE)
            if at < 0:
                return -1
            if key == _PRICE:
                at, price = numbers.price(data, at, end)
            elif key == _QUANTITY:
                at, whole, fraction = numbers.size(data, at, end)
            else:
                stop = string_end(data, at, end)
                if stop < 0:
                    return -1
                if is_word(data, at, stop, _OFFER) or is_word(data, at, stop, _ASK):
                    side = 1
                elif not is_word(data, at, stop, _BID):
                    return -1
                at = stop + 1
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    at = expect(data, at, end, CLOSE_OBJECT)
    if at < 0 or seen != _ALL or not add_change(changes, registers, side, price, whole, fraction):
        return -1
    return at


@inlined
def _usual_update(data: Any, at: int, end: int, changes: Any, registers: Any) -> int:
    """Read one level that the feed writes it; -1 for any other way, which `_update` reads."""
    if at < 0 or at + 48 > end or eight(data, at) != _BEGIN:
        return -1
    word = eight(data, at + 8)  # which side nobody can foresee: no branch asks
    side = int(word == _OFFER_NEXT)
    if not side | (word & _SIX == _BID_NEXT):
        return -1
    at += 14 + 2 * side
    if eight(data, at) != _EVENT_TIME[0] or eight(data, at + 8) & _SIX != _EVENT_TIME[1]:
        return -1
    at = string_end(data, at + 14, end)
    if at < 0 or at + 17 > end:
        return -1
    if (
        eight(data, at) != _PRICE_LEVEL[0]
        or eight(data, at + 8) != _PRICE_LEVEL[1]
        or byte(data, at + 16) != QUOTE
    ):
        return -1
    at, price = numbers.price(data, at + 17, end)
    if at < 0 or at + 17 > end:
        return -1
    if (
        eight(data, at) != _NEW_QUANTITY[0]
        or eight(data, at + 8) != _NEW_QUANTITY[1]
        or byte(data, at + 16) != QUOTE
    ):
        return -1
    at, whole, fraction = numbers.size(data, at + 17, end)
    if at < 0 or at >= end or byte(data, at) != CLOSE_OBJECT:
        return -1
    return at + 1 if add_change(changes, registers, side, price, whole, fraction) else -1


@inner
def read_updates(data: Any, at: int, end: int, changes: Any, registers: Any) -> int:
    """Read an array of levels; the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        usual = _usual_update(data, at, end, changes, registers)
        at = usual if usual >= 0 else _update(data, at, end, changes, registers)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return expect(data, at, end, CLOSE_ARRAY)
