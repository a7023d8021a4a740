"""What the exchange says: one event for everything that happens to an order, in order."""

from typing import NamedTuple

from orderbook.execution.codes import Code, FilledBy
from orderbook.execution.orders import Order
from orderbook.venues.base import Side


class Fill(NamedTuple):
    """How a part of an order was filled. Money is in units of 1e-16.

    Attributes:
        seq, connection: of the last row, which caused it.
        ahead_back, ahead_share: what was ahead of the order just before, 0 of a taker.
    """

    by: FilledBy
    is_maker: bool
    value: int
    fee: int
    seq: int
    connection: int
    ahead_back: int
    ahead_share: int


class Event(NamedTuple):
    """An event: `code` says what.

    Attributes:
        number, side: of the order; the number of one that does not exist has no side.
        price: of the fill, else of the order; 0 of a market order.
        size: of the fill, else what is left.
        order: the order itself, which goes on changing.
    """

    time: int
    code: Code
    number: int
    side: Side | None
    price: int
    size: int
    fill: Fill | None
    order: Order | None


def order_event(time: int, code: Code, order: Order) -> Event:
    """Return an event of an order that is no fill."""
    return Event(time, code, order.number, order.side, order.price, order.left, None, order)
