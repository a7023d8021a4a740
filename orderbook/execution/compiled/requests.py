"""Requests of a strategy, and what is due when: `lane.Lane.send` and `schedule` in compiled code.

What is due of one kind is due in the order in which it was scheduled, so each kind has a queue: requests that
never overtake, reports, cancelled orders; timers, which come in any order, are sorted as they are set.
"""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import set_word
from orderbook.execution.codes import Code
from orderbook.execution.compiled.addresses import event_ref
from orderbook.execution.compiled.events import end, finish_order, lane_at
from orderbook.execution.compiled.latency import delay_of
from orderbook.execution.compiled.layout import CALLED, NEVER, NEW, NO_ONE, UNKNOWN
from orderbook.execution.compiled.pool import (
    free_node,
    get,
    link,
    new_node,
    new_order,
    next_of,
    order_at,
    put,
)
from orderbook.execution.exchange import LATE

# Words of a node of a request on its way.
_TIME: Final = 1
_NUMBER: Final = 2
_WHAT: Final = 3
_TARGET: Final = 4
_PRICE: Final = 5
_LEFT: Final = 6

# What is due.
NOTHING: Final = 0
ARRIVAL: Final = 1
REPORT: Final = 2
TIMER: Final = 3
EVERY: Final = 4
LATE_END: Final = 5
ROW_TIME: Final = 6
"""The next row of a table is sent."""

_UNSENT: Final = int(Code.UNSENT)


@inner
def send(x: Any, number: int, what: int, target: int, price: int, left: int) -> None:
    """Send a request; its target is a new order, by its place in the pool, or the number of an order."""
    lane = lane_at(x, number)
    lane.requests += 1
    lane.last_arrival = max(lane.now + delay_of(x, lane), lane.last_arrival)
    lane.scheduled += 1
    node = new_node(x)
    put(x, node, _TIME, lane.last_arrival)
    put(x, node, _NUMBER, lane.scheduled)
    put(x, node, _WHAT, what)
    put(x, node, _TARGET, target)
    put(x, node, _PRICE, price)
    put(x, node, _LEFT, left)
    if lane.arrival_first == NO_ONE:
        lane.arrival_first = node
    else:
        link(x, lane.arrival_last, node)
    lane.arrival_last = node


@inner
def wake_at(x: Any, number: int, time: int) -> None:
    """Let a strategy be woken at a time."""
    lane = lane_at(x, number)
    lane.scheduled += 1
    node = new_node(x)
    time = max(time, lane.now)
    put(x, node, _TIME, time)
    put(x, node, _NUMBER, lane.scheduled)
    before, following = NO_ONE, lane.timer_first
    while following != NO_ONE and get(x, following, _TIME) <= time:
        before, following = following, next_of(x, following)
    link(x, node, following)
    if before == NO_ONE:
        lane.timer_first = node
    else:
        link(x, before, node)


@inner
def take_timer(x: Any, lane: Any) -> None:
    """Take the next timer."""
    node = lane.timer_first
    lane.timer_first = next_of(x, node)
    free_node(x, node)


@inner
def send_order(x: Any, number: int, side: int, kind: int, post_only: int, price: int, size: int) -> Any:  # noqa: PLR0917
    """Send a new order; return its number in the pool."""
    lane = lane_at(x, number)
    lane.sent += 1
    order_number = new_order(x)
    order = order_at(x, order_number)
    order.lane, order.number = number, lane.sent
    order.side, order.kind, order.post_only = side, kind, post_only
    order.price, order.size, order.sent = price, size, lane.now
    for model in range(3):
        set_word(order.filled, model, 0)
    order.has_place = order.waiting = order.is_late = order.is_over = order.is_own = 0
    order.rank = order.end = order.amends = 0
    order.waiting_first = order.waiting_last = order.owed_first = order.owed_last = NO_ONE
    order.arrived = order.rested = order.ahead_at_rest = order.ended = UNKNOWN
    order.late_book_time = order.resting_since = UNKNOWN
    if lane.strategy == CALLED:
        lane.own += 1
        order.is_own = 1
        order.own_price, order.own_left = price, size
        order.wanted_price, order.wanted_left = price, size
        order.rests = order.amending = order.cancelling = 0
        order.own_next, order.own_before = NO_ONE, lane.own_last
        if lane.own_last == NO_ONE:
            lane.own_first = order_number
        else:
            order_at(x, lane.own_last).own_next = order_number
        lane.own_last = order_number
    send(x, number, NEW, order_number, 0, 0)
    return order_number


@inner
def next_due(x: Any, lane: Any) -> Any:
    """Return (what of a lane is due next, when)."""
    what, time, number = NOTHING, NEVER, NEVER
    if lane.arrival_first != NO_ONE:
        what, time, number = (
            ARRIVAL,
            get(x, lane.arrival_first, _TIME),
            get(x, lane.arrival_first, _NUMBER),
        )
    if lane.report_first != NO_ONE:
        report = event_ref(x.reports, lane.report_first)
        if report.due < time or (report.due == time and report.action < number):
            what, time, number = REPORT, report.due, report.action
    if lane.timer != NEVER and (lane.timer < time or (lane.timer == time and lane.timer_number < number)):
        what, time, number = ROW_TIME, lane.timer, lane.timer_number
    if lane.timer_first != NO_ONE:
        due, scheduled = get(x, lane.timer_first, _TIME), get(x, lane.timer_first, _NUMBER)
        if due < time or (due == time and scheduled < number):
            what, time, number = TIMER, due, scheduled
    if lane.every and (lane.every_time < time or (lane.every_time == time and lane.every_number < number)):
        what, time, number = EVERY, lane.every_time, lane.every_number
    if lane.late_first != NO_ONE:
        order = order_at(x, lane.late_first)
        late = order.ended + LATE
        if late < time or (late == time and order.late_number < number):
            what, time, number = LATE_END, late, order.late_number
    return what, time


@inlined
def take_arrival(x: Any, lane: Any) -> Any:
    """Take the next request that arrives: (what, target, price, left)."""
    node = lane.arrival_first
    lane.arrival_first = next_of(x, node)
    found = get(x, node, _WHAT), get(x, node, _TARGET), get(x, node, _PRICE), get(x, node, _LEFT)
    free_node(x, node)
    return found


@inlined
def peek_arrival(x: Any, lane: Any) -> Any:
    """Return of the next request that arrives (what, target, price)."""
    node = lane.arrival_first
    return get(x, node, _WHAT), get(x, node, _TARGET), get(x, node, _PRICE)


@inner
def drop_arrival(x: Any, number: int, now: int) -> None:
    """The tape has ended before the next request arrived."""
    lane = lane_at(x, number)
    what, target, _, _ = take_arrival(x, lane)
    if what == NEW:
        end(x, number, now, _UNSENT, target)
        finish_order(x, target)
