"""The compiled reader of the levels of an Advanced Trade frame."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import numbers, times
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
    string,
    string_end,
)
from orderbook.compiled.words import eight, get_word, mask_of, set_word, word_of

# Bits of the keys of a level.
_SIDE: Final = 1
_PRICE: Final = 2
_QUANTITY: Final = 4
_ALL: Final = 7
_EVENT_TIME: Final = 8

_SIDE_KEY = np.frombuffer(b"side", np.uint8)
_PRICE_KEY = np.frombuffer(b"price_level", np.uint8)
_QUANTITY_KEY = np.frombuffer(b"new_quantity", np.uint8)
_EVENT_TIME_KEY = np.frombuffer(b"event_time", np.uint8)
_BID = np.frombuffer(b"bid", np.uint8)
_OFFER = np.frombuffer(b"offer", np.uint8)
_ASK = np.frombuffer(b"ask", np.uint8)

_SIX: Final[Any] = mask_of(6)
_BEGIN: Final[Any] = word_of(b'{"side":')
_BID_NEXT: Final[Any] = word_of(b'"bid",')
_OFFER_NEXT: Final[Any] = word_of(b'"offer",')
_TIME_NEXT: Final[Any] = word_of(b'"event_t'), word_of(b'ime":"')
_PRICE_LEVEL: Final[Any] = word_of(b'","price'), word_of(b'_level":')
_NEW_QUANTITY: Final[Any] = word_of(b',"new_qu'), word_of(b'antity":')


@inner
def _read_time(data: Any, start: int, end: int, registers: Any) -> int:
    """Read an event_time from behind its quote; return the position of the quote that ends it."""
    registers.time = registers.time_length = -1
    stop = string_end(data, start, end)
    if stop < 0:
        return -1
    if registers.wants_book_time:
        registers.time = times.time(data, start, stop, registers)
        if registers.time < 0:
            return -1
    length = stop + 1 - start
    if 24 <= length <= 32 and start + 32 <= end:
        for word in range(3):
            set_word(registers.time_text, word, np.int64(eight(data, start + 8 * word)))
        set_word(registers.time_text, 3, np.int64(eight(data, start + length - 8)))
        registers.time_length = length
    return stop


@inlined
def _is_last_time(data: Any, start: int, end: int, registers: Any) -> bool:
    """Tell whether the event_time from `start` on is the one that was read last, as nearly all are."""
    length = registers.time_length
    return bool(
        (length > 0)
        and (start + 32 <= end)
        and (np.int64(eight(data, start)) == get_word(registers.time_text, 0))
        & (np.int64(eight(data, start + 8)) == get_word(registers.time_text, 1))
        & (np.int64(eight(data, start + 16)) == get_word(registers.time_text, 2))
        & (np.int64(eight(data, start + length - 8)) == get_word(registers.time_text, 3))
    )


@inner
def _update(data: Any, at: int, end: int, frame: Any) -> int:
    """Append one level, an object, to the changes; return the position behind it."""
    seen = 0
    side = 0
    price = units = rest = 0
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start, stop = string(data, at, end)
        if stop < 0:
            return -1
        key = 0
        if is_word(data, start, stop, _SIDE_KEY):
            key = _SIDE
        elif is_word(data, start, stop, _PRICE_KEY):
            key = _PRICE
        elif is_word(data, start, stop, _QUANTITY_KEY):
            key = _QUANTITY
        elif is_word(data, start, stop, _EVENT_TIME_KEY):
            key = _EVENT_TIME
        if seen & key:
            return -1
        seen |= key
        at = expect(data, stop + 1, end, COLON)
        if key == 0 or (key == _EVENT_TIME and not frame.registers.wants_book_time):
            at = skip_value(data, at, end)
        else:
            at = expect(data, at, end, QUOTE)
            if at < 0:
                return -1
            if key == _PRICE:
                at, price = numbers.price(data, at, end)
            elif key == _QUANTITY:
                at, units, rest = numbers.size(data, at, end)
            elif key == _EVENT_TIME:
                at = _read_time(data, at, end, frame.registers) + 1
                if at == 0:
                    return -1
                frame.registers.event_time = max(frame.registers.event_time, frame.registers.time)
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
    if at < 0 or seen & _ALL != _ALL or not add_change(frame, side, price, units, rest):
        return -1
    return at


@inlined
def _usual_update(data: Any, at: int, end: int, frame: Any) -> int:
    """Append one level in the venue's usual spelling; -1 for any other, which `_update` reads."""
    if at < 0 or at + 48 > end or eight(data, at) != _BEGIN:
        return -1
    word = eight(data, at + 8)  # the side cannot be predicted, so there is no branch on it
    side = int(word == _OFFER_NEXT)
    if not side | (word & _SIX == _BID_NEXT):
        return -1
    at += 14 + 2 * side
    if eight(data, at) != _TIME_NEXT[0] or eight(data, at + 8) & _SIX != _TIME_NEXT[1]:
        return -1
    at += 14
    if _is_last_time(data, at, end, frame.registers):
        at += frame.registers.time_length - 1
    else:
        at = _read_time(data, at, end, frame.registers)
    frame.registers.event_time = max(frame.registers.event_time, frame.registers.time)
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
    at, units, rest = numbers.size(data, at + 17, end)
    if at < 0 or at >= end or byte(data, at) != CLOSE_OBJECT:
        return -1
    return at + 1 if add_change(frame, side, price, units, rest) else -1


@inner
def read_updates(data: Any, at: int, end: int, frame: Any) -> int:
    """Read an array of levels; return the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        usual = _usual_update(data, at, end, frame)
        at = usual if usual >= 0 else _update(data, at, end, frame)
        if peek(data, at, end) != COMMA:
            break
        at = expect(data, at, end, COMMA)
    return expect(data, at, end, CLOSE_ARRAY)
