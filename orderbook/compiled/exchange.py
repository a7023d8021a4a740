"""The Exchange dialect's frames, as bytes; `orderbook.exchange` says what they mean."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import frames, numbers, times
from orderbook.compiled.frames import add_change, add_event, begin_frame, envelope_key, is_silent
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
    skip_space,
    skip_value,
    string_end,
)
from orderbook.compiled.words import eight, mask_of, word_of

_BUY = np.frombuffer(b"buy", np.uint8)
_SELL = np.frombuffer(b"sell", np.uint8)
_BUY_NEXT: Final[Any] = word_of(b'["buy","')
_SELL_NEXT: Final[Any] = word_of(b'["sell",')
_FOUR: Final[Any] = mask_of(4)
_SIX: Final[Any] = mask_of(6)
_TYPE_COLON: Final[Any] = word_of(b'type":')
_TIME_COLON: Final[Any] = word_of(b'time":')
_BIDS_COLON: Final[Any] = word_of(b'bids":')
_ASKS_COLON: Final[Any] = word_of(b'asks":')
_PRODUCT_: Final[Any] = word_of(b"product_")
_ID_COLON: Final[Any] = word_of(b'id":')
_CHANGES_: Final[Any] = word_of(b'changes"')
_L2UPDATE = np.frombuffer(b"l2update", np.uint8)
_SNAPSHOT = np.frombuffer(b"snapshot", np.uint8)


@inner
def _change(data: Any, at: int, end: int, side: int, changes: Any, registers: Any) -> int:
    """Read a level of a side, or a change where `side` is -1, into the changes; the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if side < 0:
        at = expect(data, at, end, QUOTE)
        stop = string_end(data, at, end)
        if stop < 0:
            return -1
        if is_word(data, at, stop, _SELL):
            side = 1
        elif is_word(data, at, stop, _BUY):
            side = 0
        else:
            return -1
        at = expect(data, stop + 1, end, COMMA)
    at = expect(data, at, end, QUOTE)
    if at < 0:
        return -1
    at, price = numbers.price(data, at, end)
    at = expect(data, expect(data, at, end, COMMA), end, QUOTE)
    if at < 0:
        return -1
    at, whole, fraction = numbers.size(data, at, end)
    at = expect(data, at, end, CLOSE_ARRAY)
    if at < 0 or not add_change(changes, registers, side, price, whole, fraction):
        return -1
    return at


@inlined
def _usual_change(data: Any, at: int, end: int, changes: Any, registers: Any) -> int:
    """Read a change that the feed writes it; -1 for any other way, which `_change` reads."""
    if at + 16 > end:
        return -1
    word = eight(data, at)  # which side nobody can foresee: no branch asks
    side = int(word == _SELL_NEXT)
    at += 8 + side
    if not side | (word == _BUY_NEXT) or byte(data, at - 1) != QUOTE:
        return -1
    at, price = numbers.price(data, at, end)
    if at < 0 or at + 2 > end or byte(data, at) != COMMA or byte(data, at + 1) != QUOTE:
        return -1
    at, whole, fraction = numbers.size(data, at + 2, end)
    if at < 0 or at >= end or byte(data, at) != CLOSE_ARRAY:
        return -1
    return at + 1 if add_change(changes, registers, side, price, whole, fraction) else -1


@inlined
def _array(data: Any, at: int, end: int, side: int, changes: Any, registers: Any) -> int:
    """Read an array of levels of one side, or of changes where `side` is -1; the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        usual = _usual_change(data, at, end, changes, registers) if side < 0 else -1
        at = usual if usual >= 0 else _change(data, at, end, side, changes, registers)
        if at >= 0 and at < end and byte(data, at) == COMMA:
            at += 1
        elif peek(data, at, end) == COMMA:
            at = expect(data, at, end, COMMA)
        else:
            return expect(data, at, end, CLOSE_ARRAY)
    return -1


@inlined
def _usual_key(data: Any, start: int, end: int) -> tuple[int, int]:
    """Read a top-level key with its quote and colon where it is one that most frames have.

    Returns:
        Its bit and the position behind the colon; 0 and -1 for any other, however it is written.
    """
    if start < 0 or start + 16 > end:
        return 0, -1
    word = eight(data, start)
    short = word & _SIX
    if short == _TYPE_COLON:
        return frames.TYPE, start + 6
    if word == _PRODUCT_ and eight(data, start + 8) & _FOUR == _ID_COLON:
        return frames.PRODUCT_ID, start + 12
    if word == _CHANGES_ and byte(data, start + 8) == COLON:
        return frames.CHANGES_KEY, start + 9
    if short == _TIME_COLON:
        return frames.TIME, start + 6
    if short == _ASKS_COLON:
        return frames.ASKS, start + 6
    if short == _BIDS_COLON:
        return frames.BIDS, start + 6
    return 0, -1


@inlined
def read_exchange(
    data: Any, at: int, end: int, product: Any, changes: Any, events: Any, registers: Any
) -> int:
    """Read a frame into `changes`, `events` and registers.

    Returns:
        1 for a book frame, 0 for a frame that says nothing, -1 for one that is not for the kernel.
    """
    begin_frame(registers)
    seen = 0
    kind_start = kind_stop = 0
    is_ours = False
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start = expect(data, at, end, QUOTE)
        key, at = _usual_key(data, start, end)
        if key == 0:
            stop = string_end(data, start, end)
            if stop < 0:
                return -1
            key = envelope_key(data, start, stop)
            at = expect(data, stop + 1, end, COLON)
            if at < 0:
                return -1
        if seen & key:
            return -1
        seen |= key
        at = skip_space(data, at, end)
        if key == frames.CHANGES_KEY or key == frames.BIDS or key == frames.ASKS:
            side = 0 if key == frames.BIDS else 1 if key == frames.ASKS else -1
            at = _array(data, at, end, side, changes, registers)
        elif key == frames.TYPE or key == frames.PRODUCT_ID or key == frames.TIME:
            start = expect(data, at, end, QUOTE)
            stop = string_end(data, start, end)
            if stop < 0:
                return -1
            if key == frames.TYPE:
                kind_start, kind_stop = start, stop
            elif key == frames.PRODUCT_ID:
                is_ours = is_word(data, start, stop, product)
            else:
                time = times.time(data, start, stop, registers)
                if time < 0:
                    return -1
                registers[frames.EXCHANGE_TIME] = time
            at = stop + 1
        elif key == frames.SEQUENCE_NUM:
            at, registers[frames.SEQUENCE] = numbers.sequence(data, at, end)
        else:
            at = skip_value(data, at, end)
        if peek(data, at, end) == COMMA:
            at = expect(data, at, end, COMMA)
        else:
            at = expect(data, at, end, CLOSE_OBJECT)
            break
    if at < 0 or skip_space(data, at, end) != end or not seen & frames.TYPE:
        return -1
    levels = seen & (frames.BIDS | frames.ASKS | frames.CHANGES_KEY | frames.PRODUCT_ID)
    if levels == frames.CHANGES_KEY | frames.PRODUCT_ID and is_word(data, kind_start, kind_stop, _L2UPDATE):
        is_snapshot = False
    elif levels == frames.BIDS | frames.ASKS | frames.PRODUCT_ID and is_word(
        data, kind_start, kind_stop, _SNAPSHOT
    ):
        is_snapshot = True
    else:
        return 0 if is_silent(data, kind_start, kind_stop) else -1
    if is_ours and not add_event(events, registers, is_snapshot, 0):
        return -1
    return 1
