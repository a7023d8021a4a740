"""The summary of a book: its best levels as floats, in the columns that are handed in."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import blocks, levels
from orderbook.compiled import near as nears
from orderbook.compiled.blocks import BLOCKS, LOWEST, POOL, STRIDE
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.near import BEST, first_from
from orderbook.compiled.numbers import price_to_float, size_to_float

SUMMARIES: Final = 24  # register, on from those of `frames`: how many were written so far


@inlined
def _write_best(
    near: Any, level_words: Any, directory: Any, registers: Any, side: int, floats: Any, summary: int
) -> int:
    """Write a side's best level; return its price, 0 for none."""
    near_place = first_from(near, registers, side, registers[BEST + side])
    near_key = deep_key = LOWEST
    if near_place < nears.behind(registers, side):
        near_key = nears.key_at(registers, side, near_place)
    if registers[BLOCKS + side]:
        deep_key = blocks.best_key(level_words, directory, registers, side)
    levels.note_best(registers, side, near_place, near_key, deep_key)
    at = np.uint64(2 * side)
    if near_key > deep_key:
        whole, fraction = nears.size_at(near, near_place)
    elif deep_key != LOWEST:
        whole, fraction = blocks.best_size(level_words, directory, registers, side)
    else:
        floats[at, summary] = floats[at + np.uint64(1), summary] = np.nan
        return 0
    best = max(near_key, deep_key) * (1 if side == 0 else -1)
    floats[at, summary] = price_to_float(best)
    floats[at + np.uint64(1), summary] = size_to_float(whole, fraction)
    return best


@inner
def _write_ladder(
    near: Any, level_words: Any, directory: Any, registers: Any, side: int, ladder: Any, summary: int
) -> None:
    """Write a side's best levels, as many as the ladder takes; NaN where there are no more."""
    pool = registers[POOL]
    place = registers[BLOCKS + side] - 1
    sign = 1 if side == 0 else -1
    left = 0  # levels of the block that are not written yet
    start = 0
    near_place, end = registers[BEST + side], nears.behind(registers, side)
    for level in range(ladder.shape[2]):
        price = size = np.nan
        near_place = first_from(near, registers, side, near_place)
        if left == 0 and place >= 0:
            block = directory[(2 + side) * pool + place]
            left = directory[4 * pool + block]
            start = block * STRIDE
            place -= 1
        near_key = nears.key_at(registers, side, near_place) if near_place < end else LOWEST
        deep_key = level_words[start + left - 1] if left > 0 else LOWEST
        if near_key > deep_key:
            price = price_to_float(sign * near_key)
            size = size_to_float(*nears.size_at(near, near_place))
            near_place += 1
        elif left > 0:
            left -= 1
            price = price_to_float(sign * deep_key)
            size = size_to_float(*blocks.size_at(level_words, start, left))
        ladder[side, summary, level, 0] = price
        ladder[side, summary, level, 1] = size


@inlined
def write_summary(
    near: Any,
    level_words: Any,
    directory: Any,
    registers: Any,
    marks: Any,
    floats: Any,
    ladder: Any,
    row: int,
    time: int,
) -> bool:
    """Append a summary of the book as it stands.

    Args:
        near, level_words, directory, registers: the book.
        marks: int64 (2, rows): the row, and the exchange time or -1.
        floats: float64 (5, rows): bid_price, bid_size, ask_price, ask_size, spread; NaN is null.
        ladder: float64 (2, rows, depth, 2), or nothing of it: the best bids and asks, price and size.
        row: of the batch.
        time: nanoseconds since 1970, -1 for null.

    Returns:
        Whether the book is crossed.
    """
    summary = registers[SUMMARIES]
    registers[SUMMARIES] = summary + 1
    marks[0, summary] = row
    marks[1, summary] = time
    bid = _write_best(near, level_words, directory, registers, 0, floats, summary)
    ask = _write_best(near, level_words, directory, registers, 1, floats, summary)
    if ladder.shape[2]:
        for side in range(2):
            _write_ladder(near, level_words, directory, registers, side, ladder, summary)
    if bid == 0 or ask == 0:
        floats[4, summary] = np.nan
        return False
    floats[4, summary] = price_to_float(ask - bid)
    return ask < bid
