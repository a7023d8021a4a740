"""A frame as packed integers: what a reader of text found in it, to be read again in a fraction of the time.

A packed row of a batch has the kind `PACKED` and these bytes in place of its payload:

- a byte of flags; then, by its flags, the sequence_num, the book time, and the last trade_id that is named;
- of a frame with trades their number, and of each its id, its time, side (bit 0) and whether it is history
  (bit 1), price and size; of any other frame with events that are not one update their number, and of each
  event whether it is a snapshot and the change behind its last;
- each change: its price, with the side, and its size;
- eight bytes: the exchange time, or -1. Any number before can so be read as eight bytes.

A number is a byte with the count of its bytes (at most seven) in bits 0 to 2, and a power of ten from bit 3
on, then these bytes: a price of 60,000.00 takes two bytes. A frame with a number that does not fit is not
packed.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.frames import add_change, add_event, begin_frame
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import CHANGE, EVENT, TRADE
from orderbook.compiled.market import CUT_UNIT, begin_row, follow_seen, size_units
from orderbook.compiled.words import eight, get_word, set_word
from orderbook.execution.numbers import UNITS

# Flags of a row.
BOOK: Final = 1  # it is a frame of the book
SEQUENCE: Final = 2
BOOK_TIME: Final = 4  # which is not the exchange time
NAMED: Final = 8
TRADES: Final = 16
EVENTS: Final = 32  # not just one update

_POWERS = 10 ** np.arange(19, dtype=np.int64)
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(8)], np.int64)
_MOST_ZEROS: Final = 15  # beside the bit of a side
_LIMIT: Final = 2**56
_EXACT: Final = 2**53
"""Of a trade with a larger number the text is needed, see `TradeReader.of_step`."""


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
def _put_word(out: Any, at: int, word: int) -> int:
    if at < 0:
        return -1
    for place in range(8):
        out[at + place] = (word >> 8 * place) & 255
    return at + 8


@inlined
def _get(data: Any, at: int) -> tuple[Any, Any]:
    """Return the position behind a number, and the number."""
    head = np.int64(data[np.uint64(at)])
    count = head & 7
    number = np.int64(eight(data, at + 1)) & _MASKS[count]
    return at + 1 + count, number * _POWERS[head >> 3 & 15]


@inlined
def _bit(data: Any, at: int) -> Any:
    """Return the bit beside a number."""
    return np.int64(data[np.uint64(at)]) >> 7


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
            at = _put_word(out, at, get_word(market.trades, word + 1))
            if at < 0:
                return -1
            out[at] = get_word(market.trades, word + 2) | get_word(market.trades, word + 5) << 1
            at = _put(out, _put(out, at + 1, price, 0), size, 0)
    else:
        is_update = found.events == 1 and frame.events[0] == 0
        if not is_update:
            flags |= EVENTS
            at = _put(out, at, found.events, 0)
            for event in range(found.events):
                at = _put(out, at, frame.events[event * EVENT + 2], frame.events[event * EVENT])
        for change in range(found.changes if found.events else 0):
            word = change * CHANGE
            side, key = get_word(frame.changes, word), get_word(frame.changes, word + 1)
            units, is_cut = size_units(get_word(frame.changes, word + 2), get_word(frame.changes, word + 3))
            if is_cut:
                return -1
            at = _put(out, at, -key if side else key, side)
            at = _put(out, at, units, 0)
            if at < 0:
                return -1
    at = _put_word(out, at, found.exchange_time)
    out[start] = flags
    return at


@inlined
def read_packed(data: Any, at: int, end: int, wants_trades: bool, frame: Any, market: Any) -> int:
    """Read the bytes [at, end) of a packed row as `read_frame` reads a text."""
    begin_frame(frame)
    registers = frame.registers
    flags: Any = np.int64(data[np.uint64(at)])
    at += 1
    end -= 8
    registers.exchange_time = registers.book_time = np.int64(eight(data, end))
    if wants_trades:
        begin_row(market)
    if flags & SEQUENCE:
        at, registers.sequence = _get(data, at)
    if flags & BOOK_TIME:
        is_none = _bit(data, at)
        at, time = _get(data, at)
        registers.book_time = -1 if is_none else time
    if flags & (NAMED | TRADES):
        return _read_trades(data, at, flags, market) if wants_trades else 0
    events = 1
    if flags & EVENTS:
        at, events = _get(data, at)
        for event in range(events):
            is_snapshot = _bit(data, at)
            at, stop = _get(data, at)
            registers.changes = stop
            place = event * EVENT
            add_event(frame, is_snapshot != 0, 0 if event == 0 else frame.events[place - 1])
        registers.changes = 0
    while at < end:
        side = _bit(data, at)
        at, price = _get(data, at)
        at, units = _get(data, at)
        whole = units // UNITS
        if not add_change(frame, side, price, whole, (units - whole * UNITS) * CUT_UNIT):
            return -1
    if not flags & EVENTS:
        add_event(frame, False, 0)
    what: int = flags & BOOK
    return what


@inner
def _read_trades(data: Any, at: int, flags: int, market: Any) -> int:
    """Read what a packed row tells of trades; return 0, or -1 as `read_frame` does."""
    registers, trades = market.registers, market.trades
    if flags & NAMED:
        at, registers.named_id = _get(data, at)
    if not flags & TRADES:
        return 0
    at, count = _get(data, at)
    if (registers.trades + count) * TRADE > len(trades):
        registers.lacks_room = 1
        return -1
    for trade in range(registers.trades, registers.trades + count):
        word = trade * TRADE
        at, number = _get(data, at)
        set_word(trades, word, number)
        set_word(trades, word + 1, np.int64(eight(data, at)))
        marks = np.int64(data[np.uint64(at + 8)])
        at, price = _get(data, at + 9)
        at, size = _get(data, at)
        set_word(trades, word + 2, marks & 1)
        set_word(trades, word + 3, price)
        set_word(trades, word + 4, size)
        set_word(trades, word + 5, marks >> 1)
    registers.row_trades = count
    return 0 if follow_seen(market) else -1
