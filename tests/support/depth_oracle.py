"""The best levels by the naive oracle, which looks at all levels at every summary."""

from collections.abc import Iterable
from fractions import Fraction
from heapq import nlargest, nsmallest
from typing import Any

from orderbook.book import Levels
from tests.support import oracle
from tests.support.oracle import Row

DepthRow = tuple[Any, ...]
"""seq, recv_time, then bid price, bid size, ask price and ask size of each level; None if missing."""


def best_first(bids: dict[int, str], asks: dict[int, str]) -> Levels:
    """Return prices and sizes as the levels of a book that an engine returns."""
    return Levels(sorted(bids.items(), reverse=True), sorted(asks.items()))


class DepthOracle(oracle.Oracle):
    """An oracle that also notes the best levels after every summary."""

    def __init__(self, product: str, feed: str, depth: int) -> None:
        """Begin without a book; note `depth` levels a side."""
        super().__init__(product, feed)
        self.depth = depth
        self.rows: list[DepthRow] = []

    def _summary(self, row: Row, exchange_time: int | None) -> None:
        super()._summary(row, exchange_time)
        assert self.book is not None
        bids = nlargest(self.depth, self.book["bid"].levels.items())
        asks = nsmallest(self.depth, self.book["ask"].levels.items())
        values: list[Any] = [row.seq, row.recv_time]
        for level in range(self.depth):
            for side in (bids, asks):
                exact = side[level] if level < len(side) else (None, None)
                values += [None if each is None else oracle.exact_float(Fraction(each)) for each in exact]
        self.rows.append(tuple(values))


def depth_rows(rows: Iterable[Row], product: str, feed: str, depth: int) -> list[DepthRow]:
    """Return the best levels after every summary of a product's rows."""
    naive = DepthOracle(product, feed, depth)
    for row in rows:
        naive.row(row)
    return naive.rows
