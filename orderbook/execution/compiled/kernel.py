"""Rows through the market and all lanes, until Python is needed."""

from typing import Any, Final

from orderbook.compiled.jit import inner
from orderbook.execution.compiled import lane as lanes
from orderbook.execution.compiled import market as shown
from orderbook.execution.compiled.account import account_at
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.exchange import resting_number
from orderbook.execution.compiled.layout import (
    DONE,
    END_TAPE,
    LACKS_MARKS,
    LACKS_ROOM,
    NEEDS_TICK,
    NEVER,
    NEW,
    NO_ONE,
    REQUEST,
    RUN_ROWS,
    SEE,
    TABLE,
    TELL_AHEAD,
    TELL_SIZE,
    UNKNOWN,
    WAKE_AT,
    event_ref,
    load,
    load_byte,
    market_at,
    store,
)
from orderbook.execution.compiled.places import settle_old
from orderbook.execution.compiled.pool import free_report, order_at
from orderbook.execution.compiled.requests import send, send_order, wake_at
from orderbook.execution.compiled.samples import take_marks
from orderbook.execution.compiled.sizes import next_price, size_at
from orderbook.execution.compiled.strategies import next_row_time
from orderbook.execution.compiled.taking import best_of
from orderbook.execution.market_rows import BOOK

# What of a row comes next.
_TAKE_MARKS: Final = 0
_ADVANCE: Final = 1
_APPLY: Final = 2

_MANY_MARKS: Final = 512


@inner
def _begin(x: Any, time: int) -> None:
    """The lanes begin with a row of this time."""
    market = x
    market.has_begun = 1
    market.next_due = NEVER
    if market.bid and market.ask:
        market.first_mid, market.first_mid_time = market.bid + market.ask, -NEVER
    market.seen_bid = market.seen_bid_size = market.seen_ask = market.seen_ask_size = 0
    for number in range(market.lanes):
        lane = lane_at(x, number)
        if lane.strategy == TABLE:
            lane.timer = next_row_time(x, lane)
            lane.scheduled += 1
            lane.timer_number = lane.scheduled
        if lane.every:
            lane.every_time = -(-time // lane.every) * lane.every
            lane.scheduled += 1
            lane.every_number = lane.scheduled
        lanes.note_due(x, number)


@inner
def _take_inbox(x: Any) -> None:
    """Send what the strategy that was woken asks for."""
    market = x
    number = market.woken
    lane = lane_at(x, number)
    for request in range(market.inbox):
        at = REQUEST * request
        what, target = load(x.inbox_at, at), load(x.inbox_at, at + 1)
        price, size = load(x.inbox_at, at + 4), load(x.inbox_at, at + 5)
        if what == NEW:
            kind, post_only = load(x.inbox_at, at + 2), load(x.inbox_at, at + 3)
            send_order(x, number, target, kind, post_only, price, size)
        elif what == WAKE_AT:
            wake_at(x, number, price)
        else:
            send(x, number, what, target, price, size)
    market.inbox = 0
    while lane.heard_first != NO_ONE:
        report = lane.heard_first
        lane.heard_first = event_ref(x.reports, report).next
        free_report(x, report)
    lane.heard = 0
    lanes.note_due(x, number)
    market.woken = NO_ONE


@inner
def _take_marks(x: Any) -> Any:
    """Let all lanes sample the marks so far; return why that ended."""
    market = x
    while market.lane < market.lanes:
        account = account_at(x, market.lane)
        market.needed = market.marks - account.marks_taken
        if market.keeps_rows and x.samples_at_room - market.samples < market.needed:
            return LACKS_ROOM
        take_marks(x, market.lane, NEVER)
        account.marks_taken = 0
        market.lane += 1
    market.lane = market.marks = 0
    return DONE


@inner
def _advance(x: Any, time: int) -> Any:
    """Let all lanes do what is due before a row of this time."""
    market = x
    if not shown.pass_time(x, time):
        return LACKS_MARKS
    if market.next_due >= time:
        return DONE
    while market.lane < market.lanes:
        if load(x.due, market.lane) < time:
            why = lanes.advance(x, market.lane, time)
            if why != DONE:
                return why
        market.lane += 1
    market.lane = 0
    market.next_due = NEVER
    for number in range(market.lanes):
        market.next_due = min(market.next_due, load(x.due, number))
    return DONE


@inner
def _see(x: Any, row: int, kind: int) -> Any:
    """Show all lanes a row."""
    market = x
    has_snapshot = kind == BOOK and shown.has_snapshot(x, row)
    while market.lane < market.lanes:
        number = market.lane
        why = lanes.see(x, number, kind, has_snapshot)
        if why == LACKS_ROOM:
            return why
        market.lane += 1
        if why != DONE:
            return why
    market.lane = 0
    return DONE


@inner
def _finish(x: Any) -> Any:
    """End the tape for all lanes; return why that ended."""
    market = x
    while market.lane < market.lanes:
        why = lanes.finish(x, market.lane)
        if why != DONE:
            return why
        market.lane += 1
    return DONE


@inner
def _tell(x: Any) -> None:
    """Answer a question of the strategy that is woken."""
    market = x
    if market.task == TELL_AHEAD:
        _tell_ahead(x)
    elif market.task == TELL_SIZE:
        market.answer = size_at(x, market.wanted, market.answer)
    else:
        side, most, levels = market.wanted, market.answer, 0
        price = best_of(x, side)
        while price and levels < most:
            store(x.ladder, 2 * levels, price)
            store(x.ladder, 2 * levels + 1, size_at(x, side, price))
            levels += 1
            price = next_price(x, side, price)
        market.answer = levels


@inner
def _tell_ahead(x: Any) -> None:
    """Answer what is ahead of an order, UNKNOWN if it does not rest."""
    market = x
    lane = lane_at(x, market.woken)
    market.answer = UNKNOWN
    found = resting_number(x, market.woken, market.wanted)
    if found == NO_ONE or not order_at(x, found).has_place:
        return
    order = order_at(x, found)
    settle_old(x, order, lane.now)
    market.answer = order.back if lane.queue == 0 else order.share if lane.queue == 1 else 0


@inner
def _run_row(x: Any, row: int) -> Any:
    """Run the next row from the phase in which it is; return why that ended."""
    market = x
    kind = load_byte(x.kind_of, row)
    if market.phase == _TAKE_MARKS:
        why = _take_marks(x) if market.marks >= _MANY_MARKS else DONE
        if why != DONE:
            return why
        market.phase = _ADVANCE
    if market.phase == _ADVANCE:
        time = load(x.time_of, row)
        if row == market.begin_row and not market.has_begun:
            _begin(x, time)
        why = _advance(x, time) if market.has_begun else DONE
        if why != DONE:
            return why
        market.phase = _APPLY
    if market.phase == _APPLY:
        why = shown.apply(x, row, kind)
        if why != DONE:
            return why
        market.phase = SEE
        if not market.has_steps and market.is_known and (market.bid or market.ask):
            return NEEDS_TICK
    why = _see(x, row, kind) if market.has_begun else DONE
    if why != DONE:
        return why
    market.phase = _TAKE_MARKS
    return DONE


def run(address: int) -> int:
    """Run rows from `row` on, or do another `task`; return why it ended."""
    x = market_at(address, 0)
    market = x
    if market.task == END_TAPE:
        ended: int = _finish(x)
        return ended
    if market.task != RUN_ROWS:
        _tell(x)
        return DONE
    if market.woken != NO_ONE:
        _take_inbox(x)
    while market.row < market.rows:
        why: int = _run_row(x, market.row)
        if why != DONE:
            return why
        market.row += 1
    ended = _take_marks(x)
    return int(ended)
