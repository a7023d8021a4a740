"""Packed rows, read: as a frame, or at once onto the book; see `packed_format`."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import blocks, levels, near
from orderbook.compiled.frames import add_change, add_event, begin_frame
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import EVENT, TRADE
from orderbook.compiled.market import begin_row, follow_seen
from orderbook.compiled.packed_format import (
    BOOK,
    BOOK_TIME,
    EVENTS,
    NAMED,
    SEQUENCE,
    SIZE_ZEROS,
    TICK_LENGTHS,
    TIMELESS,
    TRADES,
)
from orderbook.compiled.words import eight, set_word

_FEWEST_BYTES: Final = 2
"""Of a change."""

POWERS = 10 ** np.arange(19, dtype=np.int64)
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(8)], np.int64)
_TICK_LENGTHS = np.array(TICK_LENGTHS, np.int64)
_SIZE_POWERS = 10 ** np.array(SIZE_ZEROS, np.int64)


@inlined
def _get(data: Any, at: int) -> tuple[Any, Any]:
    """Return the position behind a number, and the number."""
    head = np.int64(data[np.uint64(at)])
    count = head & 7
    number = np.int64(eight(data, at + 1)) & _MASKS[count]
    return at + 1 + count, number * POWERS[head >> 3 & 15]


@inlined
def _bit(data: Any, at: int) -> Any:
    """Return the bit beside a number."""
    return np.int64(data[np.uint64(at)]) >> 7


@inlined
def _get_tick(data: Any, at: int) -> tuple[Any, Any, Any]:
    """Return the position of the first change of a row, the tick, and the first price in ticks."""
    tick = POWERS[data[np.uint64(at)]]
    at, ticks = _get(data, at + 1)
    return at, tick, ticks


@inlined
def _get_change(data: Any, at: int, ticks: Any) -> tuple[Any, Any, Any, Any]:
    """Return the position behind a change, its side, its price in ticks, and its size.

    Args:
        data: packed rows.
        at: the position of the change.
        ticks: the price before.
    """
    head = np.int64(data[np.uint64(at)])
    length, count = _TICK_LENGTHS[head >> 1 & 3], head >> 3 & 7
    folded = np.int64(eight(data, at + 1)) & _MASKS[length]
    at += 1 + length
    units = np.int64(eight(data, at)) & _MASKS[count]
    ticks += (folded >> 1) ^ -(folded & 1)
    return at + count, head & 1, ticks, units * _SIZE_POWERS[head >> 6]


@inlined
def read_packed(run: Any, row: int, frame: Any, market: Any) -> int:
    """Read a packed row as `read_frame` reads a text.

    The changes of an update that nobody else wants stay where they are, for `apply_unread`.
    """
    begin_frame(frame)
    registers, data = frame.registers, run.payloads
    at: Any = np.int64(run.offsets[row])
    end: Any = np.int64(run.offsets[row + 1])
    flags: Any = np.int64(data[np.uint64(at)])
    at += 1
    registers.exchange_time = registers.book_time = -1 if flags & TIMELESS else run.times[row]
    wants_trades = run.registers.wants_market != 0
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
    if flags & EVENTS:
        at, events = _get(data, at)
        for event in range(events):
            is_snapshot = _bit(data, at)
            at, stop = _get(data, at)
            registers.changes = stop
            place = event * EVENT
            add_event(frame, is_snapshot != 0, 0 if event == 0 else frame.events[place - 1])
        registers.changes = 0
    elif at < end and not run.registers.wants_changes:
        registers.unread = at
    if at < end and not registers.unread and not _read_changes(data, at, end, frame):
        return -1
    if not flags & EVENTS:
        add_event(frame, False, 0)
    what: int = flags & BOOK
    return what


@inner
def _read_changes(data: Any, at: int, end: int, frame: Any) -> bool:
    """Read the changes of a row into the frame; False if there is no room."""
    at, tick, ticks = _get_tick(data, at)
    while at < end:
        at, side, ticks, units = _get_change(data, at, ticks)
        if not add_change(frame, side, ticks * tick, units, 0):
            return False
    return True


@inlined
def most_unread(frame: Any, end: int) -> int:
    """Return how many changes can be unread at most, if the row ends at a position."""
    bytes_left: int = end - frame.registers.unread
    return bytes_left // _FEWEST_BYTES


@inlined
def apply_unread(book: Any, frame: Any, data: Any, end: int) -> None:
    """Apply the changes of an update from its bytes; the book must have room."""
    registers = book.registers
    per_unit = 1 / registers.tick
    at, tick, ticks = _get_tick(data, frame.registers.unread)
    places = np.int64(tick * per_unit + 0.5)  # from one tick of the row to the next
    if places * registers.tick != tick:
        while at < end:
            at, side, ticks, units = _get_change(data, at, ticks)
            levels.set_level(book, side, ticks * tick * (1 - 2 * side), units, 0, per_unit)
        return
    while at < end:
        at, side, ticks, units = _get_change(data, at, ticks)
        place = near.place_at(registers, side, ticks * places * (1 - 2 * side))
        if place >= 0:
            near.set_near(book, side, place, units, 0)
        else:
            blocks.set_deep(book, side, ticks * tick * (1 - 2 * side), units, 0)


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
