"""Rows through the market and all lanes, until Python is needed."""

from typing import Any, Final

from orderbook.compiled.entries import Entry
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import RAISED
from orderbook.execution.compiled import lane as lanes
from orderbook.execution.compiled import market as shown
from orderbook.execution.compiled.account import account_at
from orderbook.execution.compiled.addresses import load, load_byte, market_at, store
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.exchange import resting_number
from orderbook.execution.compiled.layout import (
    ADVANCE,
    APPLY,
    DONE,
    END_TAPE,
    LACKS_MARKS,
    LACKS_ROOM,
    LOOK,
    NEEDS_LANES,
    NEEDS_TICK,
    NEVER,
    NO_ONE,
    RUN_ROWS,
    SEE,
    TABLE,
    TELL_AHEAD,
    TELL_SIZE,
    UNKNOWN,
    WITH_BOOK,
    WITH_ROW,
)
from orderbook.execution.compiled.places import settle_old
from orderbook.execution.compiled.pool import order_at
from orderbook.execution.compiled.samples import take_marks
from orderbook.execution.compiled.sizes import next_price, size_at
from orderbook.execution.compiled.stirring import first_due, next_due, next_stirred, of_row
from orderbook.execution.compiled.strategies import next_row_time
from orderbook.execution.compiled.taking import best_of
from orderbook.execution.market_rows import BOOK, SNAPSHOT

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
        lanes.note_next(x, number)


@inner
def _take_marks(x: Any) -> Any:
    """Let all lanes sample the marks so far; return why that ended."""
    market = x
    while market.lane < market.lanes:
        account = account_at(x, market.lane)
        market.needed = market.marks - account.marks_taken
        if market.keeps_samples and x.samples_at_room - market.samples < market.needed:
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
    market.lane = next_due(x, market.lane, time)
    while market.lane < market.lanes:
        why = lanes.advance(x, market.lane, time)
        if why != DONE:
            return why
        market.lane = next_due(x, market.lane + 1, time)
    market.lane = 0
    market.next_due = first_due(x)
    return DONE


@inner
def _see(x: Any, kind: int, is_book: bool) -> Any:
    """Show a row to the lanes that it may concern."""
    market = x
    row = of_row(x, kind, is_book)
    market.lane = next_stirred(x, market.lane, row)
    while market.lane < market.lanes:
        why = lanes.see(x, market.lane, kind, is_book)
        if why == LACKS_ROOM:
            return why
        market.lane = next_stirred(x, market.lane + 1, row)
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
    shown.finish(x)
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
def _look(x: Any) -> Any:
    """Take note of the book; return NEEDS_TICK if it may tell the tick."""
    shown.look(x)
    return DONE if x.has_steps or not (x.bid or x.ask) else NEEDS_TICK


@inner
def _go_to(x: Any, row: int) -> Any:
    """Do what is due before a row; return why that ended."""
    market = x
    why = _take_marks(x) if market.marks >= _MANY_MARKS else DONE
    if why != DONE:
        return why
    time = load(x.time_of, row)
    if market.begins == WITH_ROW and not market.has_begun:
        _begin(x, time)
    why = _advance(x, time) if market.has_begun else DONE
    if why == DONE:
        market.phase = APPLY
    return why


@inner
def _run_row(x: Any, row: int) -> Any:
    """Run a row, which the book has applied, from the phase in which it is; return why that ended."""
    market = x
    kind = load_byte(x.kind_of, row)
    is_book = kind == BOOK or kind == SNAPSHOT  # noqa: PLR1714  `in` makes a tuple
    if market.phase == APPLY:
        if is_book and market.begins == WITH_BOOK:
            return NEEDS_LANES
        why = shown.apply(x, row, kind, is_book)
        if why != DONE:
            return why
        market.phase = SEE
        if is_book and not market.has_steps and (market.bid or market.ask):
            return NEEDS_TICK
    why = _see(x, kind, is_book) if market.has_begun else DONE
    if why != DONE:
        return why
    market.phase = ADVANCE
    market.row += 1
    return DONE


@inner
def _run_rows(x: Any, applied: int) -> Any:
    """Run rows until one comes that the book has not applied; return why that ended."""
    market = x
    while market.row < market.rows:
        if market.phase == ADVANCE:
            why = _go_to(x, market.row)
            if why != DONE:
                return why
        if market.row == applied:
            return DONE
        why = _run_row(x, market.row)
        if why != DONE:
            return why
    return _take_marks(x)


@inlined
def run(address: int, applied: int) -> int:
    """Run rows, or do another `task`; return why it ended.

    Args:
        address: that of the memory, see `layout`.
        applied: how many rows of the batch the book has applied. What is due before the next one is done.
    """
    x = market_at(address, 0)
    task = x.task
    why: int = DONE
    if task == RUN_ROWS:
        why = _run_rows(x, applied)
        market = x
        market.ended = why
    elif task == END_TAPE:
        why = _finish(x)
    elif task == LOOK:
        why = _look(x)
    else:
        _tell(x)
    return why


def _entry(address: int, applied: int) -> int:
    why = RAISED
    try:
        why = run(address, applied)
    except Exception:  # noqa: BLE001  numba has no other; what leaves an entry is not seen
        why = RAISED
    return why


RUN: Final = Entry(_entry, 2)
