"""What interruptions do to the orders of a lane: `breaks.BrokenOrders` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inner
from orderbook.execution.codes import Code
from orderbook.execution.compiled import places, resting
from orderbook.execution.compiled.addresses import load, store
from orderbook.execution.compiled.events import (
    end,
    fill,
    finish_order,
    lane_at,
    left_of,
    stop_resting,
    tell_filled,
)
from orderbook.execution.compiled.layout import MOST_RESTING, NO_ONE, THROUGH
from orderbook.execution.compiled.pool import (
    free_chain,
    free_node,
    get,
    link,
    new_node,
    next_of,
    order_at,
    put,
)
from orderbook.execution.compiled.taking import (
    best_of,
    forget_taken,
    reaches,
    sign_of,
)

_INTERRUPTED: Final = int(Code.INTERRUPTED)

# Words of a node of an order that an interruption ended.
_SIDE: Final = 1
_PRICE: Final = 2
_LEFT: Final = 3


@inner
def interrupt(x: Any, number: int) -> None:
    """The connection begins or ends, so no book is known."""
    market, lane = x, lane_at(x, number)
    forget_taken(x, lane)
    late = lane.late_first
    while late != NO_ONE:
        places.leave(x, order_at(x, late))  # it meets no trade any more
        late = order_at(x, late).next
    first = MOST_RESTING * number
    if lane.keeps:
        for place in range(first, first + lane.resting):
            order = order_at(x, load(x.resting, place))
            resting.finish(x, order, market.time)
            places.leave(x, order)
        return
    ended = lane.resting
    if market.was_known:
        free_chain(x, lane.broken_first)
        free_chain(x, lane.untraded_first)
        lane.broken_first = lane.untraded_first = NO_ONE
        lane.broken_book_time = market.was_book_time
        for place in range(first + ended - 1, first - 1, -1):
            order = order_at(x, load(x.resting, place))
            lane.broken_first = _broken(x, lane, order, lane.broken_first)
            lane.untraded_first = _broken(x, lane, order, lane.untraded_first)
    lane.resting = 0
    for place in range(first, first + ended):
        order_number = load(x.resting, place)
        end(x, number, market.time, _INTERRUPTED, order_number)
        finish_order(x, order_number)


@inner
def _broken(x: Any, lane: Any, order: Any, following: int) -> Any:
    node = new_node(x)
    put(x, node, _SIDE, order.side)
    put(x, node, _PRICE, order.price)
    put(x, node, _LEFT, left_of(lane, order))
    link(x, node, following)
    return node


@inner
def take_up_kept(x: Any, number: int) -> None:
    """Orders that were kept over an interruption meet the first book after it."""
    market, lane = x, lane_at(x, number)
    is_crossed = market.bid and market.ask and market.bid > market.ask
    first = MOST_RESTING * number
    met = lane.resting
    for at in range(met):
        store(x.met, at, load(x.resting, first + at))
    for at in range(met):
        order_number = load(x.met, at)
        order = order_at(x, order_number)
        best = best_of(x, 1 - order.side)
        if best and reaches(order.side, order.price, best) and best != order.price and not is_crossed:
            filled = fill(order, lane.queue, order.size, order.size, order.size)
            stop_resting(x, number, order_number)
            tell_filled(x, number, market.time, order_number, order.price, filled, THROUGH, 0, 0)
            finish_order(x, order_number)
        else:
            places.leave(x, order)
            places.come(x, order)
            resting.begin(x, order, market.time)


@inner
def see_broken_snapshot(x: Any, lane: Any) -> None:
    """Count the ended orders that the first book of the next connection would fill."""
    node = lane.broken_first
    while node != NO_ONE:
        lane.broken_size += get(x, node, _LEFT)
        best = best_of(x, 1 - get(x, node, _SIDE))
        if best and reaches(get(x, node, _SIDE), get(x, node, _PRICE), best):
            lane.broken_through += 1
        node = next_of(x, node)
    free_chain(x, lane.broken_first)
    lane.broken_first = NO_ONE


@inner
def see_history(x: Any, number: int, price: int, time: int) -> None:
    """Count the ended orders whose price a trade of the interruption is beyond; each once."""
    lane = lane_at(x, number)
    if lane.untraded_first == NO_ONE or not places.not_in_book(time, lane.broken_book_time):
        return
    node, before = lane.untraded_first, NO_ONE
    while node != NO_ONE:
        following = next_of(x, node)
        if sign_of(get(x, node, _SIDE)) * (get(x, node, _PRICE) - price) > 0:
            lane.broken_traded += 1
            if before == NO_ONE:
                lane.untraded_first = following
            else:
                link(x, before, following)
            free_node(x, node)
        else:
            before = node
        node = following
