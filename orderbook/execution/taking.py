"""Taking: what the book offers to our orders, and what they took of it. What we took stays taken."""

from collections.abc import Iterable, Iterator

from orderbook.execution.codes import OTHER_SIDE, SIGN
from orderbook.execution.market import Market
from orderbook.execution.numbers import MILLION
from orderbook.venues.base import Side


class Taken:
    """What the orders of a lane took of each level.

    Args:
        market: the book that is taken from.
        forgets: whether what was taken is offered again at once (`--impact none`).
    """

    def __init__(self, market: Market, *, forgets: bool = False) -> None:
        self._market = market
        self._forgets = forgets
        self._taken: dict[tuple[Side, int], int] = {}

    @property
    def levels(self) -> Iterable[tuple[Side, int]]:
        """The levels of which something is taken."""
        return self._taken

    def offers(self, side: Side, price: int) -> int:
        """Return what a level offers: its size without its prints and without what was taken."""
        printed = sum(each.size for each in self._market.printed(side, price))
        taken = self._taken.get((side, price), 0)
        return max(0, self._market.size_at(side, price) - printed - taken)

    def within(self, side: Side, limit: int) -> Iterator[tuple[int, int]]:
        """Yield (price, offer) of the levels that an order of a side reaches and that offer something."""
        opposite = OTHER_SIDE[side]
        for price, _ in self._market.levels(opposite):
            if SIGN[side] * (limit - price) < 0:
                return
            offer = self.offers(opposite, price)
            if offer:
                yield price, offer

    def walk(self, side: Side, limit: int, size: int) -> list[tuple[int, int]]:
        """Return the (price, size) that an order would take from the best level to its limit."""
        steps = []
        for price, offer in self.within(side, limit):
            steps.append((price, min(offer, size)))
            size -= steps[-1][1]
            if not size:
                break
        return steps

    def take(self, side: Side, price: int, size: int) -> None:
        """Remember what was taken of a level."""
        if not self._forgets:
            self._taken[side, price] = self._taken.get((side, price), 0) + size

    def see_book(self, *, has_snapshot: bool) -> None:
        """After a book frame no more is taken than the level holds; a snapshot forgets all."""
        if has_snapshot:
            self._taken.clear()
        if not self._taken:
            return
        bounded = {key: min(size, self._market.size_at(*key)) for key, size in self._taken.items()}
        self._taken = {key: size for key, size in bounded.items() if size}

    def forget(self) -> None:
        """Forget everything: the connection is over."""
        self._taken.clear()


def market_limit(side: Side, best: int, collar: int) -> int:
    """Return how far a market order walks from the best opposite price; the collar is in millionths.

    >>> market_limit("bid", 10_001, 20_000), market_limit("ask", 10_001, 20_000)
    (10201, 9801)
    """
    return best + SIGN[side] * (best * collar // MILLION)
