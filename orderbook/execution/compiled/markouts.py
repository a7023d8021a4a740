"""The mark-outs of fills, added up by lane and horizon: `totals.LaneTotals.add_fill` in compiled code.

Where price and move are no exact floats, as those of no market are, they are left to Python, which divides
integers of any size.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.addresses import markouts_ref
from orderbook.execution.compiled.wide import joined, joined_words
from orderbook.execution.results import FillRow
from orderbook.execution.totals import MARKOUT_UNITS, MarkoutSums

_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them is rounded once."""
_BPS: Final = 10_000.0
_LARGEST_MOVE: Final = _EXACT // 10_000
_MOST_TIMES: Final = 2**18
"""A mark-out of about so many times the price fits into a word."""


def is_plain(move: Any, twice: Any) -> Any:
    """Tell whether the mark-out of a move is a quotient of exact floats, and fits into a word.

    >>> is_plain(-(10**9), 10**13), is_plain(10**12, 10**13), is_plain(10**9, 2)
    (True, False, False)
    """
    return abs(move) <= _LARGEST_MOVE and twice <= _EXACT and abs(move) // _MOST_TIMES <= twice


_is_plain: Final[Any] = inlined(is_plain)


@inner
def add(x: Any, fill: Any, at: int, mid_twice: int) -> None:
    """Add a fill to the sums of its lane at a horizon; the mid there is 0 if it is not known."""
    market = x
    sums = markouts_ref(x.markouts_at, (2 * fill.lane + 1 - fill.is_maker) * x.horizons_room + at)
    if mid_twice == 0:
        sums.left_out += 1
        return
    twice = 2 * fill.price
    move = mid_twice - twice if fill.side == 1 else twice - mid_twice  # as in the digest
    if not _is_plain(move, twice):
        market.odd_markouts += 1
        return
    units: Any = np.int64(np.rint(move * _BPS / twice * MARKOUT_UNITS))
    value_high, value_low = wide.product(fill.price, fill.size)
    sums.fills += 1
    sums.total_high, sums.total_low = wide.add(sums.total_high, sums.total_low, units >> 63, units)
    sums.value_high, sums.value_low = wide.add(sums.value_high, sums.value_low, value_high, value_low)
    wide.add_square(sums.squares, 0, abs(units))
    wide.add_product(sums.by_value, units, value_high, value_low)


def sums_of(record: Any) -> MarkoutSums:
    """Return the sums of a record of `MARKOUTS`."""
    return MarkoutSums(
        int(record["fills"]),
        int(record["left_out"]),
        joined(record["total_high"], record["total_low"]),
        joined_words(record["squares"]),
        joined(record["value_high"], record["value_low"]),
        joined_words(record["by_value"]),
    )


def add_odd(sums: Sequence[tuple[MarkoutSums, MarkoutSums]], fill: FillRow) -> int:
    """Add the mark-outs that `add` has left to the sums of a lane by horizon; return their number."""
    added, twice, how = 0, 2 * fill.price, fill.how
    for of_horizon, mid in zip(sums, fill.later_mids, strict=True):
        bps = fill.markout_bps(mid)
        if mid is None or bps is None or is_plain(mid - twice, twice):
            continue
        of_horizon[0 if how.is_maker else 1].add([round(bps * MARKOUT_UNITS)], [how.value], 0)
        added += 1
    return added
