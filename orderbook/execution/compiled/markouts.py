"""The mid after each fill, for the fills of all lanes at once: `markouts.Markouts` on arrays."""

from collections.abc import Sequence
from itertools import compress, pairwise
from operator import mul
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.execution.compiled.layout import EVENT, TOUCH
from orderbook.execution.market_rows import BOOK, BREAK, SNAPSHOT, MarketRows
from orderbook.execution.totals import MARKOUT_UNITS, MarkoutSums

_Int64 = npt.NDArray[np.int64]
_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them is rounded once."""


class Markouts:
    """Fills whose horizons have not all passed.

    Args:
        horizons: ns after a fill, ascending.
    """

    def __init__(self, horizons: Sequence[int]) -> None:
        self._horizons = horizons
        self._fills = np.zeros(0, EVENT)
        self._mids = np.zeros((0, len(horizons)), np.int64)  # twice the mid, 0 if it is not known
        self._told = np.zeros(0, np.int64)  # how many of them have been told, each in turn
        self._is_known = False
        self._touch = (0, 0)
        self._book_row = 0

    def start(self, touch: tuple[int, int], *, is_known: bool) -> None:
        """Begin with the book as it stands."""
        self._touch, self._is_known = touch, is_known

    def add(self, fills: npt.NDArray[Any]) -> None:
        """Follow fills, records of `EVENT`."""
        if len(fills):
            self._fills = np.concatenate((self._fills, fills))
            self._mids = np.concatenate((self._mids, np.zeros((len(fills), len(self._horizons)), np.int64)))
            self._told = np.concatenate((self._told, np.zeros(len(fills), np.int64)))

    def see(self, rows: MarketRows, touches: _Int64) -> tuple[npt.NDArray[Any], _Int64]:
        """Take the rows of a batch, whose fills have been added; return the fills that are whole now.

        Args:
            rows: the rows.
            touches: best bid and ask after each.

        Returns:
            Records of `EVENT`, and (fills, horizons): twice the mid, 0 if it is not known.
        """
        (at,) = np.nonzero(np.isin(rows.kind, (BOOK, SNAPSHOT, BREAK)))
        if len(at):
            self._tell(rows, touches.reshape(-1, TOUCH), at)
        return self._take_whole()

    def _tell(self, rows: MarketRows, touches: _Int64, at: npt.NDArray[np.int64]) -> None:
        is_book = rows.kind[at] != BREAK
        if len(self._fills):
            was_known = np.concatenate(([self._is_known], is_book[:-1]))
            bid, ask = (
                np.concatenate(([first], side[:-1]))[at]
                for first, side in zip(self._touch, touches.T, strict=True)
            )
            mids = np.where((bid > 0) & (ask > 0), bid + ask, 0)
            # Times of the last book row before each of these rows.
            last_book = np.maximum.accumulate(np.where(is_book, rows.time[at], self._book_row))
            last_book = np.concatenate(([self._book_row], last_book[:-1]))
            books, breaks = is_book & was_known, ~is_book & was_known
            self._resolve(
                (at[books], rows.time[at[books]], mids[books]),
                (at[breaks], rows.seq[at[breaks]], mids[breaks], last_book[breaks]),
            )
        self._is_known = bool(is_book[-1])
        last_bid, last_ask = touches[-1].tolist()
        self._touch = (last_bid, last_ask)
        if is_book.any():
            self._book_row = int(rows.time[at[is_book][-1]])

    def _resolve(self, books: tuple[_Int64, ...], breaks: tuple[_Int64, ...]) -> None:
        book_at, book_time, book_mid = books
        break_at, break_seq, break_mid, break_last = breaks
        times, seqs = self._fills["time"], self._fills["seq"]
        next_break = np.searchsorted(break_seq, seqs, "right")
        never = np.iinfo(np.int64).max
        ends_at = np.append(break_at, never)[next_break]
        mid_at_end, last_book = np.append(break_mid, 0)[next_break], np.append(break_last, 0)[next_break]
        book_at, book_mid = np.append(book_at, never), np.append(book_mid, 0)
        for number, horizon in enumerate(self._horizons):
            due = times + horizon
            found = np.searchsorted(book_time, due, "right")
            told_at = book_at[found]
            is_cut = ends_at < told_at
            told = np.where(is_cut, np.where(due <= last_book, mid_at_end, 0), book_mid[found])
            is_told = (told_at < never) | is_cut
            is_told &= self._told == number
            self._mids[is_told, number] = told[is_told]
            self._told[is_told] += 1

    def _take_whole(self) -> tuple[npt.NDArray[Any], _Int64]:
        is_whole = self._told == len(self._horizons)
        whole = self._fills[is_whole], self._mids[is_whole]
        self._fills, self._mids, self._told = (
            each[~is_whole] for each in (self._fills, self._mids, self._told)
        )
        return whole

    def end(self) -> tuple[npt.NDArray[Any], _Int64]:
        """End the tape; return the fills that are left, as `see` does."""
        bid, ask = self._touch
        mid = bid + ask if bid and ask else 0
        for number, horizon in enumerate(self._horizons):
            is_told = self._told == number
            in_time = self._fills["time"] + horizon <= self._book_row
            self._mids[is_told, number] = np.where(in_time, mid, 0)[is_told]
            self._told[is_told] += 1
        return self._take_whole()


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
