"""Words in plain Python: what a compiled strategy is shown, and the requests that it writes."""

from collections.abc import Sequence
from typing import Any, Final

from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import LARGEST_ORDER, MONEY_UNITS, NOT_ON_GRID, size_units
from orderbook.execution.orders import Kind
from orderbook.execution.own_orders import OwnOrder
from orderbook.execution.own_side import OwnSide
from orderbook.execution.words import (
    AMEND,
    AMENDING,
    CANCEL,
    CANCELLING,
    LIMIT,
    MARKET,
    MOST_REQUESTS,
    RESTING,
    SAME,
    SENT,
    WAKE,
    MarketWords,
    OrderWords,
    RequestWords,
)
from orderbook.venues.base import Side

SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
_STATES: Final = {"sent": SENT, "resting": RESTING, "amending": AMENDING, "cancelling": CANCELLING}
_LARGEST_TIME: Final = 2**62


def show_market(m: MarketView, words: MarketWords) -> None:
    """Write what a strategy sees at this moment."""
    shown, own = m.shown, m.own
    bid, bid_size, ask, ask_size = (word or 0 for word in shown.top)
    words.now, words.seq, words.why, words.is_known = m.now, shown.seq, int(m.why), int(shown.is_known)
    words.bid, words.bid_size, words.ask, words.ask_size = bid, bid_size, ask, ask_size
    words.spread = ask - bid if bid and ask else 0
    words.relative_spread = m.relative_spread
    words.tick, words.lot, words.position = shown.tick or 1, m.lot_units, own.position
    words.cash, words.cash_fraction = divmod(own.cash, MONEY_UNITS)
    words.fees, words.fees_fraction = divmod(own.fees, MONEY_UNITS)
    words.trades, words.traded_bid, words.traded_ask, words.last_price = len(m.trades), 0, 0, 0
    last = -1
    for trade in m.trades:
        if trade.maker_side == "bid":
            words.traded_bid += size_units(trade.size)
        else:
            words.traded_ask += size_units(trade.size)
        if trade.trade_id >= last:
            last, words.last_price = trade.trade_id, trade.price


def shown_orders(m: MarketView) -> list[OrderWords]:
    """Return the open orders that a strategy sees, oldest first."""
    return [_shown(each) for each in m.own.orders]


def _shown(order: OwnOrder) -> OrderWords:
    ahead = order.ahead_units
    return OrderWords(
        order.number,
        SIDES.index(order.side),
        order.price_units,
        order.left_units,
        _STATES[order.state],
        -1 if ahead is None else ahead,
        order.wanted.price,
        order.wanted.left,
    )


def send_requests(m: MarketView, count: Any, out: Sequence[RequestWords]) -> None:
    """Send the first requests of `out`, and clear them.

    Raises:
        ValueError: if one of them makes no sense; then none is sent.
    """
    fault = fault_of_count(count) or fault_of_requests(out[:count], m.own.sent)
    if fault:
        raise ValueError(fault)
    for request in out[:count]:
        _send(m, m.own, request)
        request.__init__()  # type: ignore[misc]  # the words of a request are 0 unless they are written


def fault_of_count(count: Any) -> str | None:
    """Return what is wrong with the number of requests that the function returned, None if nothing is."""
    try:
        count = count.__index__()
    except AttributeError:
        return f"it returned a {type(count).__name__}: return the number of requests"
    if not 0 <= count <= MOST_REQUESTS:
        return f"it returned {count:,} requests: at one moment it can send 0 to {MOST_REQUESTS}"
    return None


def fault_of_requests(requests: Sequence[RequestWords], sent: int) -> str | None:
    """Return what is wrong with requests, None if nothing is; `sent` orders were sent before."""
    for place, request in enumerate(requests):
        what, number = _word(request.what), _word(request.number)
        fault = None
        if what in {LIMIT, MARKET}:
            sent += 1
            if _word(request.side) not in {0, 1}:
                fault = f"side is {request.side}: write BID or ASK"
            elif _word(request.post_only) and _word(request.ioc):
                fault = "post_only and ioc exclude each other"
        elif what in {AMEND, CANCEL}:
            if not 0 < number <= sent:
                fault = f"there is no order {request.number}: the last one is {sent}"
        elif what != WAKE:
            fault = f"what is {request.what}: write LIMIT, MARKET, AMEND, CANCEL or WAKE"
        if fault:
            return f"request {place} of {len(requests)}: {fault}"
    return None


def _send(m: MarketView, own: OwnSide, request: RequestWords) -> None:
    what, price, size = _word(request.what), _word(request.price), _word(request.size)
    if what == WAKE:
        m.wake_at(max(-_LARGEST_TIME, min(_word(request.time), _LARGEST_TIME)))
    elif what == CANCEL:
        own.cancel(_word(request.number))
    elif what == AMEND:
        own.amend(
            _word(request.number),
            None if price == SAME else _on_grid(price),
            None if size == SAME else _on_grid(size),
        )
    else:
        kind: Kind = "market" if what == MARKET else "ioc" if _word(request.ioc) else "limit"
        own.send(
            SIDES[_word(request.side)],
            kind,
            0 if what == MARKET else _on_grid(price),
            _on_grid(size),
            post_only=bool(_word(request.post_only)),
        )


def _word(value: Any) -> int:
    """Return what a function has written as a whole number: 0 of one that is none, as of NaN."""
    try:
        return int(value)
    except (OverflowError, ValueError):
        return 0


def _on_grid(units: int) -> int:
    """Return a price or size, `NOT_ON_GRID` if no order can have it."""
    return units if 0 < units <= LARGEST_ORDER else NOT_ON_GRID
