"""What a lane's strategy is told, and what a compiled one knows by it: `own_orders` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.codes import FIRST_END, LAST_END, Code
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.addresses import event_ref
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import NO_ONE, PYTHON
from orderbook.execution.compiled.pool import drop_order, free_report, order_at
from orderbook.execution.numbers import MONEY_UNITS
from orderbook.execution.wakes import Why

_FILL: Final = int(Code.FILL)
_RESTING: Final = int(Code.RESTING)
_AMENDED: Final = int(Code.AMENDED)
_TOO_LATE: Final = int(Code.TOO_LATE)
_FIRST_END: Final = int(FIRST_END)
_LAST_END: Final = int(LAST_END)

FILLS: Final = int(Why.FILLS)
REPORTS: Final = int(Why.REPORTS)


@inner
def _drop_own(x: Any, lane: Any, order_number: int) -> None:
    """The strategy knows that an order is over."""
    order = order_at(x, order_number)
    if order.own_before == NO_ONE:
        lane.own_first = order.own_next
    else:
        order_at(x, order.own_before).own_next = order.own_next
    if order.own_next == NO_ONE:
        lane.own_last = order.own_before
    else:
        order_at(x, order.own_next).own_before = order.own_before
    order.is_own = 0
    lane.own -= 1
    drop_order(x, order_number)


@inner
def _hear_own(x: Any, number: int, event: Any) -> None:
    """Note a report in the order that it is of, see `own_orders`."""
    lane = lane_at(x, number)
    order_number = lane.own_first
    while order_number != NO_ONE and order_at(x, order_number).number != event.number:
        order_number = order_at(x, order_number).own_next
    if order_number == NO_ONE:
        return
    order = order_at(x, order_number)
    code = event.code
    if (code >= _FIRST_END and code <= _LAST_END) or code == _TOO_LATE:
        _drop_own(x, lane, order_number)
        return
    if code == _RESTING:
        order.rests = 1
    elif code == _FILL:
        order.own_left -= event.size
    else:
        order.amending -= 1
        if code == _AMENDED:
            order.own_price, order.own_left = event.price, event.size
    if not order.amending:
        order.wanted_price, order.wanted_left = order.own_price, order.own_left


@inner
def hear(x: Any, number: int) -> Any:
    """Take the lane's next report into account; return whether it is of a fill."""
    lane = lane_at(x, number)
    report = lane.report_first
    event = event_ref(x.reports, report)
    lane.report_first = event.next
    is_fill = event.code == _FILL
    if lane.strategy == PYTHON:
        event.next = NO_ONE
        if lane.heard_first == NO_ONE:
            lane.heard_first = report
        else:
            event_ref(x.reports, lane.heard_last).next = report
        lane.heard_last = report
        lane.heard += 1
        return is_fill
    if is_fill:
        high, low = wide.product(event.price, event.size)
        if event.side == 2:  # as in the digest
            high, low = wide.negative(high, low)
        high, low = wide.add(high, low, event.fee_high, event.fee_low)
        high, low = wide.negative(high, low)
        lane.known_cash_high, lane.known_cash_low = wide.add(
            lane.known_cash_high, lane.known_cash_low, high, low
        )
        lane.known_fees_high, lane.known_fees_low = wide.add(
            lane.known_fees_high, lane.known_fees_low, event.fee_high, event.fee_low
        )
        lane.known_position += event.size if event.side == 1 else -event.size
        lane.cash_whole, lane.cash_fraction = wide.whole_and_part(
            lane.known_cash_high, lane.known_cash_low, MONEY_UNITS
        )
        lane.fees_whole, lane.fees_fraction = wide.whole_and_part(
            lane.known_fees_high, lane.known_fees_low, MONEY_UNITS
        )
    _hear_own(x, number, event)
    free_report(x, report)
    return is_fill


@inlined
def why_of_reports(lane: Any, are_fills: bool) -> Any:
    """Return what of reports wakes a lane, see `wakes.WakeRules.of_reports`."""
    why = lane.wakes & REPORTS
    return why | (lane.wakes & FILLS) if are_fills else why
