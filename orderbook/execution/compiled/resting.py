"""When and at which prices orders rested: `resting.RestingRows` in compiled code, if they are wanted.

Of a lane with many rows those after the first ones that began and ended in one bucket of time become one of
each side, a box: that costs less than to write them.
"""

from typing import Any

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word
from orderbook.execution.compiled import places
from orderbook.execution.compiled.addresses import copy_record, lane_ref, rested_ref
from orderbook.execution.compiled.layout import UNKNOWN


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
    market, lane, shift = x, lane_ref(x.lanes_at, order.lane), x.rested_shift
    lane.rested += 1
    if shift < 0 or lane.rested <= x.most_rested or order.resting_since >> shift != now >> shift:
        _write(rested_ref(x.rested_at, x.rested), order, now)
        market.rested += 1
    else:
        _add_to_box(x, rested_ref(x.boxes_at, 2 * order.lane + order.side), order, now)
    order.resting_since = UNKNOWN


@inner
def close_boxes(x: Any, number: int) -> None:
    """Write the boxes of a lane, whose orders are over."""
    for side in range(2):
        box = rested_ref(x.boxes_at, 2 * number + side)
        if box.rows:
            _close(x, box)


@inlined
def _write(row: Any, order: Any, now: int) -> None:
    """Write a row of an order."""
    row.lane, row.number, row.side, row.price = order.lane, order.number, order.side, order.price
    row.rested, row.until, row.size = order.resting_since, now, order.since_size
    row.ahead_back, row.ahead_share = order.since_back, order.since_share
    row.ahead_back_until, row.ahead_share_until = order.back, order.share
    row.highest, row.rows = order.price, 1


@inner
def _add_to_box(x: Any, box: Any, order: Any, now: int) -> None:
    """Add a row of an order to the box of its side, or to the next one if that is of a bucket before."""
    if box.rows and box.until >> x.rested_shift != now >> x.rested_shift:
        _close(x, box)
    if box.rows == 0:
        _write(box, order, now)
        return
    box.number = 0  # several
    box.price, box.highest = min(box.price, order.price), max(box.highest, order.price)
    box.rested, box.until = min(box.rested, order.resting_since), now
    box.rows += 1


@inner
def _close(x: Any, box: Any) -> None:
    market = x
    copy_record(x.rested_at, x.rested, box)
    market.rested += 1
    box.rows = 0
