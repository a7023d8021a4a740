"""What the book offers to a lane's orders and what they took of it: `taking.Taken` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled.layout import NO_ONE
from orderbook.execution.compiled.places import printed
from orderbook.execution.compiled.pool import (
    free_chain,
    free_node,
    get,
    link,
    new_node,
    next_of,
    put,
)
from orderbook.execution.compiled.sizes import next_price, size_at
from orderbook.execution.compiled.wide import add, product
from orderbook.execution.numbers import MILLION

# Words of a node of a level that something is taken of.
_SIDE: Final = 1
_PRICE: Final = 2
_SIZE: Final = 3


@inlined
def sign_of(side: int) -> Any:
    """Return what makes the better of two prices of a side the greater one."""
    return 1 - 2 * side


@inlined
def reaches(side: int, price: int, other: int) -> Any:
    """Tell whether a price of the other side is at or beyond that of an order."""
    return sign_of(side) * (price - other) >= 0


@inlined
def best_of(x: Any, side: int) -> Any:
    """Return the best price of a side, 0 without one."""
    market = x
    return market.bid if side == 0 else market.ask


@inner
def _taken_at(x: Any, lane: Any, side: int, price: int) -> Any:
    """Return the node of what is taken of a level."""
    node = lane.taken_first
    while node != NO_ONE and not (get(x, node, _PRICE) == price and get(x, node, _SIDE) == side):
        node = next_of(x, node)
    return node


@inner
def offer_at(x: Any, lane: Any, side: int, price: int) -> Any:
    """Return what a level offers: its size without its prints and without what was taken."""
    node = _taken_at(x, lane, side, price)
    taken = 0 if node == NO_ONE else get(x, node, _SIZE)
    return max(0, size_at(x, side, price) - printed(x, side, price) - taken)


@inner
def take_of(x: Any, lane: Any, side: int, price: int, size: int) -> None:
    """Remember what was taken of a level."""
    if lane.forgets or size == 0:
        return
    node = _taken_at(x, lane, side, price)
    if node == NO_ONE:
        node = new_node(x)
        put(x, node, _SIDE, side)
        put(x, node, _PRICE, price)
        put(x, node, _SIZE, size)
        link(x, node, lane.taken_first)
        lane.taken_first = node
    else:
        put(x, node, _SIZE, get(x, node, _SIZE) + size)


@inner
def bound_taken(x: Any, lane: Any) -> None:
    """After a book frame no more is taken than the level holds."""
    node, before = lane.taken_first, NO_ONE
    while node != NO_ONE:
        following = next_of(x, node)
        size = min(get(x, node, _SIZE), size_at(x, get(x, node, _SIDE), get(x, node, _PRICE)))
        if size:
            put(x, node, _SIZE, size)
            before = node
        else:
            if before == NO_ONE:
                lane.taken_first = following
            else:
                link(x, before, following)
            free_node(x, node)
        node = following


@inner
def forget_taken(x: Any, lane: Any) -> None:
    """Forget everything."""
    free_chain(x, lane.taken_first)
    lane.taken_first = NO_ONE


@inner
def walk(x: Any, lane: Any, side: int, limit: int, size: int) -> Any:
    """Return (what an order would take up to its limit, its value in two words)."""
    opposite = 1 - side
    taken = high = low = 0
    price = best_of(x, opposite)
    while price and taken < size and sign_of(side) * (limit - price) >= 0:
        step = min(offer_at(x, lane, opposite, price), size - taken)
        value_high, value_low = product(price, step)
        high, low = add(high, low, value_high, value_low)
        taken += step
        price = next_price(x, opposite, price)
    return taken, high, low


@inner
def levels_within(x: Any, side: int, limit: int, most: int) -> Any:
    """Return how many levels an order reaches up to its limit, at most so many."""
    opposite = 1 - side
    levels = 0
    price = best_of(x, opposite)
    while price and levels < most and sign_of(side) * (limit - price) >= 0:
        levels += 1
        price = next_price(x, opposite, price)
    return levels


@inner
def market_limit(side: int, best: int, collar: int) -> Any:
    """Return how far a market order walks, see `taking.market_limit`."""
    reach = best // MILLION * collar + best % MILLION * collar // MILLION
    return best + sign_of(side) * reach
