"""What of the book concerns a lane: the levels of its orders, and those that it took of."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from orderbook.execution.orders import Order
from orderbook.venues.base import Side


class Watched(NamedTuple):
    """What of a book frame, or of a trade, concerns a lane.

    Attributes:
        levels: the levels whose size matters to it; one may be there twice.
        best: the price of its best bid and of its best ask, None without one: what reaches it may fill it.
        waits_for_book: whether the next book frame concerns it, whatever it changes.
    """

    levels: tuple[tuple[Side, int], ...]
    best: tuple[int | None, int | None]
    waits_for_book: bool


NOTHING_WATCHED: Final = Watched((), (None, None), False)


def watched_by(resting: list[Order], late: list[Order], taken: Iterable[tuple[Side, int]]) -> Watched:
    """Return what concerns a lane with these orders, which took of these levels. O(orders + levels).

    An order that no book frame has followed yet, or to which the book owes a trade, waits for the next one.
    """
    levels = [(order.side, order.price) for order in resting]
    levels.extend(taken)
    bid = ask = None
    waits = False
    for order in resting:
        waits = waits or (order.place is not None and order.place.waits_for_book)
    for order in (*resting, *late):
        if order.side == "bid":
            bid = order.price if bid is None else max(bid, order.price)
        else:
            ask = order.price if ask is None else min(ask, order.price)
    return Watched(tuple(levels), (bid, ask), waits)
