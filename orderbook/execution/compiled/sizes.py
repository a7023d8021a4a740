"""The book that the compiled exchange reads: that of the compiled engine, its sizes in units.

A level that shows less than a unit is there all the same, with size 0.
"""

from typing import Any, Final, NamedTuple

from orderbook.compiled import blocks, near
from orderbook.compiled.jit import inlined, inner, record_of
from orderbook.compiled.layout import LOWEST
from orderbook.compiled.market import size_units
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.compiled.addresses import array_of, book_at

_HIGHEST: Final = 2**62


class _Book(NamedTuple):
    """The memory of `orderbook.compiled.layout.Book`."""

    registers: Any
    near: Any
    blocks: Any
    directory: Any


@record_of
def book_of(x: Any) -> Any:
    """Return the book as its own functions take it."""
    return _Book(
        book_at(x.book, 0),
        array_of(x.near, x.near_room),
        array_of(x.blocks, x.blocks_room),
        array_of(x.directory, x.directory_room),
    )


@inner
def size_at(x: Any, side: int, price: int) -> Any:
    """Return the size that the book shows at a price; lanes ask for the same one after the other."""
    market = x
    at = 3 * side
    if get_word(market.sized, at) == price and get_word(market.sized, at + 1) == market.seq:
        return get_word(market.sized, at + 2)
    size = _size_at(x, side, price)
    set_word(market.sized, at, price)
    set_word(market.sized, at + 1, market.seq)
    set_word(market.sized, at + 2, size)
    return size


@inner
def _size_at(x: Any, side: int, price: int) -> Any:
    book = book_of(x)
    key = price if side == 0 else -price
    units = rest = 0
    place = near.place_of(book.registers, side, key, 1 / book.registers.tick)
    if place >= 0:
        units, rest = near.size_at(book, place)
    else:
        at, start = blocks.place_below(book, side, key + 1)
        if at > start and get_word(book.blocks, at - 1) == key:
            units, rest = blocks.size_at(book.blocks, at - 1)
    return size_units(units, rest)[0]


@inlined
def _price_of(side: int, near_key: int, deep_key: int) -> Any:
    """Return the price of the higher of two keys, 0 if there is neither."""
    key = max(near_key, deep_key)
    return 0 if key == LOWEST else key if side == 0 else -key


@inner
def best_level(x: Any, side: int) -> Any:
    """Return price and size of the best level of a side, 0 and 0 if it is empty."""
    book = book_of(x)
    near_key = deep_key = LOWEST
    units = rest = 0
    place = near.first_place(book, side)
    if place < near.behind(book.registers, side):
        near_key = near.key_at(book.registers, side, place)
        units, rest = near.size_at(book, place)
    if blocks.used(book, side):
        deep = blocks.best_at(book, side)
        deep_key = get_word(book.blocks, deep)
        if deep_key > near_key:
            units, rest = blocks.size_at(book.blocks, deep)
    return _price_of(side, near_key, deep_key), size_units(units, rest)[0]


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
    return _price_of(side, near_key, deep_key)
