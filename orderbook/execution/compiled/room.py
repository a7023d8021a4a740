"""Whether there is room for what may happen next; Python makes more before it does."""

from typing import Any

from orderbook.compiled.jit import inner
from orderbook.execution.compiled import requests
from orderbook.execution.compiled.addresses import load
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.exchange import resting_number
from orderbook.execution.compiled.layout import AMEND, MARKET_ORDER, MOST_RESTING, NEW, NO_ONE
from orderbook.execution.compiled.pool import order_at
from orderbook.execution.compiled.taking import best_of, levels_within, market_limit


@inner
def lacks_room(x: Any, number: int, times: int, levels: int) -> Any:
    """Tell whether there may be too little room if so many things happen to each order of a lane.

    What is taken from `levels` levels needs room as well.
    """
    market, lane = x, lane_at(x, number)
    orders = lane.resting + lane.late_count
    needed = 2 * ((times + 2) * orders + levels + 8) + market.prints
    room = min(x.fills_at_room - market.fills, x.done_at_room - market.done)
    room = min(room, market.free_nodes, market.free_reports)
    if market.keeps_samples:
        room = min(room, x.samples_at_room - market.samples - market.marks)
    if market.keeps_rested:
        room = min(room, x.rested_at_room - market.rested)
    market.needed = needed
    return room < needed or market.free_orders < 8 or x.met_room < orders


@inner
def levels_of_arrival(x: Any, lane: Any, most: int) -> Any:
    """Return how many levels the next request may take from."""
    what, target, price = requests.peek_arrival(x, lane)
    if what == NEW:
        order = order_at(x, target)
        best = best_of(x, 1 - order.side)
        if order.kind == MARKET_ORDER:
            limit = market_limit(order.side, best, x.collar)
            return levels_within(x, order.side, limit, most)
        return levels_within(x, order.side, order.price, most)
    if what == AMEND:
        found = resting_number(x, lane.number, target)
        if found != NO_ONE and price > 0:
            return levels_within(x, order_at(x, found).side, price, most)
    return 0


@inner
def levels_of_book(x: Any, number: int) -> Any:
    """Return how many levels may be taken from if the other side has reached resting orders."""
    market, lane = x, lane_at(x, number)
    bid = ask = 0
    first = MOST_RESTING * number
    for place in range(first, first + lane.resting):
        order = order_at(x, load(x.resting, place))
        if order.side == 0:
            bid = max(bid, order.price)
        elif ask == 0 or order.price < ask:
            ask = order.price
    levels = 0
    if bid and market.ask and market.ask <= bid:
        levels += levels_within(x, 0, bid, x.fills_at_room)
    if ask and market.bid and market.bid >= ask:
        levels += levels_within(x, 1, ask, x.fills_at_room)
    return levels * max(lane.resting, 1) if lane.forgets else levels
