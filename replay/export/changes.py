"""The changes of the book as columns of floats, each the nearest to what the feed wrote."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.decimals import PRICE_UNITS, price_to_float, size_to_float
from orderbook.events import BookFrame
from orderbook.execution.market_rows import BOOK, CLEAR, SNAPSHOT
from replay.export.passing import Part

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them rounds once and is the nearest float."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a book, in the order in which they apply.

    Attributes:
        row: place of the row in its batch; 0 for the book before it.
        side: 0 for a bid, 1 for an ask, `CLEAR` where the whole book is emptied.
        units: price in units of 1e-8; 0 for `CLEAR`.
        price: NaN for `CLEAR`.
        size: 0 removes the level; NaN for `CLEAR`.
    """

    row: Ints
    side: Ints
    units: Ints
    price: Floats
    size: Floats


def changes_of(part: Part) -> Changes:
    """Return what the rows change. O(changes), and O(length) of each frame with sizes of over 8 decimals."""
    market = part.market
    side, units, size_units = (np.ascontiguousarray(each) for each in market.changes.T)
    row = np.repeat(np.arange(len(market.seq)), np.diff(market.first_change))
    price, size = to_floats(units), to_floats(size_units)
    is_clear = side == CLEAR
    if is_clear.any():
        price[is_clear] = size[is_clear] = np.nan
    is_cut = (market.sizes_cut > 0) & np.isin(market.kind, (BOOK, SNAPSHOT))
    for place in np.flatnonzero(is_cut):
        first, stop = market.first_change[place : place + 2]
        size[first:stop] = list(_sizes(part, int(place)))
    return Changes(row, side, units, price, size)


def changes_of_book(book: Levels) -> Changes:
    """Return the changes that make a book of an empty one, best levels first."""
    levels = [(0, each) for each in book[0]] + [(1, each) for each in book[1]]
    side = np.array([side for side, _ in levels], np.int64)
    units = np.array([price for _, (price, _) in levels], np.int64)
    size = np.array([size_to_float(size) for _, (_, size) in levels])
    return Changes(np.zeros(len(levels), np.int64), side, units, to_floats(units), size)


def to_floats(units: Ints) -> Floats:
    """Return the floats nearest to numbers in units of 1e-8.

    >>> to_floats(np.array([6510654000000, 138991023410000000 + 1])).tolist()
    [65106.54, 1389910234.1]
    """
    found = units / float(PRICE_UNITS)
    if len(units) and units.max() > _EXACT:
        is_large = units > _EXACT
        found[is_large] = [price_to_float(each) for each in units[is_large].tolist()]
    return found


def _sizes(part: Part, row: int) -> Iterator[float]:
    """Yield the sizes of a row of the book in the order of its changes, as the feed wrote them."""
    frame: Any = part.venue.decode(part.rows.column("payload")[row].as_py(), part.product)
    assert isinstance(frame, BookFrame)  # noqa: S101  it changed the book
    for event in frame.events:
        if event.is_snapshot:
            yield np.nan
        for _, size in (*event.bids, *event.asks):
            yield size_to_float(size)
