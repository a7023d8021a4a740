"""Rows through parser and book, until one comes that is not for the kernel."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from orderbook.compiled import frames, levels
from orderbook.compiled.advanced import read_advanced
from orderbook.compiled.blocks import IS_KNOWN
from orderbook.compiled.exchange import read_exchange
from orderbook.compiled.jit import inlined
from orderbook.compiled.near import TICK
from orderbook.compiled.scan import is_word
from orderbook.compiled.summaries import write_summary

# Registers, on from those of `summaries`.
COUNTS_SEQUENCE: Final = 25
HAS_LAST: Final = 26  # 0 no last sequence_num, 1 it is in the next register, 2 it does not fit
LAST_SEQUENCE: Final = 27
NUMBERED: Final = 28  # the connection of which a sequence_num was checked in this batch, or NO_CONNECTION
ROW: Final = 29  # the next row
MISSING_BLOCKS: Final = 30  # how many the book must be given
MISSING_PLACES: Final = 31  # how many each side must have
FINGERPRINT: Final = 32  # of the code that ran last
REGISTERS: Final = 33

NO_CONNECTION: Final = -(2**40)

# Why the kernel came back. Whatever it is, the row at ROW has not been touched.
DONE: Final = 0
FOR_PLAIN: Final = 1
CROSSED: Final = 2  # the row before gave a crossed summary, the last one
WANTS_CHANGES: Final = 3
WANTS_ROOM: Final = 4

_FRAME = np.frombuffer(b"frame", np.uint8)


@inlined
def apply_events(
    near: Any, level_words: Any, directory: Any, registers: Any, changes: Any, events: Any
) -> bool:
    """Apply the events that were read; False where the book must be given room, and nothing was done."""
    if _lacks_room(near, registers, events):
        return False
    if levels.is_due(registers) and not events[0]:
        levels.follow(near, level_words, directory, registers)
    for event in range(registers[frames.EVENTS]):
        at = event * frames.EVENT
        if events[at]:
            levels.clear(near, directory, registers)
            levels.aim(registers, changes, events[at + 1], events[at + 2])
            registers[IS_KNOWN] = 1
        per_unit = 1 / registers[TICK]
        for change in range(events[at + 1], events[at + 2]):
            word = np.uint64(change * frames.CHANGE)
            side, key = changes[word], changes[word + np.uint64(1)]
            whole, fraction = changes[word + np.uint64(2)], changes[word + np.uint64(3)]
            levels.set_level(near, level_words, directory, registers, side, key, whole, fraction, per_unit)
    return True


@inlined
def _lacks_room(near: Any, registers: Any, events: Any) -> bool:
    """Tell whether the book has too little room for the frame, and how much in the registers."""
    changes = registers[frames.CHANGES]
    registers[MISSING_BLOCKS] = levels.blocks_missing(near, registers, changes, events[0] != 0)
    registers[MISSING_PLACES] = levels.places_missing(registers, changes) if events[0] else 0
    return bool(registers[MISSING_BLOCKS] > 0 or registers[MISSING_PLACES] > 0)


@inlined
def _follows(registers: Any, connection: int) -> bool:
    """Tell whether the frame's sequence_num, if it counts, is the next one of a connection that is noted."""
    if not registers[COUNTS_SEQUENCE] or registers[frames.SEQUENCE] < 0:
        return True
    if registers[NUMBERED] != connection and registers[NUMBERED] != NO_CONNECTION:
        return False
    if registers[HAS_LAST] == 0:
        return True
    return bool(registers[HAS_LAST] == 1 and registers[frames.SEQUENCE] == registers[LAST_SEQUENCE] + 1)


def rows_entry(mark: int) -> Callable[..., int]:
    """Return `run_rows`, not compiled, with the fingerprint of the sources as a constant."""

    def run_rows(
        data: Any,
        offsets: Any,
        kinds: Any,
        kind_offsets: Any,
        connections: Any,
        product: Any,
        is_advanced: bool,
        near: Any,
        level_words: Any,
        directory: Any,
        registers: Any,
        changes: Any,
        events: Any,
        marks: Any,
        floats: Any,
        ladder: Any,
    ) -> int:
        """Run rows from ROW on; return why it ended. O(bytes + changes).

        Args:
            data, offsets: the payloads, as Arrow has them.
            kinds, kind_offsets: the kinds of the rows.
            connections: of the rows.
            product: its id, bytes.
            is_advanced: the dialect.
            near, level_words, directory, registers: the book, see `levels`.
            changes, events: for what is read of a frame, see `frames`.
            marks, floats, ladder: the summaries, see `write_summary`.
        """
        registers[FINGERPRINT] = mark
        for row in range(registers[ROW], len(offsets) - 1):
            registers[ROW] = row
            if not is_word(kinds, kind_offsets[row], kind_offsets[row + 1], _FRAME):
                return FOR_PLAIN
            start: Any = np.int64(offsets[row])
            stop: Any = np.int64(offsets[row + 1])
            if is_advanced:
                what = read_advanced(data, start, stop, product, changes, events, registers)
            else:
                what = read_exchange(data, start, stop, product, changes, events, registers)
            if what < 0:
                if registers[frames.WANTS_ROOM]:
                    registers[frames.WANTS_ROOM] = 0
                    return WANTS_CHANGES
                return FOR_PLAIN
            is_ours = what > 0 and registers[frames.EVENTS] > 0
            if is_ours and not (events[0] or registers[IS_KNOWN]):
                return FOR_PLAIN
            if not _follows(registers, connections[row]):
                return FOR_PLAIN
            if is_ours and not apply_events(near, level_words, directory, registers, changes, events):
                return WANTS_ROOM
            if registers[COUNTS_SEQUENCE] and registers[frames.SEQUENCE] >= 0:
                registers[NUMBERED] = connections[row]
                registers[HAS_LAST] = 1
                registers[LAST_SEQUENCE] = registers[frames.SEQUENCE]
            if is_ours:
                time = registers[frames.EXCHANGE_TIME]
                if write_summary(near, level_words, directory, registers, marks, floats, ladder, row, time):
                    registers[ROW] = row + 1
                    return CROSSED
        registers[ROW] = len(offsets) - 1
        return DONE

    return run_rows


def apply_entry(mark: int) -> Callable[..., bool]:
    """Return `apply_events` in the same way."""

    def apply(near: Any, level_words: Any, directory: Any, registers: Any, changes: Any, events: Any) -> bool:
        registers[FINGERPRINT] = mark
        applied: bool = apply_events(near, level_words, directory, registers, changes, events)
        return applied

    return apply


def summary_entry(mark: int) -> Callable[..., bool]:
    """Return `write_summary` in the same way."""

    def summarise(
        near: Any,
        level_words: Any,
        directory: Any,
        registers: Any,
        marks: Any,
        floats: Any,
        ladder: Any,
        row: int,
        time: int,
    ) -> bool:
        registers[FINGERPRINT] = mark
        return write_summary(near, level_words, directory, registers, marks, floats, ladder, row, time)

    return summarise
