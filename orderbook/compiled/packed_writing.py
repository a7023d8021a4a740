"""How a frame is written as packed integers, see `packed`."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import CHANGE, EVENT, TRADE
from orderbook.compiled.packed import POWERS
from orderbook.compiled.packed_format import (
    BOOK_TIME,
    EVENTS,
    NAMED,
    SEQUENCE,
    SIZE_ZEROS,
    TICK_LENGTHS,
    TIMELESS,
    TRADES,
)
from orderbook.compiled.words import get_word

_LENGTHS = np.array(TICK_LENGTHS, np.int64)
_SIZES = 10 ** np.array(SIZE_ZEROS, np.int64)
_MOST_ZEROS: Final = 15  # beside the bit of a side
_LIMIT: Final = 2**56
_EXACT: Final = 2**53
"""Of a trade with a larger number the text is needed, see `TradeReader.of_step`."""
_LARGEST_TICK: Final = 8
"""A power of ten, in price units."""


@inlined
def _put_bytes(out: Any, at: int, number: int, count: int) -> None:
    """Write an integer as bytes, the lowest first."""
    for place in range(count):
        out[at + place] = (number >> 8 * place) & 255


@inlined
def _put(out: Any, at: int, number: int, bit: int) -> int:
    """Write a number, with a bit beside it; return the position behind it, -1 if it does not fit."""
    zeros = 0
    while number != 0 and zeros < _MOST_ZEROS and number % 10 == 0:
        number //= 10
        zeros += 1
    if at < 0 or number < 0 or number >= _LIMIT:
        return -1
    count = 0
    while number:
        count += 1
        out[at + count] = number & 255
        number >>= 8
    out[at] = count | zeros << 3 | bit << 7
    return at + 1 + count


@inlined
def _common_zeros(frame: Any) -> int:
    """Return the largest power of ten of which all prices of a frame are multiples, at most 8."""
    zeros = _LARGEST_TICK
    for change in range(frame.registers.changes):
        while get_word(frame.changes, change * CHANGE + 1) % POWERS[zeros]:
            zeros -= 1
    return zeros


@inner
def _put_changes(frame: Any, out: Any, at: int) -> int:
    """Write the changes of a frame; return the position behind them, -1 if one does not fit."""
    if at < 0:
        return -1
    out[at] = _common_zeros(frame)
    tick = POWERS[out[at]]
    ticks = abs(get_word(frame.changes, 1)) // tick
    at = _put(out, at + 1, ticks, 0)
    for change in range(frame.registers.changes):
        word = change * CHANGE
        side, key = get_word(frame.changes, word), get_word(frame.changes, word + 1)
        units, rest = get_word(frame.changes, word + 2), get_word(frame.changes, word + 3)
        step = abs(key) // tick - ticks
        ticks += step
        folded = 2 * step if step >= 0 else -2 * step - 1
        length = 0
        while length < len(_LENGTHS) - 1 and folded >> 8 * _LENGTHS[length]:
            length += 1
        zeros = len(_SIZES) - 1
        while units % _SIZES[zeros]:
            zeros -= 1
        units //= _SIZES[zeros]
        if at < 0 or rest or units >= _LIMIT or folded >> 8 * _LENGTHS[length]:
            return -1
        count = 0
        while units >> 8 * count:
            count += 1
        out[at] = side | length << 1 | count << 3 | zeros << 6
        _put_bytes(out, at + 1, folded, _LENGTHS[length])
        at += 1 + _LENGTHS[length]
        _put_bytes(out, at, units, count)
        at += count
    return at


@inner
def write_packed(frame: Any, market: Any, what: int, out: Any, at: int) -> int:
    """Write a row that was read with its trades; return the position behind it, -1 if it cannot be packed.

    Args:
        frame: what was read.
        market: has its trades.
        what: 1 for a frame of the book, else 0.
        out: where it is written.
        at: from where on.
    """
    found, registers = frame.registers, market.registers
    start = at
    if registers.row_malformed or registers.row_cut:
        return -1
    flags = what
    at += 1
    if found.sequence >= 0:
        flags |= SEQUENCE
        at = _put(out, at, found.sequence, 0)
    if found.book_time != found.exchange_time:
        flags |= BOOK_TIME
        at = _put(out, at, max(found.book_time, 0), found.book_time < 0)
    if registers.named_id >= 0:
        flags |= NAMED
        at = _put(out, at, registers.named_id, 0)
    if registers.row_trades:
        flags |= TRADES
        at = _put(out, at, registers.row_trades, 0)
        first = registers.trades
        for trade in range(first, first + registers.row_trades):
            word = trade * TRADE
            price, size = get_word(market.trades, word + 3), get_word(market.trades, word + 4)
            if max(price, size) > _EXACT:
                return -1
            at = _put(out, at, get_word(market.trades, word), 0)
            if at < 0:
                return -1
            _put_bytes(out, at, get_word(market.trades, word + 1), 8)
            at += 8
            out[at] = get_word(market.trades, word + 2) | get_word(market.trades, word + 5) << 1
            at = _put(out, _put(out, at + 1, price, 0), size, 0)
    else:
        is_update = found.events == 1 and frame.events[0] == 0
        if not is_update:
            flags |= EVENTS
            at = _put(out, at, found.events, 0)
            for event in range(found.events):
                at = _put(out, at, frame.events[event * EVENT + 2], frame.events[event * EVENT])
        if found.events and found.changes:
            at = _put_changes(frame, out, at)
    if found.exchange_time < 0:
        flags |= TIMELESS
    out[start] = flags
    return at
