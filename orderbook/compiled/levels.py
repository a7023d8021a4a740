"""The levels of the book: those near the touch in an array (`near`), all others in blocks (`blocks`).

Which of the two holds a level affects the speed and nothing else.

A snapshot decides where the array is: a tick is the largest power of ten, at most 100.00, of which nearly
all of its prices are multiples, and a quarter of the places is kept for prices better than its best. When
the touch has left the array, or comes close to its end, the array follows, with a tick that suits the
prices there.
"""

from typing import Any, Final

from orderbook.compiled import blocks, near
from orderbook.compiled.jit import inlined
from orderbook.compiled.layout import CHANGE, LOWEST, STRIDE
from orderbook.compiled.words import get_word, set_word

_LARGEST_TICK: Final = 10**10
"""In price units; it makes a side's places span less than a float holds exactly."""
_NEARLY_ALL: Final = 16
"""Of this many prices, one that is not a multiple of the tick is left to the blocks."""
_SAMPLED_CHANGES: Final = 1024
_SAMPLED_BLOCKS: Final = 8
_PATIENCE: Final = 4096
"""Strays until the array follows, which takes as long as some thousand changes."""


@inlined
def set_level(book: Any, side: int, key: int, units: int, rest: int, per_unit: float) -> None:
    """Set a level to a size; 0 removes it. O(1) near the touch, see `blocks.set_deep` for the others."""
    place = near.place_of(book.registers, side, key, per_unit)
    if place >= 0:
        near.set_near(book, side, place, units, rest)
    else:
        blocks.set_deep(book, side, key, units, rest)


@inlined
def clear(book: Any) -> None:
    """Empty both sides."""
    for side in range(2):
        near.close(book, side)
    blocks.drop_all(book)
    book.registers.is_known = 0


@inlined
def aim(registers: Any, changes: Any, start: int, stop: int) -> None:
    """Put the array around the touch of a snapshot; the book must be empty. O(changes).

    Args:
        registers: those of the book.
        changes: those of the frame.
        start: the first change of the snapshot.
        stop: the one behind its last.
    """
    for side in range(2):
        set_word(registers.first_key, side, LOWEST)
    for change in range(start, stop):
        side, key = get_word(changes, change * CHANGE), get_word(changes, change * CHANGE + 1)
        set_word(registers.first_key, side, max(key, get_word(registers.first_key, side)))
    registers.tick = _LARGEST_TICK
    step = 1 + (stop - start) // _SAMPLED_CHANGES
    while _odd_changes(changes, start, stop, step, registers.tick) * _NEARLY_ALL > (stop - start) // step:
        registers.tick //= 10
    for side in range(2):
        best = get_word(registers.first_key, side)
        if best != LOWEST:
            near.open_around(registers, side, best)
    registers.strays = 0


@inlined
def _odd_changes(changes: Any, start: int, stop: int, step: int, tick: int) -> int:
    """Return how many prices of a frame, of each `step`th one, are not multiples of a tick."""
    odd = 0
    for change in range(start, stop, step):
        odd += get_word(changes, change * CHANGE + 1) % tick != 0
    return odd


@inlined
def _odd_levels(book: Any, tick: int) -> Any:
    """Return how many prices of the best blocks are not multiples of a tick, and how many there are."""
    odd = sampled = 0
    for side in range(2):
        last = blocks.used(book, side) - 1
        for place in range(last, max(last - _SAMPLED_BLOCKS, -1), -1):
            block = blocks.block_at(book, side, place)
            count = blocks.count_of(book, block)
            for at in range(count):
                odd += get_word(book.blocks, block * STRIDE + at) % tick != 0
            sampled += count
    return odd, sampled


@inlined
def follow(book: Any) -> None:
    """Put the array around the touch as it is now. O(levels near the touch)."""
    registers = book.registers
    for side in range(2):
        place = near.first_place(book, side)
        while place < near.behind(registers, side):
            units, rest = near.size_at(book, place)
            blocks.set_deep(book, side, near.key_at(registers, side, place), units, rest)
            place = near.first_from(book, side, place + 1)
        near.close(book, side)
    registers.tick = _LARGEST_TICK
    odd, sampled = _odd_levels(book, registers.tick)
    while odd * _NEARLY_ALL > sampled:
        registers.tick //= 10
        odd, sampled = _odd_levels(book, registers.tick)
    for side in range(2):
        if blocks.used(book, side):
            near.open_around(registers, side, get_word(book.blocks, blocks.best_at(book, side)))
            _move_near(book, side)
    registers.strays = 0


@inlined
def _move_near(book: Any, side: int) -> None:
    """Move the levels that have a place from the blocks into the array."""
    per_unit = 1 / book.registers.tick
    lowest = near.key_at(book.registers, side, near.behind(book.registers, side) - 1)
    key = lowest
    place = blocks.used(book, side) - 1
    while place >= 0 and key >= lowest:
        block = blocks.block_at(book, side, place)
        start = block * STRIDE
        count = blocks.count_of(book, block)
        for at in range(count - 1, -1, -1):
            key = get_word(book.blocks, start + at)
            found = near.place_of(book.registers, side, key, per_unit)
            if found >= 0:
                units, rest = blocks.size_at(book.blocks, start + at)
                near.set_near(book, side, found, units, rest)
                blocks.remove(book.blocks, start, count, at)
                count -= 1
        blocks.set_count(book, block, count)
        if count <= blocks.HALF:
            blocks.tidy(book, side, place)
        place -= 1


@inlined
def note_best(registers: Any, side: int, near_place: int, near_key: int, deep_key: int) -> None:
    """Keep where a side's best level is, and count it as a stray if the array should follow it.

    Args:
        registers: those of the book.
        side: 0 or 1.
        near_place: the place of the best level in the array.
        near_key: its key, LOWEST if there is none.
        deep_key: the key of the best level in the blocks, LOWEST if there is none.
    """
    set_word(registers.best, side, near_place)
    places_left = near.behind(registers, side) - near_place
    is_low = (near_key != LOWEST) & (places_left < registers.places // 8)
    registers.strays += (near_key < deep_key) | is_low


@inlined
def is_due(registers: Any) -> Any:
    """Tell whether the array should follow."""
    return registers.strays > _PATIENCE


@inlined
def lacks_room(book: Any, changes: int, is_snapshot: bool) -> bool:
    """Tell whether the book lacks room for so many changes; its registers say how much is missing."""
    registers = book.registers
    wanted = near.places_for(changes) if is_snapshot else 0
    registers.missing_places = wanted if wanted > registers.places else 0
    if is_due(registers) and not is_snapshot:
        changes += near.count_levels(book)
    registers.missing_blocks = blocks.missing(book, changes, is_snapshot)
    return bool(registers.missing_blocks > 0 or registers.missing_places > 0)
