"""The mark-outs of fills, of all lanes at once: what `totals.LaneTotals.add_fill` does, on arrays."""

from collections.abc import Sequence
from itertools import compress, pairwise
from operator import mul
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.execution.totals import MARKOUT_UNITS, MarkoutSums

_Int64 = npt.NDArray[np.int64]
_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them is rounded once."""


def markouts_bps(fills: npt.NDArray[Any], later_mids: _Int64) -> npt.NDArray[np.float64]:
    """Return by how much each mid is better for us than the price of the fill, see `results.FillRow`.

    Args:
        fills: records of `EVENT`.
        later_mids: (fills, horizons), twice the mid, 0 if it is not known.

    Returns:
        (fills, horizons), in basis points, the nearest floats; NaN if the mid is not known.
    """
    sign = np.where(fills["side"] == 1, 1, -1)[:, np.newaxis]
    twice = 2 * fills["price"][:, np.newaxis]
    moves = np.where(later_mids == 0, 0, sign * (later_mids - twice))
    bps: npt.NDArray[np.float64] = moves * 10_000.0 / twice
    for place in zip(*np.nonzero((np.abs(moves) > _EXACT // 10_000) | (twice > _EXACT)), strict=True):
        bps[place] = int(moves[place]) * 10_000 / int(twice[place[0], 0])
    bps[later_mids == 0] = np.nan
    return bps


def add_markouts(
    lanes: Sequence[Sequence[tuple[MarkoutSums, MarkoutSums]]],
    fills: npt.NDArray[Any],
    bps: npt.NDArray[np.float64],
) -> None:
    """Add fills to the sums of their lanes.

    Args:
        lanes: of each lane its sums for each horizon, as maker and as taker.
        fills: records of `EVENT`.
        bps: their mark-outs, see `markouts_bps`.
    """
    who = 2 * fills["lane"] + (fills["is_maker"] == 0)
    order = np.argsort(who, kind="stable")
    found, first = np.unique(who[order], return_index=True)
    bounds = [*first.tolist(), len(order)]
    values = list(map(mul, fills["price"][order].tolist(), fills["size"][order].tolist()))
    units, is_known = np.rint(bps[order] * MARKOUT_UNITS), ~np.isnan(bps[order])
    for number in range(bps.shape[1]):
        known = is_known[:, number]
        markouts = list(map(int, units[known, number].tolist()))
        of_known = list(compress(values, known.tolist()))
        known_before = [0, *np.cumsum(known).tolist()]
        for each, (start, stop) in zip(found.tolist(), pairwise(bounds), strict=True):
            part = slice(known_before[start], known_before[stop])
            left_out = stop - start - (part.stop - part.start)
            lanes[each // 2][number][each % 2].add(markouts[part], of_known[part], left_out)
