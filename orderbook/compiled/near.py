"""The levels near the touch: an array by price for each side, with a place for each tick.

Most changes are some ticks from the touch, and it cannot be predicted which level they hit and whether it is
new, changed or removed; a branch for each of these questions would cost more than all else. Here a change is
a store at the place of its tick, whether there was a level or not: no search, no move, no branch.

A side's first place has its highest key, so the best level is the one at the lowest place. `levels` decides
which key the first place has, and how large a tick is. A level whose key has a place is held here, all others
are in `blocks`: the deep ones, and prices between two ticks.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined
from orderbook.compiled.layout import FEWEST_PLACES
from orderbook.compiled.words import get_word, lowest_bit, set_word

MOST_PLACES: Final = 1 << 18
_PLACES_A_LEVEL: Final = 4

_ONE: Final[Any] = np.uint64(1)


@inlined
def place_of(registers: Any, side: int, key: int, per_unit: float) -> Any:
    """Return the place of a key, -1 if it has none.

    Args:
        registers: those of the book.
        side: 0 or 1.
        key: any.
        per_unit: ticks a price unit, `1 / tick`. A division would cost as much as all else; so the place is
            rounded, and multiplied back to see whether it was exact.
    """
    units = get_word(registers.first_key, side) - key
    ticks = np.int64(units * per_unit + 0.5)
    is_near = (units >= 0) & (units < get_word(registers.reach, side))
    place = side * registers.places + ticks
    return place if is_near & (ticks * registers.tick == units) else -1


@inlined
def place_at(registers: Any, side: int, ticks: int) -> Any:
    """Return the place of a key that is so many ticks, -1 if it has none."""
    passed = get_word(registers.first_tick, side) - ticks
    is_near = (passed >= 0) & (passed < get_word(registers.reached, side))
    return side * registers.places + passed if is_near else -1


@inlined
def key_at(registers: Any, side: int, place: int) -> Any:
    """Return the key of a place."""
    return get_word(registers.first_key, side) - (place - side * registers.places) * registers.tick


@inlined
def behind(registers: Any, side: int) -> Any:
    """Return the place behind a side's last one."""
    return (1 + side) * registers.places


@inlined
def set_near(book: Any, side: int, place: int, units: int, rest: int) -> None:
    """Set the level at a place to a size; 0 removes it. O(1)."""
    near, registers = book.near, book.registers
    is_same = get_word(near, place) == units
    is_there = (units | rest) != 0
    set_word(near, place, units)
    if (rest | registers.has_rests) != 0:  # as a rule there is none, and their memory is not used
        registers.has_rests = 1
        at = 2 * registers.places + place
        is_same = is_same & (get_word(near, at) == rest)
        set_word(near, at, rest)
    word = 4 * registers.places + (place >> 6)
    bits, bit = np.uint64(get_word(near, word)), _ONE << np.uint64(place & 63)
    set_word(near, word, np.int64(bits | bit if is_there else bits & ~bit))
    registers.absent_deletes += np.int64(is_same & (not is_there))
    registers.noop_sets += np.int64(is_same & is_there)
    best = get_word(registers.best, side)
    set_word(registers.best, side, place if is_there & (place < best) else best)


@inlined
def first_from(book: Any, side: int, place: int) -> Any:
    """Return the first place with a level, from a place on; the one behind the last if there is none."""
    end = behind(book.registers, side)
    if place >= end:
        return end
    start = 4 * book.registers.places
    word = place >> 6
    passed = np.uint64(place & 63)
    bits = np.uint64(get_word(book.near, start + word)) >> passed << passed
    while bits == 0:
        word += 1
        if word << 6 == end:
            return end
        bits = np.uint64(get_word(book.near, start + word))
    return (word << 6) + lowest_bit(bits)


@inlined
def first_place(book: Any, side: int) -> Any:
    """Return the place of a side's best level; the one behind the last if there is none."""
    return first_from(book, side, get_word(book.registers.best, side))


@inlined
def size_at(book: Any, place: int) -> tuple[Any, Any]:
    """Return the size at a place."""
    registers = book.registers
    rest = get_word(book.near, 2 * registers.places + place) if registers.has_rests != 0 else 0
    return get_word(book.near, place), rest


@inlined
def count_levels(book: Any) -> int:
    """Return how many levels both sides hold. O(levels + places / 64)."""
    levels = 0
    for side in range(2):
        place = first_place(book, side)
        while place < behind(book.registers, side):
            levels += 1
            place = first_from(book, side, place + 1)
    return levels


@inlined
def close(book: Any, side: int) -> None:
    """Remove a side's levels; no key has a place then. O(levels + places / 64)."""
    place = first_place(book, side)
    while place < behind(book.registers, side):
        set_near(book, side, place, 0, 0)
        place = first_from(book, side, place + 1)
    set_word(book.registers.reach, side, 0)
    set_word(book.registers.reached, side, 0)
    set_word(book.registers.best, side, behind(book.registers, side))


@inlined
def open_around(registers: Any, side: int, best: int) -> None:
    """Give places to the keys around the best one; the side must be closed."""
    first = best // registers.tick + registers.places // 4
    set_word(registers.first_tick, side, first)
    set_word(registers.first_key, side, first * registers.tick)
    set_word(registers.reached, side, registers.places)
    set_word(registers.reach, side, registers.places * registers.tick)


@inlined
def places_for(levels: int) -> int:
    """Return how many places a side should have if both sides have so many levels."""
    wanted: int = FEWEST_PLACES
    while wanted < MOST_PLACES and wanted < levels * _PLACES_A_LEVEL:
        wanted *= 2
    return wanted
