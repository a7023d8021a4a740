"""What an interruption may have done to the orders that it ended: real ones would have stood."""

from typing import Protocol

from orderbook.events import Trade
from orderbook.execution.codes import SIGN
from orderbook.execution.market import Market, not_in_book
from orderbook.execution.orders import Order


class Broken(Protocol):
    """What interruptions did, see `BrokenOrders`."""

    size: int
    through: int
    traded: int


class BrokenOrders:
    """The orders that interruptions ended, and what came after.

    Attributes:
        size: what was left of all of them, in units; not of those that the end of the tape ended, after which
            no book comes.
        through: how many of them the opposite best of the next snapshot was at or through.
        traded: how many of them the history trades of the next connection went through.
    """

    def __init__(self) -> None:
        self.size = 0
        self.through = 0
        self.traded = 0
        self._last: list[Order] = []
        self._untraded: list[Order] = []
        self._book_time: int | None = None

    def begin(self, orders: list[Order], book_time: int | None) -> None:
        """Note the orders that were ended by the loss of a book of this time."""
        self._last, self._untraded, self._book_time = orders, list(orders), book_time

    def see_snapshot(self, market: Market) -> None:
        """Count the orders that the first book of the next connection would fill."""
        self.size += sum(order.left for order in self._last)
        for order in self._last:
            best = market.best("ask" if order.side == "bid" else "bid")
            self.through += best is not None and order.reaches(best)
        self._last = []

    def see_history(self, trade: Trade) -> None:
        """Count the orders whose price a trade of the interruption is beyond; each once."""
        if not not_in_book(trade.exchange_time, self._book_time):
            return  # it happened before the book was lost
        passed = [each for each in self._untraded if SIGN[each.side] * (each.price - trade.price) > 0]
        self.traded += len(passed)
        self._untraded = [each for each in self._untraded if each not in passed]
