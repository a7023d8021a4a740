"""Levels near the touch: of each side an array by price, a place a tick.

Most changes are some ticks from the touch, and nobody can foresee which level they hit and whether it is new,
changed or gone; a branch for each of these questions costs more than all else. Here a change is a store at
the place of its tick, whether a level was there or not: no search, no move, no branch.

A side has PLACES places, the first of which is its highest key; so the best level is the one at the lowest.
Which key that is, and what a tick, `levels` decides. A level is in here where it has a place, and in the
blocks otherwise: deep ones, and prices between two ticks.

    near        a size for each place, whole and fraction, 0 where there is no level: those of the bids from
                place 0 on, of the asks from place PLACES on; from 4 * PLACES on a bit for each, 64 in a word,
                set where there is a level
    registers   from TICK on
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.blocks import ABSENT_DELETES, NOOP_SETS
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word, lowest_bit, set_word

WORDS: Final = 4 + 2 / 64
"""Of `near` for each place that a side has."""
FEWEST_PLACES: Final = 1 << 10
MOST_PLACES: Final = 1 << 18
_PLACES_A_LEVEL: Final = 4

# Registers, on from those of `blocks`.
TICK: Final = 7  # in units of price
FIRST: Final = 8  # and 9: the key of each side's first place
REACH: Final = 10  # and 11: the units from there down that have places; 0 where the side is not in use
BEST: Final = 12  # and 13: no level of the side is before this place
PLACES: Final = 14  # of a side

_ONE: Final[Any] = np.uint64(1)


@inlined
def place_of(registers: Any, side: int, key: int, per_unit: float) -> Any:
    """Return the place of a key, -1 where it has none.

    Args:
        registers: of the book.
        side: 0 or 1.
        key: any.
        per_unit: ticks a unit, `1 / registers[TICK]`. A division would cost as much as all else; the place is
            rounded, and multiplied back it tells whether it was exact.
    """
    units = get_word(registers, FIRST + side) - key
    ticks = np.int64(units * per_unit + 0.5)
    is_near = (units >= 0) & (units < get_word(registers, REACH + side))
    place = side * get_word(registers, PLACES) + ticks
    return place if is_near & (ticks * get_word(registers, TICK) == units) else -1


@inlined
def key_at(registers: Any, side: int, place: int) -> Any:
    """Return the key of a place."""
    ticks = place - side * get_word(registers, PLACES)
    return get_word(registers, FIRST + side) - ticks * get_word(registers, TICK)


@inlined
def behind(registers: Any, side: int) -> Any:
    """Return the place behind a side's last one."""
    return (1 + side) * get_word(registers, PLACES)


@inlined
def set_near(near: Any, registers: Any, side: int, place: int, whole: int, fraction: int) -> None:
    """Set the level at a place to a size; 0 removes it. O(1)."""
    is_same = (get_word(near, 2 * place) == whole) & (get_word(near, 2 * place + 1) == fraction)
    is_there = (whole | fraction) != 0
    set_word(near, 2 * place, whole)
    set_word(near, 2 * place + 1, fraction)
    word = 4 * get_word(registers, PLACES) + (place >> 6)
    bits, bit = np.uint64(get_word(near, word)), _ONE << np.uint64(place & 63)
    set_word(near, word, np.int64(bits | bit if is_there else bits & ~bit))
    registers[ABSENT_DELETES] += np.int64(is_same & (not is_there))
    registers[NOOP_SETS] += np.int64(is_same & is_there)
    best = get_word(registers, BEST + side)
    set_word(registers, BEST + side, place if is_there & (place < best) else best)


@inlined
def first_from(near: Any, registers: Any, side: int, place: int) -> Any:
    """Return the first place from one on that has a level; the one behind the last where none has."""
    end = behind(registers, side)
    if place >= end:
        return end
    start = 4 * get_word(registers, PLACES)
    word = place >> 6
    passed = np.uint64(place & 63)
    bits = np.uint64(get_word(near, start + word)) >> passed << passed
    while bits == 0:
        word += 1
        if word << 6 == end:
            return end
        bits = np.uint64(get_word(near, start + word))
    return (word << 6) + lowest_bit(bits)


@inlined
def size_at(near: Any, place: int) -> tuple[Any, Any]:
    """Return the size at a place, whole and fraction."""
    return get_word(near, 2 * place), get_word(near, 2 * place + 1)


@inner
def held(near: Any, registers: Any) -> int:
    """Return how many levels there are. O(levels + PLACES / 64)."""
    levels = 0
    for side in range(2):
        place = first_from(near, registers, side, get_word(registers, BEST + side))
        while place < behind(registers, side):
            levels += 1
            place = first_from(near, registers, side, place + 1)
    return levels


@inner
def close(near: Any, registers: Any, side: int) -> None:
    """Forget a side's levels; no key has a place then. O(levels + PLACES / 64)."""
    place = first_from(near, registers, side, get_word(registers, BEST + side))
    while place < behind(registers, side):
        set_near(near, registers, side, place, 0, 0)
        place = first_from(near, registers, side, place + 1)
    set_word(registers, REACH + side, 0)
    set_word(registers, BEST + side, behind(registers, side))


@inlined
def open_at(registers: Any, side: int, first: int) -> None:
    """Give places to the keys from a multiple of the tick on downwards; the side must be closed."""
    set_word(registers, FIRST + side, first)
    set_word(registers, REACH + side, get_word(registers, PLACES) * get_word(registers, TICK))


@inlined
def places_for(levels: int) -> int:
    """Return how many places a side should have for so many levels of both."""
    wanted: int = FEWEST_PLACES
    while wanted < MOST_PLACES and wanted < levels * _PLACES_A_LEVEL:
        wanted *= 2
    return wanted
