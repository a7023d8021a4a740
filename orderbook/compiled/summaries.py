"""The summary of a book: its best levels as floats, written into the columns of the run."""

from typing import Any

import numpy as np

from orderbook.compiled import blocks, levels, near
from orderbook.compiled.jit import inlined
from orderbook.compiled.layout import LOWEST, PRICES, SPREAD, STRIDE
from orderbook.compiled.numbers import price_to_float, size_to_float
from orderbook.compiled.words import get_word
from orderbook.digest import NULL_TIME


@inlined
def _write_best(book: Any, side: int, floats: Any, summary: int) -> int:
    """Write a side's best level; return its price in units, 0 if there is none."""
    near_place = near.first_place(book, side)
    near_key = deep_key = LOWEST
    deep_at = 0
    if near_place < near.behind(book.registers, side):
        near_key = near.key_at(book.registers, side, near_place)
    if blocks.used(book, side):
        deep_at = blocks.best_at(book, side)
        deep_key = get_word(book.blocks, deep_at)
    levels.note_best(book.registers, side, near_place, near_key, deep_key)
    row, at = np.uint64(summary), np.uint64(PRICES + 2 * side)
    if near_key > deep_key:
        units, rest = near.size_at(book, near_place)
    elif deep_key != LOWEST:
        units, rest = blocks.size_at(book.blocks, deep_at)
    else:
        floats[row, at] = floats[row, at + np.uint64(1)] = np.nan
        return 0
    best = max(near_key, deep_key) * (1 if side == 0 else -1)
    floats[row, at] = price_to_float(best)
    floats[row, at + np.uint64(1)] = size_to_float(units, rest)
    return best


@inlined
def _write_ladder(book: Any, side: int, ladder: Any, summary: int) -> None:
    """Write a side's best levels, as many as the ladder holds; NaN if there are no more."""
    registers = book.registers
    place = blocks.used(book, side) - 1
    sign = 1 if side == 0 else -1
    left = 0  # levels of the block that are not written yet
    start = 0
    near_place, end = get_word(registers.best, side), near.behind(registers, side)
    for level in range(ladder.shape[2]):
        price = size = np.nan
        near_place = near.first_from(book, side, near_place)
        if left == 0 and place >= 0:
            block = blocks.block_at(book, side, place)
            left = blocks.count_of(book, block)
            start = block * STRIDE
            place -= 1
        near_key = near.key_at(registers, side, near_place) if near_place < end else LOWEST
        deep_key = get_word(book.blocks, start + left - 1) if left > 0 else LOWEST
        if near_key > deep_key:
            price = price_to_float(sign * near_key)
            size = size_to_float(*near.size_at(book, near_place))
            near_place += 1
        elif left > 0:
            left -= 1
            price = price_to_float(sign * deep_key)
            size = size_to_float(*blocks.size_at(book.blocks, start + left))
        ladder[side, summary, level, 0] = price
        ladder[side, summary, level, 1] = size


@inlined
def write_summary(book: Any, run: Any, row: int, time: int) -> bool:
    """Append a summary of the book as it is; return whether the book is crossed.

    Args:
        book: see `layout`.
        run: see `layout`.
        row: the row of the batch.
        time: the exchange time in nanoseconds since the epoch, -1 for null.
    """
    summary = run.registers.summaries
    run.registers.summaries = summary + 1
    at, spread_at = np.uint64(summary), np.uint64(SPREAD)
    run.marks[at, np.uint64(0)] = row
    run.marks[at, np.uint64(2)] = NULL_TIME if time < 0 else time
    bid = _write_best(book, 0, run.floats, summary)
    ask = _write_best(book, 1, run.floats, summary)
    if run.ladder.shape[2]:
        for side in range(2):
            _write_ladder(book, side, run.ladder, summary)
    if bid == 0 or ask == 0:
        run.floats[at, spread_at] = np.nan
        return False
    run.floats[at, spread_at] = price_to_float(ask - bid)
    return ask < bid
