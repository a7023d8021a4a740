"""The loops of a sweep, compiled for the compiled engine; `replay.sweep.compiled` calls them.

Like the kernel of the book they have no memory of their own: what they fill is handed in.
"""

import sys
from collections.abc import Callable
from typing import Any, Final, cast

import numba
import numpy as np
from numba import types

from orderbook.compiled import jit
from orderbook.compiled.jit import OPTIONS, F, fingerprint, inner
from replay.sweep import markouts, rows
from replay.sweep.markouts import MAX_UNITS, UNITS_TO_ONE
from replay.sweep.rows import MAX_SPREAD_UNITS, SIZE_UNITS, SPREAD_UNITS

PIECE: Final = 31
"""Bits of a piece of a factor: a product of two is within int64."""

WORDS: Final = 6
"""Of a sum of products: low and high 32 bits of what is shifted by 0, 1 and 2 pieces."""

BLOCK: Final = 64
"""Values of a block of values."""

_PRIME: Final = 2**31 - 1
"""Keys modulo this are spread, however they step."""

# Registers of a walk.
LEVEL, DEPTH, HEAD_IS_OPEN, CLOSED, HEADS = range(5)

_PIECE_MASK: Final = (1 << PIECE) - 1

_COLUMN: Final = types.Array(types.float64, 1, "C", readonly=True)
_TWO_INTS: Final[Any] = types.Tuple([types.int64, types.int64])  # type: ignore[no-untyped-call]  # numba has no types
_FLAGS: Final = types.Array(types.boolean, 1, "C")
_INTS: Final = types.Array(types.int64, 1, "C")
_FLOATS: Final = types.Array(types.float64, 1, "C")
_FLOATS_2: Final = types.Array(types.float64, 2, "C")
_INTS_2: Final = types.Array(types.int64, 2, "C")
_INTS_3: Final = types.Array(types.int64, 3, "C")


_MARK: Final = fingerprint((jit, rows, markouts, sys.modules[__name__]))


def _entry(*signature: Any, gives: Any = types.void) -> Callable[[F], F]:
    """Compile what Python calls, or take it from disk: by a name that changes with all that goes into it."""

    def compiled(function: F) -> F:
        function.__qualname__ = f"{function.__qualname__}_{_MARK:x}"
        return cast(F, numba.njit(gives(*signature), cache=True, **OPTIONS)(function))

    return compiled


@inner
def _add_product(sums: Any, which: int, place: int, factor: Any, time: Any) -> None:
    low_factor, high_factor = factor & _PIECE_MASK, factor >> PIECE
    low_time, high_time = time & _PIECE_MASK, time >> PIECE
    product = low_factor * low_time
    sums[which, place, 0] += product & 0xFFFF_FFFF
    sums[which, place, 1] += product >> 32
    if high_factor or high_time:
        for product in (high_factor * low_time, low_factor * high_time):
            sums[which, place, 2] += product & 0xFFFF_FFFF
            sums[which, place, 3] += product >> 32
        product = high_factor * high_time
        sums[which, place, 4] += product & 0xFFFF_FFFF
        sums[which, place, 5] += product >> 32


@_entry(*(_COLUMN,) * 6, _FLOATS_2, _INTS, _FLAGS)
def read_rows(
    bids: Any,
    bid_sizes: Any,
    asks: Any,
    ask_sizes: Any,
    relative: Any,
    spreads: Any,
    floats: Any,
    units: Any,
    is_crossed: Any,
) -> None:
    """Fill the columns of `Rows`; `floats` are spread, mid, sizes of bid and ask, and value."""
    for row in range(len(units)):
        spread = relative[row]
        is_crossed[row] = spreads[row] < 0
        if np.isnan(spread):
            floats[1, row] = np.nan
            floats[0, row] = floats[2, row] = floats[3, row] = floats[4, row] = 0.0
            units[row] = 0
            continue
        bid, bid_size, ask, ask_size = bids[row], bid_sizes[row], asks[row], ask_sizes[row]
        floats[0, row] = spread if spread > 0 else 0.0
        floats[1, row] = (bid + ask) / 2
        floats[2, row] = np.rint(bid_size * SIZE_UNITS)
        floats[3, row] = np.rint(ask_size * SIZE_UNITS)
        floats[4, row] = np.rint(min(bid * bid_size, ask * ask_size) * SIZE_UNITS)
        units[row] = np.int64(np.rint(min(max(spread * SPREAD_UNITS, -MAX_SPREAD_UNITS), MAX_SPREAD_UNITS)))


@_entry(_FLOATS, _FLOATS, _INTS)
def find_levels(thresholds: Any, spreads: Any, levels: Any) -> None:
    """Search from the last level, by steps that double: the spread moves by some ticks at a time."""
    count = len(thresholds)
    level = 0
    for row in range(len(spreads)):
        spread = spreads[row]
        step = 1
        if level < count and thresholds[level] < spread:
            low = high = level + 1
            while high < count and thresholds[high] < spread:
                low = high + 1
                high += step
                step *= 2
            high = min(high, count)
        elif level > 0 and thresholds[level - 1] >= spread:
            low = high = level - 1
            while low > 0 and thresholds[low - 1] >= spread:
                high = low - 1
                low -= step
                step *= 2
            low = max(low, 0)
        else:
            low = high = level
        while low < high:
            middle = (low + high) // 2
            if thresholds[middle] < spread:
                low = middle + 1
            else:
                high = middle
        level = low
        levels[row] = level


@_entry(_INTS, _FLOATS, _INTS, _FLOATS)
def count(levels: Any, spreads: Any, signals: Any, max_spread: Any) -> None:
    """Count summaries by level, and keep the largest spread of each."""
    for row in range(len(levels)):
        level = levels[row]
        signals[level] += 1
        max_spread[level] = max(max_spread[level], spreads[row])


@_entry(_INTS, _INTS, _FLOATS, _FLOATS, _FLOATS, _INTS, _INTS, _INTS, _INTS_3)
def observe(
    levels: Any,
    spreads: Any,
    bid_sizes: Any,
    ask_sizes: Any,
    values: Any,
    chosen: Any,
    durations: Any,
    time_ns: Any,
    sums: Any,
) -> None:
    """Add intervals by level: their time, and four factors times it where above any threshold."""
    for place in range(len(chosen)):
        row, duration = chosen[place], durations[place]
        level = levels[row]
        time_ns[level] += duration
        if level > 0:
            _add_product(sums, 0, level, spreads[row], duration)
            _add_product(sums, 1, level, np.int64(bid_sizes[row]), duration)
            _add_product(sums, 2, level, np.int64(ask_sizes[row]), duration)
            _add_product(sums, 3, level, np.int64(values[row]), duration)


@_entry(_INTS, _INTS, _FLOATS, _INTS_2, _INTS_3)
def add_changes(lows: Any, highs: Any, changes: Any, steps: Any, squares: Any) -> None:
    """Add to the steps of known, left out, total and absolute, and to the squares begun and ended."""
    for row in range(len(lows)):
        low, high = lows[row], highs[row]
        if np.isnan(changes[row]):
            steps[1, low] += 1
            steps[1, high] -= 1
            continue
        change = np.int64(changes[row])
        size = abs(change)
        for which, value in ((0, 1), (2, change), (3, size)):
            steps[which, low] += value
            steps[which, high] -= value
        _add_product(squares, 0, low, size, size)
        _add_product(squares, 1, high, size, size)


@_entry(_INTS_2, _INTS_2, _INTS_2, _INTS_2, _INTS)
def walk(moves: Any, stack: Any, closed: Any, heads: Any, registers: Any) -> None:
    """Open and close episodes as the level moves: rows of levels, times and keys; see `OpenEpisodes`."""
    current, depth = registers[LEVEL], registers[DEPTH]
    for move in range(moves.shape[1]):
        level, time = moves[0, move], moves[1, move]
        if level > current:
            stack[0, depth] = current
            stack[1, depth] = time
            stack[2, depth] = moves[2, move]
            depth += 1
        while current > level:
            low, since, key = stack[0, depth - 1], stack[1, depth - 1], stack[2, depth - 1]
            is_head = registers[HEAD_IS_OPEN] != 0 and low == 0
            if low >= level:
                depth -= 1
            else:
                low = level  # the rest of the range stays open
            if is_head:
                at = registers[HEADS]
                heads[0, at], heads[1, at], heads[2, at] = low, current, time
                registers[HEADS] += 1
                registers[HEAD_IS_OPEN] = low > 0
            else:
                at = registers[CLOSED]
                closed[0, at], closed[1, at], closed[2, at], closed[3, at] = low, current, time - since, key
                registers[CLOSED] += 1
            current = low
        current = level
    registers[LEVEL], registers[DEPTH] = current, depth


@inner
def _first_beyond(counts: Any, place: int, rank: int) -> tuple[int, int]:
    """Return the place from one on, the last at most, that holds a rank, and its rank there."""
    while place + 1 < len(counts) and counts[place] <= rank:
        rank -= counts[place]
        place += 1
    return place, rank


@_entry(_INTS_2, _INTS_2, _INTS, _INTS, _INTS, _INTS_2)
def select(ranges: Any, wanted: Any, ones: Any, blocks: Any, large: Any, places: Any) -> None:
    """Walk the columns with counts of the values that a column has: by value, in blocks and in large blocks.

    A value that comes or goes costs three additions, a rank some dozens of steps.

    Args:
        ranges: of each value in order: where its columns begin, and the values in the order of that; where
            they end, and the values in the order of that.
        wanted: ranks, by column.
        ones: zeros, one for each value.
        blocks: zeros, one for each `BLOCK` values.
        large: zeros, one for each `BLOCK` blocks.
        places: of the values found.
    """
    lows, by_low, highs, by_high = ranges[0], ranges[1], ranges[2], ranges[3]
    begun = ended = 0
    for column in range(wanted.shape[1]):
        while begun < len(by_low) and lows[by_low[begun]] == column:
            at = by_low[begun]
            ones[at] = 1
            blocks[at // BLOCK] += 1
            large[at // BLOCK**2] += 1
            begun += 1
        while ended < len(by_high) and highs[by_high[ended]] == column:
            at = by_high[ended]
            ones[at] = 0
            blocks[at // BLOCK] -= 1
            large[at // BLOCK**2] -= 1
            ended += 1
        for which in range(len(wanted)):
            place, rank = _first_beyond(large, 0, wanted[which, column])
            place, rank = _first_beyond(blocks, place * BLOCK, rank)
            places[which, column] = _first_beyond(ones, place * BLOCK, rank)[0]


@_entry(_INTS, _FLOATS, _INTS, _FLOATS, types.int64, types.boolean, _FLOATS, gives=types.int64)
def changes(times: Any, mids: Any, begun: Any, before: Any, horizon: int, is_over: bool, found: Any) -> int:
    """Fill how the mid has changed a horizon after each beginning; return of how many that is known."""
    last = times[-1]
    at = 0
    for start in range(len(begun)):
        due = begun[start] + horizon
        if due > last or (due == last and not is_over):
            return start
        while at + 1 < len(times) and times[at + 1] <= due:
            at += 1
        change = np.rint((mids[at] - before[start]) / before[start] * UNITS_TO_ONE)
        if change > MAX_UNITS:
            change = MAX_UNITS
        elif change < -MAX_UNITS:
            change = -MAX_UNITS
        found[start] = change
    return len(begun)


@_entry(_INTS, _INTS, types.int64, types.int64, _INTS_2, gives=_TWO_INTS)
def add_up(keys: Any, values: Any, start: int, number: int, table: Any) -> tuple[int, int]:
    """Add values to the sums of their keys, from one on, until a new key would be one too many.

    Args:
        keys: of what is added.
        values: above 0.
        start: how many of them were added before.
        number: keys in the table.
        table: keys and sums; a power of two of places, empty where the sum is 0.

    Returns:
        How many have been added, and how many keys there are.
    """
    places = table.shape[1]
    for at in range(start, len(keys)):
        key = keys[at]
        place = key % _PRIME & (places - 1)
        while table[1, place] and table[0, place] != key:
            place = (place + 1) & (places - 1)
        if not table[1, place]:
            if 2 * number >= places:
                return at, number
            number += 1
            table[0, place] = key
        table[1, place] += values[at]
    return len(keys), number
