"""Levels that have no place near the touch, in the order of price: of each side a list of blocks.

A sorted array alone would move up to 46,000 levels for a change. So a side is cut into blocks of at most
`BLOCK` levels, and a small directory holds the price from which each block begins. The best of these levels
is the last one of the last block; a change n levels from it moves n levels at most, a deep one half a block.

Keys are those of `levels`.

    levels      block b: BLOCK keys, BLOCK wholes, BLOCK fractions from b * 3 * BLOCK on
    directory   of side s: what block i begins with at s * pool + i, its number at (2 + s) * pool + i;
                of block b: how many levels it holds at 4 * pool + b; free blocks from 5 * pool on
    registers   how many blocks each side has and how many are free, and the counters (see below)

A full block is split in halves; two neighbours that fit into half a block are merged, so a side of n levels
has at most 4 n / BLOCK + 2 blocks. Memory is handed in; `blocks_needed` says how much before a frame applies.
"""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word, set_word

BLOCK: Final = 64
HALF: Final = BLOCK // 2
STRIDE: Final = 3 * BLOCK
"""Words of a block."""
LOWEST: Final = -(2**62)
"""Where a side's first block begins: it takes every key that is below the second's."""

# Registers: what carries over from row to row.
BLOCKS: Final = 0  # and 1: blocks of each side
FREE: Final = 2
IS_KNOWN: Final = 3
ABSENT_DELETES: Final = 4
NOOP_SETS: Final = 5
POOL: Final = 6  # blocks there are


@inlined
def _add_block(directory: Any, registers: Any, side: int, place: int, first: int) -> Any:
    """Put an empty block into a side's directory and return its number."""
    pool = get_word(registers, POOL)
    count = get_word(registers, BLOCKS + side)
    for at in range(count, place, -1):
        set_word(directory, side * pool + at, get_word(directory, side * pool + at - 1))
        set_word(directory, (2 + side) * pool + at, get_word(directory, (2 + side) * pool + at - 1))
    free = get_word(registers, FREE) - 1
    set_word(registers, FREE, free)
    block = get_word(directory, 5 * pool + free)
    set_word(directory, side * pool + place, first)
    set_word(directory, (2 + side) * pool + place, block)
    set_word(directory, 4 * pool + block, 0)
    set_word(registers, BLOCKS + side, count + 1)
    return block


@inlined
def _drop_block(directory: Any, registers: Any, side: int, place: int) -> None:
    """Take a block out of a side's directory; it is free then."""
    pool = get_word(registers, POOL)
    count = get_word(registers, BLOCKS + side) - 1
    free = get_word(registers, FREE)
    set_word(directory, 5 * pool + free, get_word(directory, (2 + side) * pool + place))
    set_word(registers, FREE, free + 1)
    for at in range(place, count):
        set_word(directory, side * pool + at, get_word(directory, side * pool + at + 1))
        set_word(directory, (2 + side) * pool + at, get_word(directory, (2 + side) * pool + at + 1))
    if place == 0:
        set_word(directory, side * pool, LOWEST)
    set_word(registers, BLOCKS + side, count)


@inlined
def _first_not_below(words: Any, start: int, count: int, key: int) -> int:
    """Return how many of `count` ascending words are below a key, looking from the end in growing steps."""
    high = count  # words from here on are not below
    step = 1
    while step <= count and get_word(words, start + count - step) >= key:
        high = count - step
        step *= 2
    low = max(count - step + 1, 0)  # words before here are below
    while low < high:
        middle = (low + high) // 2
        if get_word(words, start + middle) < key:
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
        low += half * (get_word(words, start + low + half - 1) < key)
        count -= half
    return low


@inlined
def _copy_levels(levels: Any, source: int, place: int, target: int, at: int, count: int) -> None:
    """Copy levels from a place in one block to a place in another one."""
    for plane in range(0, STRIDE, BLOCK):
        for n in range(count):
            set_word(
                levels,
                target * STRIDE + plane + at + n,
                get_word(levels, source * STRIDE + plane + place + n),
            )


@inner
def _split(levels: Any, directory: Any, registers: Any, side: int, place: int) -> None:
    """Move the upper half of a full block into a new one behind it."""
    pool = get_word(registers, POOL)
    block = get_word(directory, (2 + side) * pool + place)
    upper = _add_block(directory, registers, side, place + 1, get_word(levels, block * STRIDE + HALF))
    _copy_levels(levels, block, HALF, upper, 0, HALF)
    set_word(directory, 4 * pool + block, HALF)
    set_word(directory, 4 * pool + upper, HALF)


@inlined
def _insert(levels: Any, start: int, count: int, place: int, key: int, whole: int, fraction: int) -> None:
    for plane in range(start, start + STRIDE, BLOCK):
        for at in range(plane + count, plane + place, -1):
            set_word(levels, at, get_word(levels, at - 1))
    set_word(levels, start + place, key)
    set_word(levels, start + place + BLOCK, whole)
    set_word(levels, start + place + 2 * BLOCK, fraction)


@inlined
def remove(levels: Any, start: int, count: int, place: int) -> None:
    """Take one of the `count` levels out of the block that begins at a word."""
    for plane in range(start, start + STRIDE, BLOCK):
        for at in range(plane + place, plane + count - 1):
            set_word(levels, at, get_word(levels, at + 1))


@inner
def tidy(levels: Any, directory: Any, registers: Any, side: int, place: int) -> None:
    """Drop a block that is empty, or merge it with the one before it where both fit into half a block."""
    pool = get_word(registers, POOL)
    block = get_word(directory, (2 + side) * pool + place)
    count = get_word(directory, 4 * pool + block)
    if count == 0:
        _drop_block(directory, registers, side, place)
        return
    for upper in (place, place + 1):
        if upper < 1 or upper >= get_word(registers, BLOCKS + side):
            continue
        into = get_word(directory, (2 + side) * pool + upper - 1)
        block = get_word(directory, (2 + side) * pool + upper)
        held, count = get_word(directory, 4 * pool + into), get_word(directory, 4 * pool + block)
        if held + count <= HALF:
            _copy_levels(levels, block, 0, into, held, count)
            set_word(directory, 4 * pool + into, held + count)
            _drop_block(directory, registers, side, upper)
            return


@inner
def set_deep(
    levels: Any, directory: Any, registers: Any, side: int, key: int, whole: int, fraction: int
) -> None:
    """Set a level to a size; 0 removes it. O(BLOCK + levels / BLOCK), less near the best one."""
    pool = get_word(registers, POOL)
    blocks = get_word(registers, BLOCKS + side)
    is_zero = whole == 0 and fraction == 0
    if blocks == 0:
        if is_zero:
            registers[ABSENT_DELETES] += 1
            return
        _add_block(directory, registers, side, 0, LOWEST)
        blocks = 1
    place = _first_not_below(directory, side * pool, blocks, key + 1) - 1
    block = get_word(directory, (2 + side) * pool + place)
    count = get_word(directory, 4 * pool + block)
    start = block * STRIDE
    at = _place_of(levels, start, count, key)
    if at < count and get_word(levels, start + at) == key:
        if is_zero:
            remove(levels, start, count, at)
            set_word(directory, 4 * pool + block, count - 1)
            if count <= HALF:
                tidy(levels, directory, registers, side, place)
            return
        if (
            get_word(levels, start + at + BLOCK) == whole
            and get_word(levels, start + at + 2 * BLOCK) == fraction
        ):
            registers[NOOP_SETS] += 1
        set_word(levels, start + at + BLOCK, whole)
        set_word(levels, start + at + 2 * BLOCK, fraction)
        return
    if is_zero:
        registers[ABSENT_DELETES] += 1
        return
    if count == BLOCK:
        _split(levels, directory, registers, side, place)
        if at > HALF:
            block, at = get_word(directory, (2 + side) * pool + place + 1), at - HALF
        count = HALF
        start = block * STRIDE
    _insert(levels, start, count, at, key, whole, fraction)
    set_word(directory, 4 * pool + block, count + 1)


@inlined
def drop_all(directory: Any, registers: Any) -> None:
    """Empty both sides."""
    for side in range(2):
        while get_word(registers, BLOCKS + side):
            _drop_block(directory, registers, side, get_word(registers, BLOCKS + side) - 1)


@inlined
def best_size(levels: Any, directory: Any, registers: Any, side: int) -> tuple[Any, Any]:
    """Return the size of the level with the highest key of a side, which must not be empty."""
    pool = get_word(registers, POOL)
    block = get_word(directory, (2 + side) * pool + get_word(registers, BLOCKS + side) - 1)
    return size_at(levels, block * STRIDE, get_word(directory, 4 * pool + block) - 1)


@inlined
def best_key(levels: Any, directory: Any, registers: Any, side: int) -> Any:
    """Return the highest key of a side, which must not be empty."""
    pool = get_word(registers, POOL)
    block = get_word(directory, (2 + side) * pool + get_word(registers, BLOCKS + side) - 1)
    return get_word(levels, block * STRIDE + get_word(directory, 4 * pool + block) - 1)


@inlined
def size_at(levels: Any, start: int, at: int) -> tuple[Any, Any]:
    """Return the size of a level of the block that begins at a word, whole and fraction."""
    return get_word(levels, start + at + BLOCK), get_word(levels, start + at + 2 * BLOCK)


@inlined
def missing(registers: Any, changes: int, is_snapshot: bool) -> Any:
    """Return how many blocks must be added before so many changes; a bound, 0 or below where none.

    A block that is split is half full then, so only every HALF changes take a new one; but each block that is
    there already may be full. A snapshot frees those.
    """
    needed = changes // HALF + 4
    if is_snapshot:
        return needed - get_word(registers, POOL)
    return needed + min(changes, registers[BLOCKS] + registers[BLOCKS + 1]) - get_word(registers, FREE)
