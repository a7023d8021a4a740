"""What rows do to the orders of a lane: the rows of `exchange.Exchange` in compiled code."""

from typing import Any

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled import places
from orderbook.execution.compiled.addresses import load, store
from orderbook.execution.compiled.breaks import see_broken_snapshot, take_up_kept
from orderbook.execution.compiled.events import (
    fill,
    finish_order,
    lane_at,
    left_of,
    stop_resting,
    tell_filled,
)
from orderbook.execution.compiled.exchange import take_levels
from orderbook.execution.compiled.layout import CROSS, LATE, MOST_RESTING, NO_ONE, THROUGH, TRADE, UNKNOWN
from orderbook.execution.compiled.places import not_in_book
from orderbook.execution.compiled.pool import (
    order_at,
)
from orderbook.execution.compiled.sizes import size_at
from orderbook.execution.compiled.taking import (
    best_of,
    bound_taken,
    forget_taken,
    reaches,
    sign_of,
)


@inner
def is_touched(x: Any, number: int) -> Any:
    """Tell whether a book frame does anything to what a lane has, see `watched.Watched`."""
    market, lane = x, lane_at(x, number)
    if not market.was_known or lane.taken_first != NO_ONE:
        return True
    first = MOST_RESTING * number
    for place in range(first, first + lane.resting):
        order = order_at(x, load(x.resting, place))
        best = best_of(x, 1 - order.side)
        if best and reaches(order.side, order.price, best):
            return True
        if not order.has_place:
            continue
        if order.is_fresh or order.owed_first != NO_ONE:
            return True
        if size_at(x, order.side, order.price) != order.level:
            return True
    return False


@inner
def see_book(x: Any, number: int, has_snapshot: bool) -> None:
    """A book frame, which the market shows already."""
    market, lane = x, lane_at(x, number)
    now = market.time
    if lane.taken_first != NO_ONE:
        if has_snapshot:
            forget_taken(x, lane)
        else:
            bound_taken(x, lane)
    first = MOST_RESTING * number
    if not market.was_known:
        see_broken_snapshot(x, lane)
        take_up_kept(x, number)
    else:
        for place in range(first, first + lane.resting):
            order = order_at(x, load(x.resting, place))
            if order.has_place:
                size = size_at(x, order.side, order.price)
                if has_snapshot:
                    places.see_snapshot(x, order, now, size)
                else:
                    places.see_book(x, order, now, size)
    if market.bid and market.ask and market.bid > market.ask:
        return
    for place in range(first, first + lane.resting):
        order = order_at(x, load(x.resting, place))
        best = best_of(x, 1 - order.side)
        if best and reaches(order.side, order.price, best):
            _cross(x, number)
            return


@inlined
def _is_before(x: Any, first: int, second: int) -> Any:
    """Tell whether an order comes before another one, see `orders.by_priority`."""
    one, other = order_at(x, first), order_at(x, second)
    key, other_key = -sign_of(one.side) * one.price, -sign_of(other.side) * other.price
    return key < other_key or (key == other_key and one.rank < other.rank)


@inner
def _sort_met(x: Any, met: int) -> None:
    """Sort the orders that a row meets."""
    for at in range(1, met):
        order_number = load(x.met, at)
        place = at
        while place > 0 and _is_before(x, order_number, load(x.met, place - 1)):
            store(x.met, place, load(x.met, place - 1))
            place -= 1
        store(x.met, place, order_number)


@inner
def _cross(x: Any, number: int) -> None:
    """Fill resting orders that the opposite best is at or through."""
    lane = lane_at(x, number)
    now = x.time
    first = MOST_RESTING * number
    met = lane.resting
    for at in range(met):
        store(x.met, at, load(x.resting, first + at))
    _sort_met(x, met)
    for at in range(met):
        order_number = load(x.met, at)
        order = order_at(x, order_number)
        best = best_of(x, 1 - order.side)
        if not order.has_place or not best or not reaches(order.side, order.price, best):
            continue
        back, share = order.back, order.share
        places.trade_through(order)
        take_levels(x, number, now, order_number, order.price, CROSS, back, share)
        if left_of(lane, order) == 0:
            stop_resting(x, number, order_number)
            finish_order(x, order_number)


@inlined
def _can_meet(order: Any, side: int, price: int, time: int) -> Any:
    """Tell whether a trade can have met an order: not if the book that the order joined held it already."""
    if order.side != side or not order.has_place or not reaches(side, order.price, price):
        return False
    if not not_in_book(time, order.since):
        return False
    if not order.is_late:
        return True
    return time != UNKNOWN and time <= order.late_book_time


@inner
def _meet(x: Any, number: int, side: int, price: int, time: int) -> Any:
    """Collect the orders that a trade can have met; return how many there are."""
    lane = lane_at(x, number)
    first = MOST_RESTING * number
    met = 0
    for place in range(first, first + lane.resting):
        if _can_meet(order_at(x, load(x.resting, place)), side, price, time):
            store(x.met, met, load(x.resting, place))
            met += 1
    late = lane.late_first
    while late != NO_ONE:
        if _can_meet(order_at(x, late), side, price, time):
            store(x.met, met, late)
            met += 1
        late = order_at(x, late).next
    return met


@inner
def see_trade(x: Any, number: int, side: int, price: int, size: int, time: int) -> None:
    """A trade of others."""
    lane = lane_at(x, number)
    now = x.time
    met = _meet(x, number, side, price, time)
    if met == 0:
        return
    _sort_met(x, met)
    left = size
    for at in range(met):
        order_number = load(x.met, at)
        order = order_at(x, order_number)
        places.settle_before_trade(x, order, now, time)
        back, share = order.back, order.share
        is_through = order.price != price
        if is_through:
            places.trade_through(order)
        reaching_back, reaching_share = left - min(order.back, left), left - min(order.share, left)
        order.back -= min(order.back, left)
        order.share -= min(order.share, left)
        filled = fill(order, lane.queue, reaching_back, reaching_share, left)
        if not is_through:
            places.explain(x, order, size, time)
        left -= filled
        by = LATE if order.is_late else THROUGH if is_through else TRADE
        tell_filled(x, number, now, order_number, order.price, filled, by, back, share)
        if left_of(lane, order) == 0:
            if order.is_late:
                _unlink_late(x, lane, order_number)
            else:
                stop_resting(x, number, order_number)
            finish_order(x, order_number)


@inner
def _unlink_late(x: Any, lane: Any, order_number: int) -> None:
    """Take an order out of the late ones."""
    late, before = lane.late_first, NO_ONE
    while late != order_number:
        before, late = late, order_at(x, late).next
    following = order_at(x, order_number).next
    if before == NO_ONE:
        lane.late_first = following
    else:
        order_at(x, before).next = following
    if lane.late_last == order_number:
        lane.late_last = before
    lane.late_count -= 1


@inner
def end_late(x: Any, number: int) -> None:
    """No late trade fills the lane's first cancelled order any more."""
    lane = lane_at(x, number)
    order_number = lane.late_first
    _unlink_late(x, lane, order_number)
    finish_order(x, order_number)
