"""What the exchange says: rows of the log of events, the reports of them, and orders that are over."""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner, record_of
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.codes import Code
from orderbook.execution.compiled import later_mids, resting, wide
from orderbook.execution.compiled.account import account_at, add_order, book_fill, count, value_start
from orderbook.execution.compiled.addresses import copy_record, event_ref, lane_ref, load, store
from orderbook.execution.compiled.digest import add_event
from orderbook.execution.compiled.layout import FILL as FILL_SAMPLE
from orderbook.execution.compiled.layout import MOST_RESTING, NO_ONE, PYTHON, TAKE, UNKNOWN
from orderbook.execution.compiled.places import leave
from orderbook.execution.compiled.pool import drop_order, new_report, order_at
from orderbook.execution.compiled.samples import sample, take_marks

_FILL: Final = int(Code.FILL)
_FILLED: Final = int(Code.FILLED)
_TOO_LATE: Final = int(Code.TOO_LATE)
_FIRST_OF_AMEND: Final = int(Code.AMEND_NO_BOOK)


@record_of
def next_event(x: Any) -> Any:
    """Return the event that is made next, in the report of it; there must be a free one."""
    return event_ref(x.reports, x.free_report)


@inlined
def left_of(lane: Any, order: Any) -> Any:
    """Return what is not filled under the lane's queue model."""
    return order.size - get_word(order.filled, lane.queue)


@record_of
def lane_at(x: Any, number: int) -> Any:
    """Return a lane."""
    return lane_ref(x.lanes_at, number)


@inner
def _say(x: Any, number: int) -> None:
    """Finish an event: it goes into the digest, and will be reported."""
    market, lane, event = x, lane_at(x, number), next_event(x)
    add_event(x, account_at(x, number), event)
    if event.code == _FILL:
        event.lane = number
        event.seq = market.seq
        event.connection = market.connection
        event.bid, event.ask = market.bid, market.ask
        copy_record(x.fills_at, market.fills, event)
        market.fills += 1
        later_mids.follow(x)
    elif event.code >= _FIRST_OF_AMEND:
        count(account_at(x, number), event.code)
    lane.scheduled += 1
    if lane.hears:
        report = new_report(x)
        event.due = event.time + lane.report
        event.action = lane.scheduled
        event.next = NO_ONE
        if lane.report_first == NO_ONE:
            lane.report_first = report
        else:
            event_ref(x.reports, lane.report_last).next = report
        lane.report_last = report


@inlined
def _begin(x: Any, now: int, code: int, order_number: int) -> None:
    """Begin the next event."""
    event = next_event(x)
    event.time = now
    event.code = code
    event.order = order_number
    event.is_maker = event.fee_high = event.fee_low = event.by = event.ahead_back = event.ahead_share = 0


@inner
def tell(x: Any, number: int, now: int, code: int, order_number: int) -> None:
    """Say something of an order that is no fill."""
    lane, order = lane_at(x, number), order_at(x, order_number)
    _begin(x, now, code, order_number)
    event = next_event(x)
    event.number = order.number
    event.side = 1 + order.side
    event.price = order.price
    event.size = left_of(lane, order)
    _say(x, number)


@inner
def tell_too_late(x: Any, number: int, now: int, order_number: int) -> None:
    """Say that there is no such open order."""
    _begin(x, now, _TOO_LATE, NO_ONE)
    event = next_event(x)
    event.number = order_number
    event.side = event.price = event.size = 0
    _say(x, number)


@inlined
def _is_kept(x: Any, account: Any, order: Any) -> Any:
    """Tell whether an order that has been counted is wanted: of those that rested evenly chosen ones."""
    most = x.most_orders
    if most <= 0 or order.rested == UNKNOWN:
        return most < 0
    if account.rested_orders > most << account.thinned:
        account.thinned += 1
    return order.rested_before & ((1 << account.thinned) - 1) == 0


@inner
def finish_order(x: Any, order_number: int) -> None:
    """Count an order, and keep it if it is wanted: nothing happens to it any more."""
    market, order = x, order_at(x, order_number)
    lane = lane_at(x, order.lane)
    account = account_at(x, order.lane)
    leave(x, order)
    order.rested_before = account.rested_orders
    add_order(account, order, lane.queue)
    if _is_kept(x, account, order) or lane.strategy == PYTHON:  # which asks for its name
        copy_record(x.done_at, market.done, order)
        market.done += 1
    order.is_over = 1
    drop_order(x, order_number)


@inner
def end(x: Any, number: int, now: int, why: int, order_number: int) -> None:
    """Say that an order is over; `finish_order` is for the caller, as more may be filled in other models."""
    order = order_at(x, order_number)
    resting.finish(x, order, now)
    order.ended, order.end = now, why
    tell(x, number, now, why, order_number)


@inner
def fill(order: Any, queue: int, back: int, share: int, front: int) -> Any:
    """Fill an order by what reaches it under each model; return the fill under the lane's."""
    before = get_word(order.filled, queue)
    for model in range(3):
        reaching = back if model == 0 else share if model == 1 else front
        filled = get_word(order.filled, model)
        set_word(order.filled, model, filled + max(0, min(reaching, order.size - filled)))
    return get_word(order.filled, queue) - before


@inner
def tell_filled(  # noqa: PLR0917
    x: Any, number: int, now: int, order_number: int, price: int, size: int, by: int, back: int, share: int
) -> None:
    """Say that an order was filled, and that it is over if nothing is left."""
    if size == 0:
        return
    lane, order, account = lane_at(x, number), order_at(x, order_number), account_at(x, number)
    is_maker = by != TAKE
    value_high, value_low = wide.product(price, size)
    fee_high, fee_low = wide.fee_of(value_high, value_low, lane.maker if is_maker else lane.taker)
    _begin(x, now, _FILL, order_number)
    event = next_event(x)
    event.number = order.number
    event.side = 1 + order.side
    event.price = price
    event.size = size
    event.is_maker = 1 if is_maker else 0
    event.fee_high, event.fee_low = fee_high, fee_low
    event.by = by
    event.ahead_back, event.ahead_share = back, share
    event.fill = account.fills_maker + account.fills_taker
    _say(x, number)
    if is_maker:
        account.fills_maker += 1
    else:
        account.fills_taker += 1
    take_marks(x, number, now)
    if not account.is_valued:
        value_start(account, x.first_mid or 2 * price)
    book_fill(account, order.side, price, size, (value_high, value_low), (fee_high, fee_low))
    sample(x, number, FILL_SAMPLE, now, x.connection, x.bid, x.ask)
    if left_of(lane, order) == 0:
        end(x, number, now, _FILLED, order_number)


@inner
def stop_resting(x: Any, number: int, order_number: int) -> None:
    """Take an order out of those that rest, which stay in the order of acceptance."""
    lane = lane_at(x, number)
    first = MOST_RESTING * number
    at = 0
    while at < lane.resting and load(x.resting, first + at) != order_number:
        at += 1
    if at == lane.resting:
        return
    lane.resting -= 1
    for place in range(first + at, first + lane.resting):
        store(x.resting, place, load(x.resting, place + 1))
