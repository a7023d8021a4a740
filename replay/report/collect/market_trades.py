"""The trades of others over time: the largest of each side in each bucket of time."""

from typing import Final

import numpy as np

from orderbook.execution.market_rows import MarketRows
from replay.comparing.sweep.order_statistics import Ints
from replay.report.collect.reduction import first_largest

_FIRST_SHIFT: Final = 20
_AT_ONCE: Final = 1 << 13
"""Trades that are sorted together, at least."""
_NO_TRADES: Final = np.empty((0, 4), np.int64)


class LargestTrades:
    """Keeps the largest trade of each side in each bucket of time; those of before the tape are left out.

    If more than `buckets` of them hold a trade, they become twice as wide.

    Attributes:
        seen: number of trades added.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._shift = _FIRST_SHIFT
        self._kept: Ints = _NO_TRADES
        self._waiting: list[Ints] = []
        self.seen = 0

    @property
    def width_ns(self) -> int:
        """Current width of a bucket in nanoseconds."""
        self._reduce()
        return 1 << self._shift

    def add(self, rows: MarketRows) -> None:
        """Add the trades of the next rows. O(trades log trades)."""
        times = np.repeat(rows.time, np.diff(rows.first_trade))
        found = np.column_stack([times, rows.trades[:, 2:5]])
        if (is_history := rows.trades[:, 5] != 0).any():
            found = found[~is_history]
        if not len(found):
            return
        self.seen += len(found)
        self._waiting.append(found)
        if sum(map(len, self._waiting)) >= _AT_ONCE:
            self._reduce()

    def trades(self) -> Ints:
        """Return the trades kept [n, 4]: time, side of the maker (0 bid, 1 ask), price and size in 1e-8."""
        self._reduce()
        return self._kept

    def _reduce(self) -> None:
        if not self._waiting:
            return
        kept, self._waiting = np.concatenate([self._kept, *self._waiting]), []
        while np.count_nonzero(np.diff(kept[:, 0] >> self._shift)) >= self._buckets:
            self._shift += 1
        largest = []
        for side in (0, 1):
            own = kept[kept[:, 1] == side]
            own = own[np.argsort(own[:, 0] >> self._shift, kind="stable")]
            largest.append(own[first_largest(own[:, 0] >> self._shift, own[:, 3])])
        found = np.concatenate(largest)
        self._kept = found[np.argsort(found[:, 0], kind="stable")]
