"""The order book of one product: two sorted sides, the one mutable thing of the core."""

from sortedcontainers import SortedDict

from orderbook.decimals import price_to_float, size_to_float
from orderbook.frames import BookEvent, Level
from orderbook.summary import Top


class OrderBookState:
    """Bids and asks by price.

    Each side maps a price (int, units of 1e-8) to a size (shortest decimal spelling, never zero).
    A book exists from the first snapshot on (`is_known`); before, updates are refused by the tracker.

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
        if not side and len(held := dict(levels)) == len(levels) and "" not in held.values():
            side.update(held)  # a clean snapshot: one sort in place of n insertions
            return
        for price, size in levels:
            held_size = side.get(price)
            if not size:
                if held_size is None:
                    self.absent_deletes += 1
                else:
                    del side[price]
            elif size == held_size:
                self.noop_sets += 1
            else:
                side[price] = size

    def top(self) -> Top:
        """Return the best levels; O(log n)."""
        bid_price, bid_size = self.bids.peekitem(-1) if self.bids else (None, "")
        ask_price, ask_size = self.asks.peekitem(0) if self.asks else (None, "")
        return Top(
            bid_price=None if bid_price is None else price_to_float(bid_price),
            bid_size=None if bid_price is None else size_to_float(bid_size),
            ask_price=None if ask_price is None else price_to_float(ask_price),
            ask_size=None if ask_price is None else size_to_float(ask_size),
            spread=None if bid_price is None or ask_price is None else price_to_float(ask_price - bid_price),
        )

    def check(self) -> None:
        """Assert the invariants; for tests. O(n)."""
        for side in (self.bids, self.asks):
            side._check()  # noqa: SLF001  sortedcontainers' own check, made for such use
            # Keys are positive prices below 10 digits of units and 8 of decimals.
            assert all(isinstance(price, int) and 0 < price < 10**18 for price in side)  # noqa: S101
            # A size is never zero, and spelled in one way only.
            assert all(size and size[0] != "0" and size[-1] != "." for size in side.values())  # noqa: S101
        # What is not known is empty.
        assert self.is_known or not (self.bids or self.asks)  # noqa: S101
