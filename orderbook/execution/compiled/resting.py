"""When and at which prices orders rested: `resting.RestingRows` in compiled code, if they are wanted."""

from typing import Any

from orderbook.compiled.jit import inner, record_of
from orderbook.compiled.words import get_word
from orderbook.execution.compiled import places
from orderbook.execution.compiled.addresses import lane_ref, rested_ref
from orderbook.execution.compiled.layout import UNKNOWN


@record_of
def _next_row(x: Any) -> Any:
    """Return the row that is written next."""
    return rested_ref(x.rested_at, x.rested)


@inner
def begin(x: Any, order: Any, now: int) -> None:
    """Begin a row of an order that has a place."""
    lane = lane_ref(x.lanes_at, order.lane)
    if lane.keeps_rested:
        order.resting_since = now
        order.since_size = order.size - get_word(order.filled, lane.queue)
        order.since_back, order.since_share = order.back, order.share


@inner
def finish(x: Any, order: Any, now: int) -> None:
    """End the row of an order; nothing happens if none has begun."""
    if order.resting_since == UNKNOWN or not order.has_place:
        return
    places.settle_old(x, order, now)  # as if the strategy looked at it
    market, row = x, _next_row(x)
    row.lane, row.number, row.side, row.price = order.lane, order.number, order.side, order.price
    row.rested, row.until, row.size = order.resting_since, now, order.since_size
    row.ahead_back, row.ahead_share = order.since_back, order.since_share
    row.ahead_back_until, row.ahead_share_until = order.back, order.share
    order.resting_since = UNKNOWN
    market.rested += 1
