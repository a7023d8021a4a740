"""Wakes of strategies in Python, which the kernel calls by an address, see `lanes.CompiledLanes`.

To return to Python for a wake and to come back through the engine's kernel would cost several times the wake.
"""

from typing import Any

from orderbook.compiled.jit import call, inner
from orderbook.execution.compiled.addresses import event_ref, load
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import DONE, FAILED, NEW, NO_ONE, REQUEST, WAKE_AT
from orderbook.execution.compiled.pool import free_report
from orderbook.execution.compiled.requests import send, send_order, wake_at


@inner
def wake_python(x: Any, number: int, why: int, heard_before: int) -> Any:
    """Wake the strategy of a lane, and send what it asks for; return FAILED if it raises."""
    market = x
    market.woken, market.why, market.heard_before = number, why, heard_before
    if call(market.wake, (number,)):
        return FAILED
    for request in range(market.inbox):
        _send(x, number, REQUEST * request)
    market.inbox = 0
    lane = lane_at(x, number)
    while lane.heard_first != NO_ONE:
        report = lane.heard_first
        lane.heard_first = event_ref(x.reports, report).next
        free_report(x, report)
    lane.heard = 0
    return DONE


@inner
def _send(x: Any, number: int, at: int) -> None:
    """Send the request that begins at a word of the inbox."""
    what, target = load(x.inbox_at, at), load(x.inbox_at, at + 1)
    price, size = load(x.inbox_at, at + 4), load(x.inbox_at, at + 5)
    if what == NEW:
        kind, post_only = load(x.inbox_at, at + 2), load(x.inbox_at, at + 3)
        send_order(x, number, target, kind, post_only, price, size)
    elif what == WAKE_AT:
        wake_at(x, number, price)
    else:
        send(x, number, what, target, price, size)
