"""Functions by which a compiled strategy writes its requests: each writes one or some and returns the count.

`count` is how many requests have been written before; the strategy returns the last count. They are compiled
with the strategy, and are plain Python otherwise.
"""

from collections.abc import Sequence

from orderbook.execution.words import (
    AMEND,
    CANCEL,
    CANCELLING,
    LIMIT,
    MARKET,
    WAKE,
    OrderWords,
    RequestWords,
)


def limit(  # noqa: PLR0917  flat: compiled
    out: Sequence[RequestWords],
    count: int,
    side: int,
    price: int,
    size: int,
    post_only: int = 0,
    ioc: int = 0,
) -> int:
    """Send a limit order: BID buys, ASK sells."""
    request = out[count]
    request.what, request.side, request.number = LIMIT, side, 0
    request.price, request.size, request.time = price, size, 0
    request.post_only, request.ioc = post_only, ioc
    return count + 1


def market(out: Sequence[RequestWords], count: int, side: int, size: int) -> int:
    """Send a market order: BID buys, ASK sells."""
    limit(out, count, side, 0, size)
    out[count].what = MARKET
    return count + 1


def amend(out: Sequence[RequestWords], count: int, number: int, price: int, left: int) -> int:
    """Change the price of an order and what is left of it; SAME leaves it as it is."""
    limit(out, count, 0, price, left)
    out[count].what, out[count].number = AMEND, number
    return count + 1


def cancel(out: Sequence[RequestWords], count: int, number: int) -> int:
    """Cancel an order."""
    limit(out, count, 0, 0, 0)
    out[count].what, out[count].number = CANCEL, number
    return count + 1


def cancel_side(
    out: Sequence[RequestWords], count: int, orders: Sequence[OrderWords], side: int, but: int = 0
) -> int:
    """Cancel the open orders of a side, oldest first, that no cancel is on its way to; not number `but`."""
    for place in range(len(orders)):
        order = orders[place]
        if order.side == side and order.state != CANCELLING and order.number != but:
            count = cancel(out, count, order.number)
    return count


def quote(
    out: Sequence[RequestWords], count: int, orders: Sequence[OrderWords], side: int, price: int, size: int
) -> int:
    """Keep one post-only order on a side: send, amend or do nothing, so that it stands at this price.

    An order at the price with no more left than the size keeps its place. Older orders of the side are
    cancelled.
    """
    standing = -1
    for place in range(len(orders)):
        if orders[place].side == side and orders[place].state != CANCELLING:
            standing = place
    if standing < 0:
        return limit(out, count, side, price, size, 1)
    order = orders[standing]
    count = cancel_side(out, count, orders, side, order.number)
    if order.wanted_price != price or order.wanted_left > size:
        count = amend(out, count, order.number, price, size)
    return count


def wake_at(out: Sequence[RequestWords], count: int, time: int) -> int:
    """Be woken at a time, ns since 1970."""
    limit(out, count, 0, 0, 0)
    out[count].what, out[count].time = WAKE, time
    return count + 1
