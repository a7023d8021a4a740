"""Calls of compiled strategies, by the address of their functions, see `functions`.

A function is given what `compiled_strategy.CompiledTrader` gives to the same function in Python, and what it
asks for is sent as there.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import call, inlined, inner
from orderbook.execution import words
from orderbook.execution.compiled.addresses import load, load_byte, load_int, own_ref, request_ref, shown_ref
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import (
    AMEND,
    CANCEL,
    DONE,
    FAILED,
    IOC,
    LIMIT,
    MARKET_ORDER,
    NO_ONE,
    SAME,
    SEE,
    UNKNOWN,
)
from orderbook.execution.compiled.places import settle_old
from orderbook.execution.compiled.pool import order_at
from orderbook.execution.compiled.requests import send, send_order, wake_at
from orderbook.execution.market_rows import TRADES
from orderbook.execution.numbers import LARGEST_ORDER, NOT_ON_GRID

_0: Final[Any] = np.uint64(0)
_TRADE: Final = 6
"""Words of a trade."""
_LARGEST_TIME: Final = 2**62


@inlined
def lacks_room_to_call(x: Any, lane: Any) -> Any:
    """Tell whether there may be too little room for a call and for what it asks for."""
    market = x
    if (
        market.free_orders >= words.MOST_REQUESTS + 8
        and market.free_nodes >= words.MOST_REQUESTS + 8
        and x.own_at_room >= lane.own
    ):
        return False
    market.needed = words.MOST_REQUESTS + 8
    return True


@inner
def call_strategy(x: Any, number: int, why: int) -> Any:
    """Call the strategy of a lane and send what it asks for; FAILED if that makes no sense, see `Callee`."""
    market, lane = x, lane_at(x, number)
    _show_market(x, number, why)
    orders = _show_orders(x, number)
    asked = call(lane.function, (x.shown_at, x.own_at, orders, lane.params, lane.state, lane.out))
    if asked < 0 or asked > words.MOST_REQUESTS or not _make_sense(lane, asked):
        market.woken, market.answer = number, asked
        return FAILED
    for request in range(asked):
        _send(x, number, request)
    return DONE


@inner
def _show_market(x: Any, number: int, why: int) -> None:
    """Write what the strategy sees, see `plain_words.show_market`."""
    market, lane, shown = x, lane_at(x, number), shown_ref(x.shown_at, 0)
    shown.now, shown.seq, shown.why, shown.is_known = lane.now, market.seq, why, market.is_known
    shown.bid, shown.bid_size, shown.ask, shown.ask_size = (
        market.bid,
        market.bid_size,
        market.ask,
        market.ask_size,
    )
    shown.spread = market.ask - market.bid if market.bid and market.ask else 0
    shown.relative_spread = market.relative_spread
    shown.tick, shown.lot, shown.position = max(market.tick, 1), market.lot, lane.known_position
    shown.cash, shown.cash_fraction = lane.cash_whole, lane.cash_fraction
    shown.fees, shown.fees_fraction = lane.fees_whole, lane.fees_fraction
    shown.trades = shown.traded_bid = shown.traded_ask = shown.last_price = 0
    if market.phase == SEE and load_byte(x.kind_of, market.row) == TRADES and market.has_trades:
        last = -1
        for trade in range(load_int(x.first_trade, market.row), load_int(x.first_trade, market.row + 1)):
            at = _TRADE * trade
            if load(x.trades, at + 5):
                continue
            shown.trades += 1
            if load(x.trades, at + 2) == 0:
                shown.traded_bid += load(x.trades, at + 4)
            else:
                shown.traded_ask += load(x.trades, at + 4)
            if load(x.trades, at) >= last:
                last, shown.last_price = load(x.trades, at), load(x.trades, at + 3)


@inner
def _show_orders(x: Any, number: int) -> Any:
    """Write the open orders that the strategy sees; return their number."""
    lane = lane_at(x, number)
    count, own = 0, lane.own_first
    while own != NO_ONE:
        order, shown = order_at(x, own), own_ref(x.own_at, count)
        shown.number, shown.side, shown.price, shown.left = (
            order.number,
            order.side,
            order.own_price,
            order.own_left,
        )
        shown.wanted_price, shown.wanted_left = order.wanted_price, order.wanted_left
        if order.cancelling:
            shown.state = words.CANCELLING
        elif not order.rests:
            shown.state = words.SENT
        else:
            shown.state = words.AMENDING if order.amending else words.RESTING
        shown.ahead = -1
        if order.has_place and order.ended == UNKNOWN:
            settle_old(x, order, lane.now)
            shown.ahead = order.back if lane.queue == 0 else order.share if lane.queue == 1 else 0
        count += 1
        own = order.own_next
    return count


@inner
def _make_sense(lane: Any, asked: int) -> Any:
    """Tell whether requests can be sent, see `plain_words.fault_of_requests`, which says why not."""
    sent = lane.sent
    for place in range(asked):
        request = request_ref(lane.out, place)
        what = request.what
        if what in (words.LIMIT, words.MARKET):
            sent += 1
            if request.side < 0 or request.side > 1 or (request.post_only and request.ioc):
                return False
        elif what in (words.AMEND, words.CANCEL):
            if request.number <= 0 or request.number > sent:
                return False
        elif what != words.WAKE:
            return False
    return True


@inlined
def _on_grid(units: int) -> Any:
    """Return a price or size, NOT_ON_GRID if no order can have it."""
    return units if 0 < units <= LARGEST_ORDER else NOT_ON_GRID


@inlined
def _found(x: Any, lane: Any, wanted: int) -> Any:
    """Return the open order of a number, NO_ONE if it is over."""
    own = lane.own_first
    while own != NO_ONE and order_at(x, own).number != wanted:
        own = order_at(x, own).own_next
    return own


@inner
def _send(x: Any, number: int, place: int) -> None:
    """Send a request of a strategy, and clear it."""
    lane = lane_at(x, number)
    request = request_ref(lane.out, place)
    what, target = request.what, request.number
    price, size = _on_grid(request.price), _on_grid(request.size)
    if what == words.WAKE:
        wake_at(x, number, max(-_LARGEST_TIME, min(request.time, _LARGEST_TIME)))
    elif what == words.CANCEL:
        own = _found(x, lane, target)
        if own != NO_ONE:
            order_at(x, own).cancelling += 1
        send(x, number, CANCEL, target, SAME, SAME)
    elif what == words.AMEND:
        price = SAME if request.price == words.SAME else price
        size = SAME if request.size == words.SAME else size
        own = _found(x, lane, target)
        if own != NO_ONE:
            order = order_at(x, own)
            order.amending += 1
            if price != SAME:
                order.wanted_price = price
            if size != SAME:
                order.wanted_left = size
        send(x, number, AMEND, target, price, size)
    else:
        kind = MARKET_ORDER if what == words.MARKET else IOC if request.ioc else LIMIT
        price = 0 if what == words.MARKET else price
        send_order(x, number, request.side, kind, 1 if request.post_only else 0, price, size)
    request.what = request.side = request.number = request.price = request.size = 0
    request.post_only = request.ioc = request.time = 0
