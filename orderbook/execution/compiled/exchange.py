"""The orders of a lane, by request: `exchange.Exchange` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inner
from orderbook.compiled.words import get_word
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
    tell,
    tell_filled,
    tell_too_late,
)
from orderbook.execution.compiled.gate import judge
from orderbook.execution.compiled.layout import LIMIT, MOST_RESTING, NO_ONE, TAKE, UNKNOWN
from orderbook.execution.compiled.pool import (
    order_at,
)
from orderbook.execution.compiled.sizes import next_price
from orderbook.execution.compiled.taking import (
    best_of,
    offer_at,
    sign_of,
    take_of,
)

_RESTING: Final = int(Code.RESTING)
_AMENDED: Final = int(Code.AMENDED)
_CANCELLED: Final = int(Code.CANCELLED)
_EXPIRED: Final = int(Code.EXPIRED)
_END: Final = int(Code.END)
_NO_BOOK: Final = int(Code.NO_BOOK)
_INCREMENT: Final = int(Code.INCREMENT)
_OF_AMEND: Final = int(Code.AMEND_NO_BOOK) - int(Code.NO_BOOK)


@inner
def resting_number(x: Any, number: int, wanted: int) -> Any:
    """Return the order of a lane that rests and has this number, NO_ONE if there is none."""
    first = MOST_RESTING * number
    for place in range(first, first + lane_at(x, number).resting):
        found = load(x.resting, place)
        if order_at(x, found).number == wanted:
            return found
    return NO_ONE


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
    resting.finish(x, order, now)
    order.amends += 1
    order.size, order.price = get_word(order.filled, lane.queue) + left, price
    tell(x, number, now, _AMENDED, order_number)
    if stays:
        resting.begin(x, order, now)
    else:
        stop_resting(x, number, order_number)
        _enter(x, number, now, order_number, limit)


@inner
def _enter(x: Any, number: int, now: int, order_number: int, limit: int) -> None:
    """Let an accepted order take, and rest with what a limit order has left."""
    lane, order = lane_at(x, number), order_at(x, order_number)
    places.leave(x, order)
    take_levels(x, number, now, order_number, limit, TAKE, 0, 0)
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
    resting.begin(x, order, now)
    if order.rested == UNKNOWN:
        order.rested, order.ahead_at_rest = now, order.back
        tell(x, number, now, _RESTING, order_number)


@inner
def take_levels(  # noqa: PLR0917
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
