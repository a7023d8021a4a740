"""Which lanes a row concerns, as `lanes.Lanes` tells it; each of the others costs one comparison.

A lane that is asked without a reason does nothing, so the rule may name too many lanes, never too few.
"""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled.addresses import load, load_float, store
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import NEVER, NO_ONE
from orderbook.execution.market_rows import BREAK, TRADES
from orderbook.execution.wakes import Why

TOP: Final = int(Why.TOP)
BOOK_CHANGED: Final = int(Why.BOOK)
TRADED: Final = int(Why.TRADES)
SPREAD: Final = int(Why.SPREAD)

# What a row may be beside what wakes strategies.
_OF_ORDERS: Final = 1 << 10
"""It may concern orders, or what is left of them."""
_OF_LEVELS: Final = 1 << 11
"""It may concern orders that rest, or what was taken of levels; orders that are over do not ask for books."""
_OF_ALL: Final = 1 << 12
"""It concerns every lane."""
_TOP_IF_WIDE: Final = 1 << 13
"""The top has changed, for a lane that is idle below a spread."""


@inner
def note(x: Any, number: int) -> None:
    """Note what of a row concerns a lane from now on."""
    lane = lane_at(x, number)
    stirs = lane.wakes | _OF_ALL
    if lane.can_idle and lane.own == 0:
        stirs = (stirs & ~TOP) | _TOP_IF_WIDE
    if lane.resting or lane.taken_first != NO_ONE:
        stirs |= _OF_ORDERS | _OF_LEVELS
    elif lane.late_count or lane.broken_first != NO_ONE or lane.untraded_first != NO_ONE:
        stirs |= _OF_ORDERS
    store(x.stirs, number, stirs)


@inlined
def may_have_orders(x: Any, number: int) -> Any:
    """Tell whether a lane may have orders, or what is left of them."""
    return load(x.stirs, number) & _OF_ORDERS


@inlined
def is_idle(x: Any, lane: Any, why: int) -> Any:
    """Tell whether nothing but the top wakes a lane that is idle, see `compiled_strategy.compiled`."""
    if why != TOP or lane.own or not lane.can_idle:
        return False
    return x.relative_spread <= load_float(x.idle_below, lane.number)


@inner
def of_row(x: Any, kind: int, is_book: bool) -> Any:
    """Return what a row may concern."""
    market = x
    if kind == TRADES:
        return _OF_ORDERS | TRADED if market.has_trades else _OF_ORDERS
    if not is_book and kind != BREAK:
        return 0
    stirs = _OF_ALL
    if is_book:
        stirs = BOOK_CHANGED | (_OF_LEVELS if market.was_known else _OF_ORDERS)
    return stirs | TOP | _TOP_IF_WIDE | SPREAD if market.top_changed else stirs


@inner
def next_stirred(x: Any, number: int, row: int) -> Any:
    """Return the first lane, from one on, that a row may concern, or of which a report is due by then."""
    lanes, now, spread = x.lanes, x.time, x.relative_spread
    due, stirs, idle_below = x.due, x.stirs, x.idle_below
    while number < lanes:
        found = load(stirs, number) & row
        if load(due, number) <= now or found & ~_TOP_IF_WIDE:
            break
        if found and not spread <= load_float(idle_below, number):
            break
        number += 1
    return number


@inner
def next_due(x: Any, number: int, before: int) -> Any:
    """Return the first lane, from one on, of which something is due before a time."""
    lanes, due = x.lanes, x.due
    while number < lanes and load(due, number) >= before:
        number += 1
    return number


@inner
def first_due(x: Any) -> Any:
    """Return when the next lane has something to do."""
    due, first = x.due, NEVER
    for number in range(x.lanes):
        first = min(first, load(due, number))
    return first
