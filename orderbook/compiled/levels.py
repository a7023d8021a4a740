"""The book's data structure: each side is a list of blocks of levels, in the order of price.

A sorted array alone moves up to 46,000 levels for a deep change; a tree or hash misses the cache at each one
near the touch. So a side is cut into blocks of at most `BLOCK` levels, and a small directory holds the price
from which each block begins. The best level is the last one of the last block, so that it is at hand, and a
change n levels from the touch moves n levels at most, a deep one half a block.

Keys make both sides one: the price for bids, minus the price for asks, ascending; the best key is the last.

    levels      block b: BLOCK keys, BLOCK wholes, BLOCK fractions from b * 3 * BLOCK on
    directory   of side s: what block i begins with at s * pool + i, its number at (2 + s) * pool + i;
                of block b: how many levels it holds at 4 * pool + b; free blocks from 5 * pool on
    registers   how many blocks each side has and how many are free, and the counters (see below)

A full block is split in halves; two neighbours that fit into half a block are merged, so a side of n levels
has at most 4 n / BLOCK + 2 blocks. Memory is handed in; `blocks_needed` says how much before a frame applies.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner

BLOCK: Final = 64
HALF: Final = BLOCK // 2
STRIDE: Final = 3 * BLOCK
"""Words of a block."""
LOWEST: Final = -(2**62)
"""Where a side's first block begins: it takes every key that is below the second's."""

# Registers: what carries over from row to row. Sides are 0 (bids) and 1 (asks).
BLOCKS: Final = 0  # and 1: blocks of each side
FREE: Final = 2
IS_KNOWN: Final = 3
ABSENT_DELETES: Final = 4
NOOP_SETS: Final = 5
POOL: Final = 6  # blocks there are


@inlined
def _get(words: Any, place: int) -> Any:
    """Return a word; an unsigned index spares the check for a negative one."""
    return words[np.uint64(place)]


@inlined
def _set(words: Any, place: int, value: int) -> None:
    words[np.uint64(place)] = value


@inlined
def _add_block(directory: Any, registers: Any, side: int, place: int, first: int) -> Any:
    """Put an empty block into a side's directory and return its number."""
    pool = _get(registers, POOL)
    count = _get(registers, BLOCKS + side)
    for at in range(count, place, -1):
        _set(directory, side * pool + at, _get(directory, side * pool + at - 1))
        _set(directory, (2 + side) * pool + at, _get(directory, (2 + side) * pool + at - 1))
    free = _get(registers, FREE) - 1
    _set(registers, FREE, free)
    block = _get(directory, 5 * pool + free)
    _set(directory, side * pool + place, first)
    _set(directory, (2 + side) * pool + place, block)
    _set(directory, 4 * pool + block, 0)
    _set(registers, BLOCKS + side, count + 1)
    return block


@inlined
def _drop_block(directory: Any, registers: Any, side: int, place: int) -> None:
    """Take a block out of a side's directory; it is free then."""
    pool = _get(registers, POOL)
    count = _get(registers, BLOCKS + side) - 1
    free = _get(registers, FREE)
    _set(directory, 5 * pool + free, _get(directory, (2 + side) * pool + place))
    _set(registers, FREE, free + 1)
    for at in range(place, count):
        _set(directory, side * pool + at, _get(directory, side * pool + at + 1))
        _set(directory, (2 + side) * pool + at, _get(directory, (2 + side) * pool + at + 1))
    if place == 0:
        _set(directory, side * pool, LOWEST)
    _set(registers, BLOCKS + side, count)


@inlined
def _first_not_below(words: Any, start: int, count: int, key: int) -> int:
    """Return how many of `count` ascending words are below a key, looking from the end in growing steps."""
    high = count  # words from here on are not below
    step = 1
    while step <= count and _get(words, start + count - step) >= key:
        high = count - step
        step *= 2
    low = max(count - step + 1, 0)  # words before here are below
    while low < high:
        middle = (low + high) // 2
        if _get(words, start + middle) < key:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _place_of(words: Any, start: int, count: int, key: int) -> int:
    """Return how many of `count` ascending words are below a key, in steps that no branch decides on."""
    low = 0
    while count > 0:
        half = (count + 1) >> 1
        low += half * (_get(words, start + low + half - 1) < key)
        count -= half
    return low


@inlined
def _copy_levels(levels: Any, source: int, place: int, target: int, at: int, count: int) -> None:
    """Copy levels from a place in one block to a place in another one."""
    for plane in range(0, STRIDE, BLOCK):
        for n in range(count):
            _set(levels, target * STRIDE + plane + at + n, _get(levels, source * STRIDE + plane + place + n))


@inner
def _split(levels: Any, directory: Any, registers: Any, side: int, place: int) -> None:
    """Move the upper half of a full block into a new one behind it."""
    pool = _get(registers, POOL)
    block = _get(directory, (2 + side) * pool + place)
    upper = _add_block(directory, registers, side, place + 1, _get(levels, block * STRIDE + HALF))
    _copy_levels(levels, block, HALF, upper, 0, HALF)
    _set(directory, 4 * pool + block, HALF)
    _set(directory, 4 * pool + upper, HALF)


@inlined
def _insert(levels: Any, start: int, count: int, place: int, key: int, whole: int, fraction: int) -> None:
    for plane in range(start, start + STRIDE, BLOCK):
        for at in range(plane + count, plane + place, -1):
            _set(levels, at, _get(levels, at - 1))
    _set(levels, start + place, key)
    _set(levels, start + place + BLOCK, whole)
    _set(levels, start + place + 2 * BLOCK, fraction)


@inlined
def _remove(levels: Any, start: int, count: int, place: int) -> None:
    for plane in range(start, start + STRIDE, BLOCK):
        for at in range(plane + place, plane + count - 1):
            _set(levels, at, _get(levels, at + 1))


@inner
def _tidy(levels: Any, directory: Any, registers: Any, side: int, place: int) -> None:
    """Drop a block that is empty, or merge it with the one before it where both fit into half a block."""
    pool = _get(registers, POOL)
    block = _get(directory, (2 + side) * pool + place)
    count = _get(directory, 4 * pool + block)
    if count == 0:
        _drop_block(directory, registers, side, place)
        return
    for upper in (place, place + 1):
        if upper < 1 or upper >= _get(registers, BLOCKS + side):
            continue
        into = _get(directory, (2 + side) * pool + upper - 1)
        block = _get(directory, (2 + side) * pool + upper)
        held, count = _get(directory, 4 * pool + into), _get(directory, 4 * pool + block)
        if held + count <= HALF:
            _copy_levels(levels, block, 0, into, held, count)
            _set(directory, 4 * pool + into, held + count)
            _drop_block(directory, registers, side, upper)
            return


@inlined
def set_level(
    levels: Any, directory: Any, registers: Any, side: int, key: int, whole: int, fraction: int
) -> None:
    """Set a level to a size; 0 removes it. O(distance from the touch), at most O(BLOCK + levels / BLOCK)."""
    pool = _get(registers, POOL)
    blocks = _get(registers, BLOCKS + side)
    is_zero = whole == 0 and fraction == 0
    if blocks == 0:
        if is_zero:
            registers[ABSENT_DELETES] += 1
            return
        _add_block(directory, registers, side, 0, LOWEST)
        blocks = 1
    place = _first_not_below(directory, side * pool, blocks, key + 1) - 1
    block = _get(directory, (2 + side) * pool + place)
    count = _get(directory, 4 * pool + block)
    start = block * STRIDE
    at = _place_of(levels, start, count, key)
    if at < count and _get(levels, start + at) == key:
        if is_zero:
            _remove(levels, start, count, at)
            _set(directory, 4 * pool + block, count - 1)
            if count <= HALF:
                _tidy(levels, directory, registers, side, place)
            return
        if _get(levels, start + at + BLOCK) == whole and _get(levels, start + at + 2 * BLOCK) == fraction:
            registers[NOOP_SETS] += 1
        _set(levels, start + at + BLOCK, whole)
        _set(levels, start + at + 2 * BLOCK, fraction)
        return
    if is_zero:
        registers[ABSENT_DELETES] += 1
        return
    if count == BLOCK:
        _split(levels, directory, registers, side, place)
        if at > HALF:
            block, at = _get(directory, (2 + side) * pool + place + 1), at - HALF
        count = HALF
        start = block * STRIDE
    _insert(levels, start, count, at, key, whole, fraction)
    _set(directory, 4 * pool + block, count + 1)


@inner
def clear(directory: Any, registers: Any) -> None:
    """Empty both sides."""
    for side in range(2):
        while _get(registers, BLOCKS + side):
            _drop_block(directory, registers, side, _get(registers, BLOCKS + side) - 1)
    registers[IS_KNOWN] = 0


@inlined
def blocks_missing(registers: Any, changes: int, is_snapshot: bool) -> Any:
    """Return how many blocks must be added before so many changes; a bound, 0 or below where none.

    A block that is split is half full then, so only every HALF changes take a new one; but each block that is
    there already may be full. A snapshot frees those.
    """
    needed = changes // HALF + 4
    if is_snapshot:
        return needed - _get(registers, POOL)
    return needed + min(changes, registers[BLOCKS] + registers[BLOCKS + 1]) - _get(registers, FREE)
