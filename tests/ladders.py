"""The best levels by the naive oracle: all levels sorted, at every summary."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pyarrow as pa

from tests import oracle
from tests.oracle import Row

Ladder = tuple[Any, ...]
"""seq, recv_time, then bid price, bid size, ask price, ask size of each level; None where there is none."""


class LadderOracle(oracle.Oracle):
    """An oracle that also writes down the best levels after every summary."""

    def __init__(self, product: str, feed: str, depth: int) -> None:
        """Begin without a book; `depth` levels a side are wanted."""
        super().__init__(product, feed)
        self.depth = depth
        self.ladders: list[Ladder] = []

    def _summary(self, row: Row, exchange_time: int | None) -> None:
        super()._summary(row, exchange_time)
        assert self.book is not None
        bids = sorted(self.book["bid"].levels.items(), reverse=True)
        asks = sorted(self.book["ask"].levels.items())
        ladder: list[Any] = [row.seq, row.recv_time]
        for level in range(self.depth):
            for side in (bids, asks):
                exact = side[level] if level < len(side) else (None, None)
                ladder += [None if each is None else oracle.exact_float(Fraction(each)) for each in exact]
        self.ladders.append(tuple(ladder))


def ladders(rows: Iterable[Row], product: str, feed: str, depth: int) -> list[Ladder]:
    """Return the best levels after every summary that the rows of one product give."""
    naive = LadderOracle(product, feed, depth)
    for row in rows:
        naive.row(row)
    return naive.ladders


def ladders_of(depth: pa.Table | pa.RecordBatch) -> list[Ladder]:
    """Return a table of depth in the same form."""
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in depth.columns
    ]
    return list(zip(*columns, strict=True))
