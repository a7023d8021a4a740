"""The book of the compiled exchange: changes of a row into it, and its levels in units out of it.

It is the book of the compiled engine with sizes of one word: the second word is 1 of a level that shows less
than a unit, which is there all the same.
"""

from typing import Any, Final

from orderbook.compiled import blocks, levels, near
from orderbook.compiled.jit import inlined, inner, record_of
from orderbook.compiled.layout import CHANGE, LOWEST, Book
from orderbook.compiled.words import get_word
from orderbook.execution.compiled.layout import array_of, book_at, load, store
from orderbook.execution.market_rows import BELOW_UNIT, CLEAR

_HIGHEST: Final = 2**62


@record_of
def book_of(x: Any) -> Any:
    """Return the book as its own functions take it."""
    return Book(
        book_at(x.book, 0),
        array_of(x.near, x.near_room),
        array_of(x.blocks, x.blocks_room),
        array_of(x.directory, x.directory_room),
    )


@inlined
def _price(x: Any, change: int) -> Any:
    return load(x.changes, 3 * change + 1)


@inner
def _aim(x: Any, first: int, last: int) -> None:
    """Put the array of the book around the changes [first, last) of a snapshot."""
    behind = 0
    for change in range(first, last):
        side = load(x.changes, 3 * change)
        if side == CLEAR:
            break
        store(x.scratch, CHANGE * behind, side)
        store(x.scratch, CHANGE * behind + 1, _price(x, change) if side == 0 else -_price(x, change))
        behind += 1
    levels.aim(book_of(x).registers, array_of(x.scratch, x.scratch_room), 0, behind)


@inner
def apply_changes(x: Any, first: int, last: int) -> Any:
    """Apply the changes [first, last) of a row; False if the book needs more room, and nothing was done."""
    book = book_of(x)
    is_snapshot = last > first and load(x.changes, 3 * first) == CLEAR
    if levels.lacks_room(book, last - first, is_snapshot):
        return False
    if levels.is_due(book.registers) and not is_snapshot:
        levels.follow(book)
    per_unit = 1 / book.registers.tick
    for change in range(first, last):
        side = load(x.changes, 3 * change)
        if side == CLEAR:
            levels.clear(book)
            _aim(x, change + 1, last)
            per_unit = 1 / book.registers.tick
            continue
        key = _price(x, change) if side == 0 else -_price(x, change)
        size = load(x.changes, 3 * change + 2)
        levels.set_level(book, side, key, max(size, 0), 1 if size == BELOW_UNIT else 0, per_unit)
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
