"""The order book of one product: two sorted sides, the one mutable thing of the core."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, Protocol, Self

from sortedcontainers import SortedDict

from orderbook.decimals import price_to_float, shortest_size, size_to_float
from orderbook.events import BookEvent, Level
from orderbook.summaries import Top

_set_held: Final = dict.__setitem__
"""Set a key that a SortedDict already has: its order does not change, so its index need not know."""


class Levels(NamedTuple):
    """The levels of a book, best first: prices in units of 1e-8, sizes as text in their shortest spelling."""

    bids: list[Level]
    asks: list[Level]


class Book(Protocol):
    """The book of an engine, as the tracker uses it; `OrderBookState` documents each member."""

    @property
    def is_known(self) -> bool: ...  # noqa: D102

    @property
    def absent_deletes(self) -> int: ...  # noqa: D102

    @property
    def noop_sets(self) -> int: ...  # noqa: D102

    def clear(self) -> None: ...  # noqa: D102

    def apply(self, event: BookEvent) -> None: ...  # noqa: D102

    def levels(self, depth: int | None = None) -> Levels: ...  # noqa: D102

    def copy(self) -> Self: ...  # noqa: D102

    def check(self) -> None: ...  # noqa: D102


class OrderBookState:
    """Bids and asks by price.

    Each side maps a price (int, units of 1e-8) to a size (decimal text, never zero).

    Attributes:
        bids, asks: the sides, prices ascending: best bid last, best ask first.
        is_known: whether a snapshot has arrived since the connection began; before, the book is empty.
        absent_deletes: number of removals of levels that the book did not have.
        noop_sets: number of levels set to the size that they already had.
    """

    __slots__ = ("absent_deletes", "asks", "bids", "is_known", "noop_sets")

    def __init__(self) -> None:
        self.bids: SortedDict = SortedDict()
        self.asks: SortedDict = SortedDict()
        self.is_known = False
        self.absent_deletes = 0
        self.noop_sets = 0

    def clear(self) -> None:
        """Discard the book, which ends with its connection. O(levels)."""
        self.bids.clear()
        self.asks.clear()
        self.is_known = False

    def apply(self, event: BookEvent) -> None:
        """Apply a snapshot (replaces the whole book) or an update (absolute sizes, 0 removes).

        O(log n) for each level, O(n log n) for a snapshot of n levels.
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
        """Return the top of the book. O(log n)."""
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

    def best(self, depth: int) -> list[list[tuple[float, float]]]:
        """Return the best `depth` bids and asks as (price, size) floats, best first. O(depth)."""
        return [
            [(price_to_float(price), size_to_float(side[price])) for price in prices]
            for side, prices in self._best_prices(depth)
        ]

    def levels(self, depth: int | None = None) -> Levels:
        """Return the best `depth` levels of each side, or all of them. O(depth)."""
        sides = self._best_prices(depth)
        return Levels(*([(price, shortest_size(side[price])) for price in prices] for side, prices in sides))

    def copy(self) -> Self:
        """Return a copy, which changes on its own. O(levels)."""
        other = type(self)()
        other.bids, other.asks = self.bids.copy(), self.asks.copy()
        other.is_known = self.is_known
        other.absent_deletes, other.noop_sets = self.absent_deletes, self.noop_sets
        return other

    def _best_prices(self, depth: int | None) -> Iterator[tuple[SortedDict, Iterable[int]]]:
        """Yield both sides with their best prices."""
        # From the ends, as a position inside a SortedDict costs an index over all of it.
        yield self.bids, islice(reversed(self.bids), depth)
        yield self.asks, islice(self.asks, depth)

    def check(self) -> None:
        """Assert the invariants; for tests. O(n)."""
        for side in (self.bids, self.asks):
            side._check()  # noqa: SLF001  sortedcontainers' own check, made for such use
            # Keys are positive prices below 10 digits of units and 8 of decimals.
            assert all(isinstance(price, int) and 0 < price < 10**18 for price in side)  # noqa: S101
            # A size is never zero.
            assert all(shortest_size(size) for size in side.values())  # noqa: S101
        # A book that is not known is empty.
        assert self.is_known or not (self.bids or self.asks)  # noqa: S101
