"""The book of the compiled exchange: changes of a row into it, and its levels in units out of it.

It is the book of the compiled engine with sizes of one word: the second word is 1 of a level that shows less
than a unit, which is there all the same.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled import blocks, levels, near
from orderbook.compiled.jit import inner, record_of
from orderbook.compiled.layout import CHANGE, LOWEST, Book
from orderbook.compiled.words import get_word
from orderbook.execution.compiled.layout import array_of, book_at, load, store
from orderbook.execution.market_rows import BELOW_UNIT, CLEAR

_HIGHEST: Final = 2**62
_0: Final[Any] = np.uint64(0)


@record_of
def book_of(x: Any) -> Any:
    """Return the book as its own functions take it."""
    return Book(
        book_at(x.book, 0),
        array_of(x.near, x.near_room),
        array_of(x.blocks, x.blocks_room),
        array_of(x.directory, x.directory_room),
    )


@inner
def apply_changes(x: Any, first: int, last: int) -> Any:
    """Apply the changes [first, last) of a row; False if the book needs more room, and nothing was done."""
    book = book_of(x)
    is_snapshot = last > first and load(x.changes, 3 * first) == CLEAR
    if levels.lacks_room(book, last - first, is_snapshot):
        return False
    if levels.is_due(book.registers) and not is_snapshot:
        levels.follow(book)
    for change in range(first, last):
        side, price, size = (
            load(x.changes, 3 * change),
            load(x.changes, 3 * change + 1),
            load(x.changes, 3 * change + 2),
        )
        word = CHANGE * (change - first)
        store(x.scratch, word, side)
        store(x.scratch, word + 1, price if side == 0 else -price)
        store(x.scratch, word + 2, max(size, 0))
        store(x.scratch, word + 3, 1 if size == BELOW_UNIT else 0)
    per_unit = 1 / book.registers.tick
    change, end = 0, last - first
    while change < end:
        word = CHANGE * change
        side, key = load(x.scratch, word), load(x.scratch, word + 1)
        if side == CLEAR:
            behind = change + 1
            while behind < end and load(x.scratch, CHANGE * behind) != CLEAR:
                behind += 1
            levels.clear(book)
            levels.aim(book.registers, array_of(x.scratch, x.scratch_room), change + 1, behind)
            per_unit = 1 / book.registers.tick
        else:
            size, rest = load(x.scratch, word + 2), load(x.scratch, word + 3)
            levels.set_level(book, side, key, size, rest, per_unit)
        change += 1
    return True


@inner
def clear(x: Any) -> None:
    """Empty the book."""
    levels.clear(book_of(x))


@inner
def size_at(x: Any, side: int, price: int) -> Any:
    """Return the size that the book shows at a price."""
    book = book_of(x)
    key = price if side == 0 else -price
    place = near.place_of(book.registers, side, key, 1 / book.registers.tick)
    if place >= 0:
        return get_word(book.near, 2 * place)
    at, start = blocks.place_below(book, side, key + 1)
    if at > start and get_word(book.blocks, at - 1) == key:
        return blocks.size_at(book.blocks, at - 1)[0]
    return 0


@inner
def best_price(x: Any, side: int) -> Any:
    """Return the best price of a side after a row, 0 if it is empty; let the array follow it."""
    book = book_of(x)
    near_place = near.first_place(book, side)
    near_key = deep_key = LOWEST
    if near_place < near.behind(book.registers, side):
        near_key = near.key_at(book.registers, side, near_place)
    if blocks.used(book, side):
        deep_key = get_word(book.blocks, blocks.best_at(book, side))
    levels.note_best(book.registers, side, near_place, near_key, deep_key)
    best = max(near_key, deep_key)
    return 0 if best == LOWEST else best if side == 0 else -best


@inner
def next_price(x: Any, side: int, price: int) -> Any:
    """Return the best price of a side that is worse than a price, 0 for none; after price 0 the best one."""
    book = book_of(x)
    registers = book.registers
    key = _HIGHEST if price == 0 else price if side == 0 else -price
    place = get_word(registers.best, side)
    first = get_word(registers.first_key, side)
    if key <= first:
        place = max(place, side * registers.places + (first - key) // registers.tick + 1)
    near_key = deep_key = LOWEST
    if get_word(registers.reach, side) > 0 and place < near.behind(registers, side):
        place = near.first_from(book, side, place)
        if place < near.behind(registers, side):
            near_key = near.key_at(registers, side, place)
    at, start = blocks.place_below(book, side, key)
    if at > start:
        deep_key = get_word(book.blocks, at - 1)
    best = max(near_key, deep_key)
    return 0 if best == LOWEST else best if side == 0 else -best
