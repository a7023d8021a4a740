"""The orders of a lane, by request and by row: `exchange.Exchange` in compiled code."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word
from orderbook.execution.codes import Code
from orderbook.execution.compiled import places
from orderbook.execution.compiled.events import (
    end,
    fill,
    finish_order,
    lane_at,
    left_of,
    stop_resting,
    tell,
    tell_filled,
    tell_too_late,
)
from orderbook.execution.compiled.gate import judge
from orderbook.execution.compiled.layout import (
    CROSS,
    LATE,
    LIMIT,
    MOST_RESTING,
    NO_ONE,
    TAKE,
    THROUGH,
    TRADE,
    UNKNOWN,
    load,
    store,
)
from orderbook.execution.compiled.places import not_in_book
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
from orderbook.execution.compiled.sizes import next_price, size_at
from orderbook.execution.compiled.taking import (
    best_of,
    bound_taken,
    forget_taken,
    offer_at,
    reaches,
    sign_of,
    take_of,
)

_0: Final[Any] = np.uint64(0)

_RESTING: Final = int(Code.RESTING)
_AMENDED: Final = int(Code.AMENDED)
_CANCELLED: Final = int(Code.CANCELLED)
_EXPIRED: Final = int(Code.EXPIRED)
_INTERRUPTED: Final = int(Code.INTERRUPTED)
_END: Final = int(Code.END)
_NO_BOOK: Final = int(Code.NO_BOOK)
_INCREMENT: Final = int(Code.INCREMENT)
_OF_AMEND: Final = int(Code.AMEND_NO_BOOK) - int(Code.NO_BOOK)

# Words of a node of an order that an interruption ended.
_SIDE: Final = 1
_PRICE: Final = 2
_LEFT: Final = 3


@inner
def resting_number(x: Any, number: int, wanted: int) -> Any:
    """Return the order of a lane that rests and has this number, NO_ONE if there is none."""
    first = MOST_RESTING * number
    for place in range(first, first + lane_at(x, number).resting):
        found = load(x.resting, place)
        if order_at(x, found).number == wanted:
            return found
    return NO_ONE


# Requests


@inner
def arrive(x: Any, number: int, now: int, order_number: int) -> None:
    """A new order arrives."""
    order = order_at(x, order_number)
    order.arrived = now
    refusal, limit = judge(x, number, order, order.price, order.size, NO_ONE)
    if refusal:
        end(x, number, now, refusal, order_number)
        finish_order(x, order_number)
    else:
        _enter(x, number, now, order_number, limit)


@inner
def cancel(x: Any, number: int, now: int, wanted: int) -> None:
    """A cancel arrives."""
    order_number = resting_number(x, number, wanted)
    if order_number == NO_ONE:
        tell_too_late(x, number, now, wanted)
        return
    lane, order = lane_at(x, number), order_at(x, order_number)
    stop_resting(x, number, order_number)
    order.late_book_time = x.book_time
    order.is_late = 1 if order.late_book_time != UNKNOWN and order.has_place else 0
    end(x, number, now, _CANCELLED, order_number)
    if order.is_late:
        lane.scheduled += 1
        order.late_number = lane.scheduled
        order.next = NO_ONE
        if lane.late_first == NO_ONE:
            lane.late_first = order_number
        else:
            order_at(x, lane.late_last).next = order_number
        lane.late_last = order_number
        lane.late_count += 1
    else:
        finish_order(x, order_number)


@inner
def amend(x: Any, number: int, now: int, wanted: int, wanted_price: int, wanted_left: int) -> None:
    """An amend arrives: in place if the price is the same and no more is left, else at the back."""
    order_number = resting_number(x, number, wanted)
    if order_number == NO_ONE:
        tell_too_late(x, number, now, wanted)
        return
    lane, order = lane_at(x, number), order_at(x, order_number)
    price = order.price if wanted_price < 0 else wanted_price
    left = left_of(lane, order) if wanted_left < 0 else wanted_left
    stays = price == order.price and left <= left_of(lane, order)
    refusal, limit = judge(x, number, order, price, left, order_number)
    if stays and refusal not in (_NO_BOOK, _INCREMENT):
        refusal = 0
    if refusal:
        tell(x, number, now, refusal + _OF_AMEND, order_number)
        return
    order.amends += 1
    order.size, order.price = get_word(order.filled, lane.queue) + left, price
    tell(x, number, now, _AMENDED, order_number)
    if not stays:
        stop_resting(x, number, order_number)
        _enter(x, number, now, order_number, limit)


@inner
def _enter(x: Any, number: int, now: int, order_number: int, limit: int) -> None:
    """Let an accepted order take, and rest with what a limit order has left."""
    lane, order = lane_at(x, number), order_at(x, order_number)
    places.leave(x, order)
    _take(x, number, now, order_number, limit, TAKE, 0, 0)
    if left_of(lane, order) == 0:
        finish_order(x, order_number)
        return
    if order.kind != LIMIT:
        end(x, number, now, _EXPIRED, order_number)
        finish_order(x, order_number)
        return
    places.come(x, order)
    order.rank = lane.accepted
    lane.accepted += 1
    store(x.resting, MOST_RESTING * number + lane.resting, order_number)
    lane.resting += 1
    if order.rested == UNKNOWN:
        order.rested, order.ahead_at_rest = now, order.back
        tell(x, number, now, _RESTING, order_number)


@inner
def _take(  # noqa: PLR0917
    x: Any, number: int, now: int, order_number: int, limit: int, by: int, back: int, share: int
) -> None:
    """Fill an order from what the levels up to a limit offer, under each model."""
    lane, order = lane_at(x, number), order_at(x, order_number)
    opposite = 1 - order.side
    price = best_of(x, opposite)
    while price and sign_of(order.side) * (limit - price) >= 0:
        offer = offer_at(x, lane, opposite, price)
        if offer:
            filled = fill(order, lane.queue, offer, offer, offer)
            take_of(x, lane, opposite, price, filled)
            own_price = price if by == TAKE else order.price
            tell_filled(x, number, now, order_number, own_price, filled, by, back, share)
            if (
                min(get_word(order.filled, 0), get_word(order.filled, 1), get_word(order.filled, 2))
                >= order.size
            ):
                return
        price = next_price(x, opposite, price)


# Rows


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
        _see_broken_snapshot(x, lane)
        _take_up_kept(x, number)
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
        _take(x, number, now, order_number, order.price, CROSS, back, share)
        if left_of(lane, order) == 0:
            stop_resting(x, number, order_number)
            finish_order(x, order_number)


@inner
def _take_up_kept(x: Any, number: int) -> None:
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


@inner
def _see_broken_snapshot(x: Any, lane: Any) -> None:
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
            places.leave(x, order_at(x, load(x.resting, place)))
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
def finish(x: Any, number: int) -> None:
    """The tape ends."""
    lane = lane_at(x, number)
    now = x.time
    first = MOST_RESTING * number
    ended = lane.resting
    lane.resting = 0
    for place in range(first, first + ended):
        order_number = load(x.resting, place)
        end(x, number, now, _END, order_number)
        finish_order(x, order_number)
