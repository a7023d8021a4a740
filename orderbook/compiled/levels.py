"""The book's levels: those near the touch in an array by price, all others in blocks.

Sides are 0 (bids) and 1 (asks). Keys make both one: the price for bids, minus the price for asks; the best
key is the highest. Which of the two structures holds a level is a matter of speed and of nothing else.

A snapshot says where the array is: a tick is the largest power of ten, 100.00 at most, of which nearly all of
its prices are multiples, and a quarter of the places is left for better prices than its best. Where the touch
has left the array, or comes close to its end, the array follows, with a tick of the prices there.
"""

from typing import Any, Final

from orderbook.compiled import blocks
from orderbook.compiled import near as nears
from orderbook.compiled.blocks import BLOCKS, HALF, IS_KNOWN, LOWEST, POOL
from orderbook.compiled.frames import CHANGE
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.near import BEST, FIRST, PLACES, TICK
from orderbook.compiled.words import get_word, set_word

STRAYS: Final = 15  # register: summaries whose best level had no good place, since the array was put there

_LARGEST_TICK: Final = 10**10
"""In units of price; so that a side's places span less than a float holds exactly."""
_NEARLY_ALL: Final = 16
"""One odd price among so many is left to the blocks."""
_LOOKED_AT: Final = 1024
_BLOCKS_LOOKED_AT: Final = 8
_PATIENCE: Final = 4096
"""Strays until the array follows, which takes as long as some thousand changes."""


@inlined
def set_level(
    near: Any,
    levels: Any,
    directory: Any,
    registers: Any,
    side: int,
    key: int,
    whole: int,
    fraction: int,
    per_unit: float,
) -> None:
    """Set a level to a size; 0 removes it. O(1) near the touch, see `blocks.set_deep` elsewhere."""
    place = nears.place_of(registers, side, key, per_unit)
    if place >= 0:
        nears.set_near(near, registers, side, place, whole, fraction)
    else:
        blocks.set_deep(levels, directory, registers, side, key, whole, fraction)


@inner
def clear(near: Any, directory: Any, registers: Any) -> None:
    """Empty both sides."""
    for side in range(2):
        nears.close(near, registers, side)
    blocks.drop_all(directory, registers)
    registers[IS_KNOWN] = 0


@inner
def aim(registers: Any, changes: Any, start: int, stop: int) -> None:
    """Put the array where a snapshot has the touch; the book must be empty. O(changes).

    Args:
        registers: of the book.
        changes: see `frames`.
        start, stop: which of them are the snapshot's.
    """
    registers[FIRST] = registers[FIRST + 1] = LOWEST
    for change in range(start, stop):
        side, key = get_word(changes, change * CHANGE), get_word(changes, change * CHANGE + 1)
        set_word(registers, FIRST + side, max(key, get_word(registers, FIRST + side)))
    registers[TICK] = _LARGEST_TICK
    step = 1 + (stop - start) // _LOOKED_AT
    while _odd_changes(changes, start, stop, step, registers[TICK]) * _NEARLY_ALL > (stop - start) // step:
        registers[TICK] //= 10
    for side in range(2):
        if registers[FIRST + side] != LOWEST:
            _open_around(registers, side, registers[FIRST + side])
    registers[STRAYS] = 0


@inlined
def _odd_changes(changes: Any, start: int, stop: int, step: int, tick: int) -> int:
    """Return how many prices of a frame are no multiples of a tick; only each `step`th is looked at."""
    odd = 0
    for change in range(start, stop, step):
        odd += get_word(changes, change * CHANGE + 1) % tick != 0
    return odd


@inlined
def _odd_levels(levels: Any, directory: Any, registers: Any, tick: int) -> Any:
    """Return how many prices of the best blocks are no multiples of a tick, and how many there are."""
    pool = get_word(registers, POOL)
    odd = looked_at = 0
    for side in range(2):
        place = get_word(registers, BLOCKS + side) - 1
        for nth in range(place, max(place - _BLOCKS_LOOKED_AT, -1), -1):
            block = get_word(directory, (2 + side) * pool + nth)
            count = get_word(directory, 4 * pool + block)
            for at in range(count):
                odd += get_word(levels, block * blocks.STRIDE + at) % tick != 0
            looked_at += count
    return odd, looked_at


@inlined
def _open_around(registers: Any, side: int, best: int) -> None:
    tick = get_word(registers, TICK)
    nears.open_at(registers, side, (best // tick + get_word(registers, PLACES) // 4) * tick)


@inner
def follow(near: Any, levels: Any, directory: Any, registers: Any) -> None:
    """Put the array where the touch is now. O(levels near the touch)."""
    for side in range(2):
        place = nears.first_from(near, registers, side, registers[BEST + side])
        while place < nears.behind(registers, side):
            key = nears.key_at(registers, side, place)
            whole, fraction = nears.size_at(near, place)
            blocks.set_deep(levels, directory, registers, side, key, whole, fraction)
            place = nears.first_from(near, registers, side, place + 1)
        nears.close(near, registers, side)
    registers[TICK] = _LARGEST_TICK
    odd, looked_at = _odd_levels(levels, directory, registers, registers[TICK])
    while odd * _NEARLY_ALL > looked_at:
        registers[TICK] //= 10
        odd, looked_at = _odd_levels(levels, directory, registers, registers[TICK])
    for side in range(2):
        if registers[BLOCKS + side]:
            _open_around(registers, side, blocks.best_key(levels, directory, registers, side))
            _draw(near, levels, directory, registers, side)
    registers[STRAYS] = 0


@inlined
def _draw(near: Any, levels: Any, directory: Any, registers: Any, side: int) -> None:
    """Move the levels that have a place out of the blocks."""
    pool = get_word(registers, POOL)
    per_unit = 1 / get_word(registers, TICK)
    lowest = nears.key_at(registers, side, nears.behind(registers, side) - 1)
    key = lowest
    place = get_word(registers, BLOCKS + side) - 1
    while place >= 0 and key >= lowest:
        block = get_word(directory, (2 + side) * pool + place)
        start = block * blocks.STRIDE
        count = get_word(directory, 4 * pool + block)
        for at in range(count - 1, -1, -1):
            key = get_word(levels, start + at)
            found = nears.place_of(registers, side, key, per_unit)
            if found >= 0:
                whole, fraction = blocks.size_at(levels, start, at)
                nears.set_near(near, registers, side, found, whole, fraction)
                blocks.remove(levels, start, count, at)
                count -= 1
        set_word(directory, 4 * pool + block, count)
        if count <= HALF:
            blocks.tidy(levels, directory, registers, side, place)
        place -= 1


@inlined
def note_best(registers: Any, side: int, near_place: int, near_key: int, deep_key: int) -> None:
    """Keep where a side's best level is, and count it as a stray where it speaks for following.

    Args:
        registers: of the book.
        side: 0 or 1.
        near_place: of the best level in the array.
        near_key: its key, LOWEST for none.
        deep_key: of the best level in the blocks.
    """
    registers[BEST + side] = near_place
    places_left = nears.behind(registers, side) - near_place
    is_low = (near_key != LOWEST) & (places_left < get_word(registers, PLACES) // 8)
    registers[STRAYS] += (near_key < deep_key) | is_low


@inlined
def is_due(registers: Any) -> Any:
    """Tell whether the array should follow."""
    return registers[STRAYS] > _PATIENCE


@inlined
def blocks_missing(near: Any, registers: Any, changes: int, is_snapshot: bool) -> Any:
    """Return how many blocks must be added before so many changes; 0 or below where none."""
    if is_due(registers) and not is_snapshot:
        changes += nears.held(near, registers)
    return blocks.missing(registers, changes, is_snapshot)


@inlined
def places_missing(registers: Any, changes: int) -> int:
    """Return how many places a side must have before a snapshot of so many changes; 0 where it has them."""
    wanted = nears.places_for(changes)
    return wanted if wanted > registers[PLACES] else 0
