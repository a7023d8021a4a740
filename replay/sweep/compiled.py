"""The loops of a sweep compiled, for the compiled engine: what it saves would else be lost here.

Each class does what its base does, to the last bit, in one loop over rows in place of many numpy calls.
numba is imported with this module, so import it only where the compiled engine runs.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numba
import numpy as np
from numba import types

from orderbook.compiled.jit import OPTIONS, F, inner
from replay.order_statistics import Floats, Ints
from replay.sweep.durations import Durations
from replay.sweep.episodes import Closed, HeadClosing, OpenEpisodes
from replay.sweep.exact import ExactProducts
from replay.sweep.loops import Loops
from replay.sweep.rows import Rows
from replay.sweep.sums import LevelSums, MarkOutSums

_LARGE: Final = 2.0**62  # a factor from here on is left to numpy, which cuts floats
_PIECE: Final = 31  # bits: a product of two pieces is within int64
_PIECE_MASK: Final = (1 << _PIECE) - 1
_WORDS: Final = 6  # of a sum: low and high 32 bits of the products shifted by 0, 1 and 2 pieces

# Registers of a walk.
_LEVEL, _DEPTH, _HEAD_IS_OPEN, _CLOSED, _HEADS = range(5)

_INTS: Final = types.Array(types.int64, 1, "C")
_FLOATS: Final = types.Array(types.float64, 1, "C")
_FLOATS_2: Final = types.Array(types.float64, 2, "C")
_INTS_2: Final = types.Array(types.int64, 2, "C")
_INTS_3: Final = types.Array(types.int64, 3, "C")


def _entry(*signature: Any) -> Callable[[F], F]:
    """Compile what Python calls, or take it from disk; numba makes it again when this file changes."""

    def compiled(function: F) -> F:
        return cast(F, numba.njit(types.void(*signature), cache=True, **OPTIONS)(function))

    return compiled


@inner
def _add_product(sums: Any, which: int, place: int, factor: Any, time: Any) -> None:
    low_factor, high_factor = factor & _PIECE_MASK, factor >> _PIECE
    low_time, high_time = time & _PIECE_MASK, time >> _PIECE
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


@_entry(_FLOATS, _FLOATS, _INTS)
def _find_levels(thresholds: Any, spreads: Any, levels: Any) -> None:
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
def _count(levels: Any, spreads: Any, signals: Any, max_spread: Any) -> None:
    for row in range(len(levels)):
        level = levels[row]
        signals[level] += 1
        max_spread[level] = max(max_spread[level], spreads[row])


@_entry(_INTS, _FLOATS_2, _INTS, _INTS, _INTS, _INTS_3)
def _observe(levels: Any, factors: Any, chosen: Any, durations: Any, time_ns: Any, sums: Any) -> None:
    for place in range(len(chosen)):
        row, duration = chosen[place], durations[place]
        level = levels[row]
        time_ns[level] += duration
        if level > 0:
            for which in range(len(factors)):
                _add_product(sums, which, level, np.int64(factors[which, row]), duration)


@_entry(_INTS, _INTS, _FLOATS, _INTS_2, _INTS_3)
def _add_changes(lows: Any, highs: Any, changes: Any, steps: Any, squares: Any) -> None:
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
def _walk(moves: Any, stack: Any, closed: Any, heads: Any, registers: Any) -> None:
    """Open and close episodes as the level moves: rows of levels, times and keys; see `OpenEpisodes`."""
    current, depth = registers[_LEVEL], registers[_DEPTH]
    for move in range(moves.shape[1]):
        level, time = moves[0, move], moves[1, move]
        if level > current:
            stack[0, depth] = current
            stack[1, depth] = time
            stack[2, depth] = moves[2, move]
            depth += 1
        while current > level:
            low, since, key = stack[0, depth - 1], stack[1, depth - 1], stack[2, depth - 1]
            is_head = registers[_HEAD_IS_OPEN] != 0 and low == 0
            if low >= level:
                depth -= 1
            else:
                low = level  # the rest of the range stays open
            if is_head:
                at = registers[_HEADS]
                heads[0, at], heads[1, at], heads[2, at] = low, current, time
                registers[_HEADS] += 1
                registers[_HEAD_IS_OPEN] = low > 0
            else:
                at = registers[_CLOSED]
                closed[0, at], closed[1, at], closed[2, at], closed[3, at] = low, current, time - since, key
                registers[_CLOSED] += 1
            current = low
        current = level
    registers[_LEVEL], registers[_DEPTH] = current, depth


@_entry(_INTS_2, _INTS_2, _INTS, _INTS_2)
def _select(ranges: Any, wanted: Any, tree: Any, places: Any) -> None:
    """Walk the columns with a tree of sums (Fenwick's) over the places of the values that a column has.

    Args:
        ranges: of each value in order: where its columns begin, and the values in the order of that; where
            they end, and the values in the order of that.
        wanted: ranks, by column.
        tree: zeros, a power of two above the number of values.
        places: of the values found.
    """
    lows, by_low, highs, by_high = ranges[0], ranges[1], ranges[2], ranges[3]
    size = len(tree)
    begun = ended = 0
    for column in range(wanted.shape[1]):
        while begun < len(by_low) and lows[by_low[begun]] == column:
            at = by_low[begun] + 1
            while at < size:
                tree[at] += 1
                at += at & -at
            begun += 1
        while ended < len(by_high) and highs[by_high[ended]] == column:
            at = by_high[ended] + 1
            while at < size:
                tree[at] -= 1
                at += at & -at
            ended += 1
        for which in range(len(wanted)):
            left = wanted[which, column]
            place = 0
            step = size >> 1
            while step:
                if tree[place + step] <= left:
                    place += step
                    left -= tree[place]
                step >>= 1
            places[which, column] = place


def find_levels(thresholds: Floats, spreads: Floats) -> Ints:
    """Return how many of the ascending thresholds each spread is above."""
    levels: Ints = np.empty(len(spreads), np.int64)
    _find_levels(thresholds, spreads, levels)
    return levels


def _take_up(products: ExactProducts, sums: Ints) -> None:
    """Add sums of places as `_add_product` makes them."""
    for piece in range(_WORDS // 2):
        low, high = sums[:, 2 * piece], sums[:, 2 * piece + 1]
        if piece == 0 or low.any() or high.any():
            products.add_sums(piece * _PIECE, low, high)


class CompiledLevelSums(LevelSums):
    """What summaries add at their level."""

    def count(self, levels: Ints, spreads: Floats) -> None:
        """Take up summaries."""
        _count(levels, spreads, self.signals, self.max_spread)

    def observe(self, levels: Ints, rows: Rows, chosen: Ints, durations: Ints) -> None:
        """Take up intervals."""
        # `units` are exact as floats: they were made of floats.
        factors = np.stack([rows.units, rows.bid_size, rows.ask_size, rows.value])
        if factors.max(initial=0.0) >= _LARGE:
            super().observe(levels, rows, chosen, durations)
            return
        sums: Ints = np.zeros((len(factors), len(self.signals), _WORDS), np.int64)
        _observe(levels, factors, chosen, durations, self.time_ns, sums)
        for products, found in zip(
            (self.spread, self.bid_size, self.ask_size, self.value), sums, strict=True
        ):
            _take_up(products, found)


class CompiledMarkOutSums(MarkOutSums):
    """Changes of the mid one horizon after, by threshold."""

    def add(self, low: Ints, high: Ints, change: Floats) -> None:
        """Take up changes of ranges [low, high)."""
        squares: Ints = np.zeros((2, self.steps.shape[1], _WORDS), np.int64)
        _add_changes(low, high, change, self.steps, squares)
        _take_up(self.squares_begun, squares[0])
        _take_up(self.squares_ended, squares[1])


def select_in_tree(low: Ints, high: Ints, values: Ints, counts: Ints, wanted: Ints) -> Ints:
    """Do what `select_in_blocks` does in O((values + ranks) log values)."""
    if not len(values):
        return np.zeros_like(wanted)
    order = np.argsort(values, kind="stable")
    low, high, values = low[order], high[order], values[order]
    narrow = np.int16 if len(counts) < 2**15 else np.int64  # numpy sorts int16 by its digits
    by_low, by_high = (np.argsort(each.astype(narrow), kind="stable") for each in (low, high))
    places = np.empty_like(wanted)
    tree: Ints = np.zeros(1 << len(values).bit_length(), np.int64)
    _select(np.stack([low, by_low, high, by_high]), np.maximum(wanted, 0), tree, places)
    return values[np.minimum(places, len(values) - 1)]


class CompiledDurations(Durations):
    """Percentiles of how long episodes last."""

    select = staticmethod(select_in_tree)


class CompiledEpisodes(OpenEpisodes):
    """Which episodes are open."""

    def _walk(self, levels: Ints, times: Ints, keys: Ints) -> None:
        depth, room = len(self._low), len(self._low) + len(levels)
        stack: Ints = np.empty((3, room), np.int64)
        stack[:, :depth] = self._low, self._since, self._key
        closed: Ints = np.empty((4, room + len(levels)), np.int64)
        heads: Ints = np.empty((3, room + len(levels)), np.int64)
        registers = np.array([self.level, depth, self._head_is_open, 0, 0])
        _walk(np.stack([levels, times, keys]), stack, closed, heads, registers)
        self.level, depth, head_is_open, closings, head_closings = registers.tolist()
        self._head_is_open = bool(head_is_open)
        self._low, self._since, self._key = stack[:, :depth].tolist()
        self._peeled.append(Closed(*closed[:, :closings].copy()))
        self.head += [HeadClosing(*each) for each in heads[:, :head_closings].T.tolist()]


COMPILED: Final = Loops(
    find_levels, CompiledLevelSums, CompiledDurations, CompiledMarkOutSums, CompiledEpisodes
)
