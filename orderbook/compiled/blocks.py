"""The levels that have no place near the touch, in the order of price: a list of blocks for each side.

A sorted array alone would move up to 46,000 levels for one change. So each side is cut into blocks of at most
`BLOCK` levels, and a small directory holds the key from which each block begins. The best of these levels is
the last one of the last block; a change n levels from it moves at most n levels, a deep one half a block.

A full block is split in halves, and two neighbours that fit into half a block are merged, so a side of n
levels has at most 4 n / BLOCK + 2 blocks. `missing` says how many must be added before a frame is applied.
"""

from typing import Any, Final

from orderbook.compiled.jit import inlined
from orderbook.compiled.layout import BLOCK, LOWEST, STRIDE
from orderbook.compiled.words import get_word, set_word

HALF: Final = BLOCK // 2


@inlined
def used(book: Any, side: int) -> Any:
    """Return how many blocks a side has."""
    return get_word(book.registers.used_blocks, side)


@inlined
def block_at(book: Any, side: int, place: int) -> Any:
    """Return the number of the block at a place of a side's list."""
    return get_word(book.directory, (2 + side) * book.registers.pool + place)


@inlined
def count_of(book: Any, block: int) -> Any:
    """Return how many levels a block holds."""
    return get_word(book.directory, 4 * book.registers.pool + block)


@inlined
def set_count(book: Any, block: int, count: int) -> None:
    """Set how many levels a block holds."""
    set_word(book.directory, 4 * book.registers.pool + block, count)


@inlined
def _add_block(book: Any, side: int, place: int, first: int) -> Any:
    """Insert an empty block into a side's list and return its number."""
    registers, directory = book.registers, book.directory
    pool, count, free = registers.pool, used(book, side), registers.free_blocks - 1
    for start in range(side * pool, 4 * pool, 2 * pool):
        for at in range(start + count, start + place, -1):
            set_word(directory, at, get_word(directory, at - 1))
    registers.free_blocks = free
    block = get_word(directory, 5 * pool + free)
    set_word(directory, side * pool + place, first)
    set_word(directory, (2 + side) * pool + place, block)
    set_word(directory, 4 * pool + block, 0)
    set_word(registers.used_blocks, side, count + 1)
    return block


@inlined
def _drop_block(book: Any, side: int, place: int) -> None:
    """Remove a block from a side's list; it is free then."""
    registers, directory = book.registers, book.directory
    pool, count, free = registers.pool, used(book, side) - 1, registers.free_blocks
    set_word(directory, 5 * pool + free, get_word(directory, (2 + side) * pool + place))
    registers.free_blocks = free + 1
    for start in range(side * pool, 4 * pool, 2 * pool):
        for at in range(start + place, start + count):
            set_word(directory, at, get_word(directory, at + 1))
    if place == 0:
        set_word(directory, side * pool, LOWEST)
    set_word(registers.used_blocks, side, count)


@inlined
def _count_below(words: Any, start: int, count: int, key: int) -> int:
    """Return how many of `count` ascending words are below a key.

    A processor predicts the branches of a search badly: so a step is a sum, and no condition, of which LLVM
    would make a branch. The last `BLOCK` words are compared all at once: vectors are faster than steps that
    wait for each other. No word and no key is above 2**62, nor below minus that.
    """
    low = 0
    while count > BLOCK:
        half = (count + 1) >> 1
        low += half & ((get_word(words, start + low + half - 1) - key) >> 63)
        count -= half
    below = 0
    for at in range(BLOCK):  # behind the last one are words of something else, which do not count
        below += (get_word(words, start + low + at) < key) & (at < count)
    return low + below


@inlined
def _place_for(book: Any, side: int, key: int) -> Any:
    """Return the place of the block that a key belongs to; the side must have one. O(log blocks)."""
    words, start, last = book.directory, side * book.registers.pool, used(book, side) - 1
    if get_word(words, start + last) <= key:  # of a snapshot each level is the best so far, or the worst
        return last
    if get_word(words, start + 1) > key:
        return 0
    return _count_below(words, start, last, key + 1) - 1


@inlined
def _copy_levels(blocks: Any, source: int, place: int, target: int, at: int, count: int) -> None:
    """Copy levels from a place in one block to a place in another one."""
    source, target = source * STRIDE + place, target * STRIDE + at
    for plane in range(0, STRIDE, BLOCK):
        for n in range(plane, plane + count):
            set_word(blocks, target + n, get_word(blocks, source + n))


@inlined
def _split(book: Any, side: int, place: int) -> None:
    """Move the upper half of a full block into a new one behind it."""
    block = block_at(book, side, place)
    upper = _add_block(book, side, place + 1, get_word(book.blocks, block * STRIDE + HALF))
    _copy_levels(book.blocks, block, HALF, upper, 0, HALF)
    set_count(book, block, HALF)
    set_count(book, upper, HALF)


@inlined
def _insert(blocks: Any, start: int, count: int, place: int, key: int, units: int, rest: int) -> None:
    """Insert a level into the block of `count` levels that begins at a word."""
    for plane in range(start, start + STRIDE, BLOCK):
        for at in range(plane + count, plane + place, -1):
            set_word(blocks, at, get_word(blocks, at - 1))
    set_word(blocks, start + place, key)
    set_word(blocks, start + place + BLOCK, units)
    set_word(blocks, start + place + 2 * BLOCK, rest)


@inlined
def remove(blocks: Any, start: int, count: int, place: int) -> None:
    """Remove one of the `count` levels of the block that begins at a word."""
    for plane in range(start, start + STRIDE, BLOCK):
        for at in range(plane + place, plane + count - 1):
            set_word(blocks, at, get_word(blocks, at + 1))


@inlined
def tidy(book: Any, side: int, place: int) -> None:
    """Drop a block if it is empty, or merge it with a neighbour if both fit into half a block."""
    if count_of(book, block_at(book, side, place)) == 0:
        _drop_block(book, side, place)
        return
    for upper in (place, place + 1):
        if upper < 1 or upper >= used(book, side):
            continue
        into, block = block_at(book, side, upper - 1), block_at(book, side, upper)
        held, count = count_of(book, into), count_of(book, block)
        if held + count <= HALF:
            _copy_levels(book.blocks, block, 0, into, held, count)
            set_count(book, into, held + count)
            _drop_block(book, side, upper)
            return


@inlined
def set_deep(book: Any, side: int, key: int, units: int, rest: int) -> None:
    """Set a level to a size; 0 removes it. O(BLOCK + levels / BLOCK), less near the best one."""
    registers, blocks = book.registers, book.blocks
    is_zero = units == 0 and rest == 0
    if used(book, side) == 0:
        if is_zero:
            registers.absent_deletes += 1
            return
        _add_block(book, side, 0, LOWEST)
    place = _place_for(book, side, key)
    block = block_at(book, side, place)
    count = count_of(book, block)
    start = block * STRIDE
    at = _count_below(blocks, start, count, key)
    if at < count and get_word(blocks, start + at) == key:
        if is_zero:
            remove(blocks, start, count, at)
            set_count(book, block, count - 1)
            if count <= HALF:
                tidy(book, side, place)
            return
        held_units, held_rest = size_at(blocks, start + at)
        if held_units == units and held_rest == rest:
            registers.noop_sets += 1
        set_word(blocks, start + at + BLOCK, units)
        set_word(blocks, start + at + 2 * BLOCK, rest)
        return
    if is_zero:
        registers.absent_deletes += 1
        return
    if count == BLOCK:
        _split(book, side, place)
        if at > HALF:
            block, at = block_at(book, side, place + 1), at - HALF
        count = HALF
        start = block * STRIDE
    _insert(blocks, start, count, at, key, units, rest)
    set_count(book, block, count + 1)


@inlined
def drop_all(book: Any) -> None:
    """Empty both sides."""
    for side in range(2):
        while used(book, side):
            _drop_block(book, side, used(book, side) - 1)


@inlined
def best_at(book: Any, side: int) -> Any:
    """Return the word of the highest key of a side, which must not be empty."""
    block = block_at(book, side, used(book, side) - 1)
    return block * STRIDE + count_of(book, block) - 1


@inlined
def size_at(blocks: Any, at: int) -> tuple[Any, Any]:
    """Return the size of the level whose key is at a word."""
    return get_word(blocks, at + BLOCK), get_word(blocks, at + 2 * BLOCK)


@inlined
def place_below(book: Any, side: int, key: int) -> tuple[Any, Any]:
    """Return where keys of at least this one begin: the word of it, and the first word of its block.

    A side without levels has none: both are 0.
    """
    if used(book, side) == 0:
        return 0, 0
    place = _place_for(book, side, key)
    block = block_at(book, side, place)
    start = block * STRIDE
    at = _count_below(book.blocks, start, count_of(book, block), key)
    if at == 0 and place > 0:
        block = block_at(book, side, place - 1)
        start = block * STRIDE
        at = count_of(book, block)
    return start + at, start


@inlined
def missing(book: Any, changes: int, is_snapshot: bool) -> Any:
    """Return how many blocks must be added before so many changes: a bound, 0 or below if none.

    Half of a block that was split is free, so only every HALF changes take a new block; but each block that
    is in use already may be full. A snapshot frees those.
    """
    needed = changes // HALF + 4
    if is_snapshot:
        return needed - book.registers.pool
    return needed + min(changes, used(book, 0) + used(book, 1)) - book.registers.free_blocks
