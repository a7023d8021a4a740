"""Rows through parser and book, until one comes that is not for the kernel."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from orderbook.compiled import frames, levels
from orderbook.compiled.advanced import read_advanced
from orderbook.compiled.exchange import read_exchange
from orderbook.compiled.jit import inner
from orderbook.compiled.levels import BLOCK, BLOCKS, POOL, STRIDE
from orderbook.compiled.numbers import price_to_float, size_to_float
from orderbook.compiled.scan import is_word

# Registers, on from those of `frames`.
COUNTS_SEQUENCE: Final = 12
HAS_LAST: Final = 13  # 0 no last sequence_num, 1 it is in the next register, 2 it does not fit
LAST_SEQUENCE: Final = 14
NUMBERED: Final = 15  # the connection of which a sequence_num was checked in this batch, or NO_CONNECTION
ROW: Final = 16  # the next row
SUMMARIES: Final = 17  # written so far
MISSING: Final = 18  # how many blocks the book must be given
FINGERPRINT: Final = 19  # of the code that ran last
REGISTERS: Final = 20

NO_CONNECTION: Final = -(2**40)

# Why the kernel came back. Whatever it is, the row at ROW has not been touched.
DONE: Final = 0
FOR_PLAIN: Final = 1
CROSSED: Final = 2  # the row before gave a crossed summary, the last one
WANTS_CHANGES: Final = 3
WANTS_BLOCKS: Final = 4

_FRAME = np.frombuffer(b"frame", np.uint8)


@inner
def apply_events(level_words: Any, directory: Any, registers: Any, changes: Any, events: Any) -> Any:
    """Apply the events that were read; where that takes more blocks, nothing is done and it says how many."""
    missing = levels.blocks_missing(registers, registers[frames.CHANGES], events[0] != 0)
    if missing > 0:
        return missing
    for event in range(registers[frames.EVENTS]):
        at = event * frames.EVENT
        if events[at]:
            levels.clear(directory, registers)
            registers[levels.IS_KNOWN] = 1
        for change in range(events[at + 1], events[at + 2]):
            word = np.uint64(change * frames.CHANGE)
            side, key = changes[word], changes[word + np.uint64(1)]
            whole, fraction = changes[word + np.uint64(2)], changes[word + np.uint64(3)]
            levels.set_level(level_words, directory, registers, side, key, whole, fraction)
    return 0


@inner
def _write_side(
    level_words: Any, directory: Any, registers: Any, side: int, floats: Any, ladder: Any, summary: int
) -> int:
    """Write a side's best level, and those that the ladder takes; return the best price, 0 for none."""
    pool = registers[POOL]
    place = registers[BLOCKS + side] - 1
    sign = 1 if side == 0 else -1
    best = 0
    left = 0  # levels of the block that are not written yet
    start = 0
    for level in range(max(ladder.shape[2], 1)):
        price = size = np.nan
        if left == 0 and place >= 0:
            block = directory[(2 + side) * pool + place]
            left = directory[4 * pool + block]
            start = block * STRIDE
            place -= 1
        if left > 0:
            left -= 1
            units = sign * level_words[start + left]
            price = price_to_float(units)
            size = size_to_float(level_words[start + left + BLOCK], level_words[start + left + 2 * BLOCK])
            if level == 0:
                best = units
        if level == 0:
            floats[2 * side, summary] = price
            floats[2 * side + 1, summary] = size
        if ladder.shape[2]:
            ladder[side, summary, level, 0] = price
            ladder[side, summary, level, 1] = size
    return best


@inner
def write_summary(
    level_words: Any,
    directory: Any,
    registers: Any,
    marks: Any,
    floats: Any,
    ladder: Any,
    row: int,
    time: int,
) -> bool:
    """Append a summary of the book as it stands.

    Args:
        level_words, directory, registers: the book.
        marks: int64 (2, rows): the row, and the exchange time or -1.
        floats: float64 (5, rows): bid_price, bid_size, ask_price, ask_size, spread; NaN is null.
        ladder: float64 (2, rows, depth, 2), or nothing of it: the best bids and asks, price and size.
        row: of the batch.
        time: nanoseconds since 1970, -1 for null.

    Returns:
        Whether the book is crossed.
    """
    summary = registers[SUMMARIES]
    registers[SUMMARIES] = summary + 1
    marks[0, summary] = row
    marks[1, summary] = time
    bid = _write_side(level_words, directory, registers, 0, floats, ladder, summary)
    ask = _write_side(level_words, directory, registers, 1, floats, ladder, summary)
    if bid == 0 or ask == 0:
        floats[4, summary] = np.nan
        return False
    floats[4, summary] = price_to_float(ask - bid)
    return ask < bid


@inner
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
            level_words, directory, registers: the book, see `levels`.
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
            if is_ours and not (events[0] or registers[levels.IS_KNOWN]):
                return FOR_PLAIN
            if not _follows(registers, connections[row]):
                return FOR_PLAIN
            if is_ours:
                missing = apply_events(level_words, directory, registers, changes, events)
                if missing > 0:
                    registers[MISSING] = missing
                    return WANTS_BLOCKS
            if registers[COUNTS_SEQUENCE] and registers[frames.SEQUENCE] >= 0:
                registers[NUMBERED] = connections[row]
                registers[HAS_LAST] = 1
                registers[LAST_SEQUENCE] = registers[frames.SEQUENCE]
            if is_ours:
                time = registers[frames.EXCHANGE_TIME]
                if write_summary(level_words, directory, registers, marks, floats, ladder, row, time):
                    registers[ROW] = row + 1
                    return CROSSED
        registers[ROW] = len(offsets) - 1
        return DONE

    return run_rows


def apply_entry(mark: int) -> Callable[..., int]:
    """Return `apply_events` in the same way."""

    def apply(level_words: Any, directory: Any, registers: Any, changes: Any, events: Any) -> Any:
        registers[FINGERPRINT] = mark
        applied: int = apply_events(level_words, directory, registers, changes, events)
        return applied

    return apply


def summary_entry(mark: int) -> Callable[..., bool]:
    """Return `write_summary` in the same way."""

    def summarise(
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
        return write_summary(level_words, directory, registers, marks, floats, ladder, row, time)

    return summarise
