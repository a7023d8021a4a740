"""The order book of one product: two sorted sides, the one mutable thing of the core."""

from collections.abc import Iterable
from itertools import islice
from typing import Final, Protocol

from sortedcontainers import SortedDict

from orderbook.decimals import price_to_float, shortest_size, size_to_float
from orderbook.frames import BookEvent, Level
from orderbook.summary import Top

_set_held: Final = dict.__setitem__
"""Sets a key that a SortedDict holds already: its order does not change, so its index need not know."""


class Book(Protocol):
    """What a tracker needs of a book; `OrderBookState` says it all."""

    @property
    def is_known(self) -> bool:
        """Whether there was a snapshot since the connection began."""

    @property
    def absent_deletes(self) -> int:
        """Removals of levels that were not there, so far."""

    @property
    def noop_sets(self) -> int:
        """Sizes set that were already held, so far."""

    def clear(self) -> None:
        """Forget the book."""

    def apply(self, event: BookEvent) -> None:
        """Apply a snapshot or an update."""

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Return bids and asks, prices ascending, sizes in their shortest spelling."""

    def check(self) -> None:
        """Assert the invariants."""


class OrderBookState:
    """Bids and asks by price.

    Each side maps a price (int, units of 1e-8) to a size (decimal text, never zero). A book exists from
    the first snapshot on (`is_known`); before, updates are refused by the tracker.

    Attributes:
        bids, asks: the sides, prices ascending: best bid last, best ask first.
        absent_deletes: removals of levels that were not there, so far.
        noop_sets: sizes set that were already held, so far.
    """

    __slots__ = ("absent_deletes", "asks", "bids", "is_known", "noop_sets")

    def __init__(self) -> None:
        self.bids: SortedDict = SortedDict()
        self.asks: SortedDict = SortedDict()
        self.is_known = False
        self.absent_deletes = 0
        self.noop_sets = 0

    def clear(self) -> None:
        """Forget the book: what is known ends with its connection. O(levels)."""
        self.bids.clear()
        self.asks.clear()
        self.is_known = False

    def apply(self, event: BookEvent) -> None:
        """Apply a snapshot (replaces the whole book) or an update (absolute sizes, 0 removes).

        O(log n) a level, O(n log n) for a snapshot of n.
        """
        if event.is_snapshot:
            self.clear()
            self.is_known = True
        self._set_levels(self.bids, event.bids)
        self._set_levels(self.asks, event.asks)

    def _set_levels(self, side: SortedDict, levels: list[Level]) -> None:
        if not side and len(clean := dict(levels)) == len(levels) and "" not in clean.values():
            side.update(clean)  # one sort in place of n insertions
            return
        for price, size in levels:
            held = side.get(price)
            if held is None:
                if size:
                    side[price] = size
                else:
                    self.absent_deletes += 1
            elif not size:
                del side[price]
            else:
                if held == size or (
                    float(held) == float(size) and shortest_size(held) == shortest_size(size)
                ):
                    self.noop_sets += 1
                _set_held(side, price, size)

    def top(self) -> Top:
        """Return the best levels; O(log n)."""
        bid_price = bid_size = ask_price = ask_size = spread = None
        if self.bids:
            bid, size = self.bids.peekitem(-1)
            bid_price, bid_size = price_to_float(bid), size_to_float(size)
        if self.asks:
            ask, size = self.asks.peekitem(0)
            ask_price, ask_size = price_to_float(ask), size_to_float(size)
            if self.bids:
                spread = price_to_float(ask - bid)
        return Top(bid_price, bid_size, ask_price, ask_size, spread)

    def best(self, depth: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Return at most `depth` bids and asks as (price, size), best first. O(depth)."""
        # From the ends, as a position inside a SortedDict costs an index over all of it.
        return _floats(self.bids, islice(reversed(self.bids), depth)), _floats(
            self.asks, islice(self.asks, depth)
        )

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Return bids and asks, prices ascending, sizes in their shortest spelling. O(n)."""
        bids, asks = (
            [(price, shortest_size(size)) for price, size in side.items()] for side in (self.bids, self.asks)
        )
        return bids, asks

    def check(self) -> None:
        """Assert the invariants; for tests. O(n)."""
        for side in (self.bids, self.asks):
            side._check()  # noqa: SLF001  sortedcontainers' own check, made for such use
            # Keys are positive prices below 10 digits of units and 8 of decimals.
            assert all(isinstance(price, int) and 0 < price < 10**18 for price in side)  # noqa: S101
            # A size is never zero.
            assert all(shortest_size(size) for size in side.values())  # noqa: S101
        # What is not known is empty.
        assert self.is_known or not (self.bids or self.asks)  # noqa: S101


def _floats(side: SortedDict, prices: Iterable[int]) -> list[tuple[float, float]]:
    """Return levels of a side as the floats nearest to them."""
    return [(price_to_float(price), size_to_float(side[price])) for price in prices]
