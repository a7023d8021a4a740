"""Rows through reader and book, until one comes that the kernel leaves to the plain engine."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import layout, levels, market
from orderbook.compiled.entries import entry_of
from orderbook.compiled.jit import call, inlined
from orderbook.compiled.layout import (
    CHANGE,
    CROSSED,
    DONE,
    EVENT,
    FOR_PLAIN,
    LACKS_CHANGES,
    LACKS_MARKET,
    LACKS_ROOM,
    NO_CONNECTION,
    WAITS,
)
from orderbook.compiled.packed import apply_unread, most_unread, read_packed
from orderbook.compiled.scan import is_word
from orderbook.compiled.summaries import write_summary
from orderbook.compiled.words import get_word
from orderbook.schema import PACKED
from orderbook.venues.compiled_readers import read_frame

_FRAME = np.frombuffer(b"frame", np.uint8)
_PACKED = np.frombuffer(PACKED.encode(), np.uint8)


@inlined
def _is_ready(book: Any, frame: Any, changes: int) -> bool:
    """Tell whether the book has room for so many changes; if so, it is ready for the events of the frame."""
    if levels.lacks_room(book, changes, frame.events[0] != 0):
        return False
    if levels.is_due(book.registers) and not frame.events[0]:
        levels.follow(book)
    return True


@inlined
def _apply_events(book: Any, frame: Any) -> None:
    """Apply the events that were read."""
    registers = book.registers
    for event in range(frame.registers.events):
        at = event * EVENT
        start, stop = frame.events[at + 1], frame.events[at + 2]
        if frame.events[at]:
            levels.clear(book)
            levels.aim(registers, frame.changes, start, stop)
            registers.is_known = 1
        per_unit = 1 / registers.tick
        for change in range(start, stop):
            word = change * CHANGE
            side, key = get_word(frame.changes, word), get_word(frame.changes, word + 1)
            units, rest = get_word(frame.changes, word + 2), get_word(frame.changes, word + 3)
            levels.set_level(book, side, key, units, rest, per_unit)


@inlined
def _follows(run: Any, sequence: int, connection: int) -> bool:
    """Tell whether a sequence_num, if it is checked, is the next one of a connection that is noted."""
    if not run.counts_sequence or sequence < 0:
        return True
    if run.numbered != connection and run.numbered != NO_CONNECTION:
        return False
    if run.has_last == 0:
        return True
    return bool(run.has_last == 1 and sequence == run.last_sequence + 1)


@inlined
def run_rows(book: Any, frame: Any, run: Any, seen: Any) -> int:
    """Run rows from `row` on; return why it ended. O(bytes + changes)."""
    registers, found = run.registers, frame.registers
    reader = registers.reader
    for row in range(registers.row, len(run.offsets) - 1):
        registers.row = row
        start: Any = np.int64(run.offsets[row])
        stop: Any = np.int64(run.offsets[row + 1])
        if is_word(run.kinds, run.kind_offsets[row], run.kind_offsets[row + 1], _FRAME):
            what = read_frame(reader, run, start, stop, frame, seen)
        elif is_word(run.kinds, run.kind_offsets[row], run.kind_offsets[row + 1], _PACKED):
            what = read_packed(run, row, frame, seen)
        else:
            return FOR_PLAIN
        if what < 0:
            if found.lacks_room:
                found.lacks_room = 0
                return LACKS_CHANGES
            if seen.registers.lacks_room:
                seen.registers.lacks_room = 0
                return LACKS_MARKET
            return FOR_PLAIN
        is_ours = what > 0 and found.events > 0
        if is_ours and not (frame.events[0] or book.registers.is_known):
            return FOR_PLAIN
        if not _follows(registers, found.sequence, run.connections[row]):
            return FOR_PLAIN
        if registers.wants_changes and market.lacks_room(frame, seen):
            return LACKS_MARKET
        if is_ours:
            if not _is_ready(book, frame, most_unread(frame, stop) if found.unread else found.changes):
                return LACKS_ROOM
            if found.unread:
                apply_unread(book, frame, run.payloads, stop)
            else:
                _apply_events(book, frame)
        if registers.counts_sequence and found.sequence >= 0:
            registers.numbered = run.connections[row]
            registers.has_last = 1
            registers.last_sequence = found.sequence
        if registers.wants_market:
            market.write_row(frame, seen, row, is_ours, registers.wants_changes)
        is_crossed = is_ours and write_summary(book, run, row, found.exchange_time)
        waits = (
            registers.follower != 0 and call(registers.follower, (registers.follower_memory, row + 1)) != 0
        )
        if is_crossed or waits:
            registers.row = row + 1
            return CROSSED if is_crossed else WAITS
    registers.row = len(run.offsets) - 1
    return DONE


@inlined
def apply_events(book: Any, frame: Any) -> bool:
    """Apply events that Python has decoded; False if the book needs more room, and nothing was done."""
    if not _is_ready(book, frame, frame.registers.changes):
        return False
    _apply_events(book, frame)
    return True


@inlined
def summarise(book: Any, run: Any) -> bool:
    """Write the summary for `row`; return whether the book is crossed."""
    return write_summary(book, run, run.registers.row, run.registers.time)


RUN_ROWS: Final = entry_of(run_rows, layout.Book, layout.Frame, layout.Run, layout.Market)
APPLY_EVENTS: Final = entry_of(apply_events, layout.Book, layout.Frame)
SUMMARISE: Final = entry_of(summarise, layout.Book, layout.Run)
