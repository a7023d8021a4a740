"""The order of events of one lane: `lane.Lane` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled import breaks, exchange, requests, resting, rows
from orderbook.execution.compiled.account import account_at, value_start
from orderbook.execution.compiled.addresses import event_ref, load, load_int, store
from orderbook.execution.compiled.called import call_strategy, lacks_room_to_call
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import (
    AMEND,
    CALLED,
    DONE,
    ENDLESS,
    LACKS_ROOM,
    NEVER,
    NEW,
    NO_ONE,
    TABLE,
)
from orderbook.execution.compiled.layout import BREAK as BREAK_SAMPLE
from orderbook.execution.compiled.layout import END as END_SAMPLE
from orderbook.execution.compiled.pool import free_report
from orderbook.execution.compiled.reports import hear, why_of_reports
from orderbook.execution.compiled.room import lacks_room, levels_of_arrival, levels_of_book
from orderbook.execution.compiled.samples import sample, take_marks
from orderbook.execution.compiled.stirring import (
    BOOK_CHANGED,
    SPREAD,
    TOP,
    TRADED,
    is_idle,
    may_have_orders,
    note,
)
from orderbook.execution.compiled.strategies import next_row_time, send_row
from orderbook.execution.compiled.woken import wake_python
from orderbook.execution.market_rows import BREAK, SNAPSHOT, TRADES
from orderbook.execution.trader import MOST_ACTIONS
from orderbook.execution.wakes import Why

_TRADE: Final = 6
"""Words of a trade."""

_TIMER: Final = int(Why.TIMER)


@inner
def _wake(x: Any, number: int, why: int, heard_before: int) -> Any:
    """Wake the strategy of a lane."""
    if lane_at(x, number).strategy == CALLED:
        return call_strategy(x, number, why)
    return wake_python(x, number, why, heard_before)


@inner
def _arrive(x: Any, number: int, now: int) -> None:
    """The next request arrives."""
    request, target, price, left = requests.take_arrival(x, lane_at(x, number))
    if request == NEW:
        exchange.arrive(x, number, now, target)
    elif request == AMEND:
        exchange.amend(x, number, now, target, price, left)
    else:
        exchange.cancel(x, number, now, target)


@inner
def _report(x: Any, number: int, now: int) -> Any:
    """The next report is delivered, with those after it that are due at the same time."""
    lane = lane_at(x, number)
    heard_before = lane.heard
    are_fills = hear(x, number)
    what, time = requests.next_due(x, lane)
    while what == requests.REPORT and time == now:
        are_fills = hear(x, number) or are_fills
        what, time = requests.next_due(x, lane)
    why = why_of_reports(lane, are_fills)
    return _wake(x, number, why, heard_before) if why else DONE


@inner
def _act(x: Any, number: int, what: int, now: int) -> Any:
    """Do what is due next; return why that ended."""
    lane = lane_at(x, number)
    ended = DONE
    if what == requests.ARRIVAL:
        _arrive(x, number, now)
    elif what == requests.REPORT:
        ended = _report(x, number, now)
    elif what == requests.ROW_TIME:
        send_row(x, number)
        if next_row_time(x, lane) > now:
            lane.scheduled += 1
            lane.timer_number = lane.scheduled
            lane.timer = next_row_time(x, lane)
    elif what == requests.TIMER:
        requests.take_timer(x, lane)
        ended = _wake(x, number, _TIMER, lane.heard)
    elif what == requests.EVERY:
        lane.every_time += lane.every
        lane.scheduled += 1
        lane.every_number = lane.scheduled
        ended = _wake(x, number, _TIMER, lane.heard)
    else:
        rows.end_late(x, number)
    return ended


@inner
def advance(x: Any, number: int, before: int) -> Any:
    """Do what of a lane is due before a time, each at its own; return why that ended."""
    market, lane = x, lane_at(x, number)
    while True:
        what, time = requests.next_due(x, lane)
        if time >= before or what == requests.NOTHING:
            store(x.due, number, time)
            note(x, number)
            return DONE
        levels = levels_of_arrival(x, lane, x.fills_at_room) if what == requests.ARRIVAL else 0
        if lacks_room(x, number, 1, levels) or (lane.strategy == CALLED and lacks_room_to_call(x, lane)):
            return LACKS_ROOM
        lane.at_moment = lane.at_moment + 1 if time == lane.acted else 0
        lane.acted = time
        if lane.at_moment > MOST_ACTIONS and lane.strategy != TABLE:
            market.woken = number
            return ENDLESS
        lane.now = time
        ended = _act(x, number, what, time)
        if ended != DONE:
            store(x.due, number, time)  # it is asked again
            return ended


@inner
def note_next(x: Any, number: int) -> None:
    """Note when a lane has something to do next, and what concerns it."""
    note(x, number)
    _, time = requests.next_due(x, lane_at(x, number))
    store(x.due, number, time)
    market = x
    market.next_due = min(market.next_due, time)


@inlined
def _why_of_row(market: Any, lane: Any, kind: int, is_book: bool) -> Any:
    """Return what of a row wakes a lane, see `wakes.WakeRules.of_row`."""
    why = 0
    if kind == TRADES:
        return lane.wakes & TRADED if market.has_trades else 0
    if not is_book and kind != BREAK:
        return 0
    if is_book:
        why |= lane.wakes & BOOK_CHANGED
    if market.top_changed:
        why |= lane.wakes & TOP
    if lane.wakes & SPREAD:
        above = 1 if market.relative_spread > lane.spread else 0
        if above != lane.was_above:
            lane.was_above = above
            why |= SPREAD
    return why


@inner
def _see_orders(x: Any, number: int, kind: int, is_book: bool) -> Any:
    """Let a row do to the orders of a lane what it does; False if there may be too little room."""
    market = x
    if is_book:
        if kind != SNAPSHOT and not rows.is_touched(x, number):
            return True
        if lacks_room(x, number, 1, levels_of_book(x, number)):
            return False
        rows.see_book(x, number, kind == SNAPSHOT)
    else:
        first, last = load_int(x.first_trade, market.row), load_int(x.first_trade, market.row + 1)
        if lacks_room(x, number, last - first, 0):
            return False
        for trade in range(first, last):
            at = _TRADE * trade
            time, side, price, size = (
                load(x.trades, at + 1),
                load(x.trades, at + 2),
                load(x.trades, at + 3),
                load(x.trades, at + 4),
            )
            if load(x.trades, at + 5):
                breaks.see_history(x, number, price, time)
            else:
                rows.see_trade(x, number, side, price, size, time)
    return True


@inner
def _see_break(x: Any, number: int) -> None:
    """The connection begins or ends: sample the book that was known, and end or keep the orders."""
    market = x
    if market.was_known:
        take_marks(x, number, market.time)
        sample(x, number, BREAK_SAMPLE, market.time, market.connection, market.was_bid, market.was_ask)
    breaks.interrupt(x, number)


@inner
def see(x: Any, number: int, kind: int, is_book: bool) -> Any:
    """Show a lane a row that the market has applied and that may concern it; return why that ended."""
    market, lane = x, lane_at(x, number)
    if lane.strategy == CALLED and lacks_room_to_call(x, lane):
        return LACKS_ROOM
    scheduled = lane.scheduled
    if kind == BREAK:
        if lacks_room(x, number, 1, 0):
            return LACKS_ROOM
        _see_break(x, number)
    elif kind != 0 and may_have_orders(x, number) and not _see_orders(x, number, kind, is_book):
        return LACKS_ROOM
    now = market.time
    lane.now = now
    heard_before = lane.heard
    why = 0
    has_heard = lane.report_first != NO_ONE and event_ref(x.reports, lane.report_first).due <= now
    if has_heard:
        are_fills = False
        while lane.report_first != NO_ONE and event_ref(x.reports, lane.report_first).due <= now:
            are_fills = hear(x, number) or are_fills
        why = why_of_reports(lane, are_fills)
    why |= _why_of_row(market, lane, kind, is_book)
    ended = _wake(x, number, why, heard_before) if why and not is_idle(x, lane, why) else DONE
    if has_heard or lane.scheduled != scheduled:
        note_next(x, number)
    return ended


@inner
def _value_end(x: Any, number: int) -> None:
    """Take the last sample of a lane."""
    market, account = x, account_at(x, number)
    if not account.is_valued and market.first_mid:
        value_start(account, market.first_mid)
    take_marks(x, number, NEVER)
    sample(x, number, END_SAMPLE, market.time, market.connection, market.bid, market.ask)


@inner
def finish(x: Any, number: int) -> Any:
    """The tape ends for a lane; return why that ended."""
    market, lane = x, lane_at(x, number)
    lane.now = market.time
    while lane.table_next < lane.table_end:
        if lacks_room(x, number, 1, 0):
            return LACKS_ROOM
        send_row(x, number)
    if lacks_room(x, number, 1, 0):
        return LACKS_ROOM
    exchange.finish(x, number)
    lane.timer = NEVER
    lane.every = 0
    while lane.report_first != NO_ONE:
        report = lane.report_first
        lane.report_first = event_ref(x.reports, report).next
        free_report(x, report)
    what, _ = requests.next_due(x, lane)
    while what != requests.NOTHING:
        if lacks_room(x, number, 1, 0):
            return LACKS_ROOM
        if what == requests.ARRIVAL:
            requests.drop_arrival(x, number, market.time)
        elif what == requests.REPORT:
            report = lane.report_first
            lane.report_first = event_ref(x.reports, report).next
            free_report(x, report)
        elif what == requests.TIMER:
            requests.take_timer(x, lane)
        else:
            rows.end_late(x, number)
        what, _ = requests.next_due(x, lane)
    resting.close_boxes(x, number)
    _value_end(x, number)
    return DONE
