"""Why an order is refused as it arrives: `arrivals.Gate` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inner
from orderbook.execution.arrivals import MOST_OPEN
from orderbook.execution.codes import Code
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.account import account_at
from orderbook.execution.compiled.addresses import load
from orderbook.execution.compiled.events import lane_at, left_of
from orderbook.execution.compiled.layout import LIMIT, MARKET_ORDER, MOST_RESTING
from orderbook.execution.compiled.pool import order_at
from orderbook.execution.compiled.taking import best_of, market_limit, reaches, sign_of, walk
from orderbook.execution.numbers import MILLION

_NO_BOOK: Final = int(Code.NO_BOOK)
_INCREMENT: Final = int(Code.INCREMENT)
_MIN_FUNDS: Final = int(Code.MIN_FUNDS)
_BAND: Final = int(Code.BAND)
_SELF_TRADE: Final = int(Code.SELF_TRADE)
_POST_ONLY: Final = int(Code.POST_ONLY)
_CROSSED: Final = int(Code.CROSSED)
_FUNDS: Final = int(Code.FUNDS)
_TOO_MANY: Final = int(Code.TOO_MANY)


@inner
def judge(x: Any, number: int, order: Any, price: int, size: int, but: int) -> Any:
    """Return why an order of a price and size is refused, 0 if it is not, and how far it takes.

    The resting order `but` does not count, as it is to be amended.
    """
    market = x
    best = best_of(x, 1 - order.side)
    limit = price
    if order.kind == MARKET_ORDER and best:
        limit = market_limit(order.side, best, market.collar)
    refusal = _early_refusal(x, order, price, size, best)
    if not refusal:
        refusal = _late_refusal(x, number, order, price, size, limit, but)
    return refusal, limit


@inner
def _early_refusal(x: Any, order: Any, price: int, size: int, best: int) -> Any:
    """Return why an order is refused whatever it takes."""
    market = x
    is_market = order.kind == MARKET_ORDER
    if not market.is_known or (order.kind != LIMIT and not best):
        return _NO_BOOK
    if not is_market and (price <= 0 or price % max(market.tick, 1) != 0):
        return _INCREMENT
    if size <= 0 or size % market.lot != 0:
        return _INCREMENT
    high, low = wide.product(best if is_market else price, size)
    if wide.is_less(high, low, market.min_funds_high, market.min_funds_low):
        return _MIN_FUNDS
    if market.band >= 0 and best and not is_market:
        beyond = sign_of(order.side) * (price - best)
        if beyond > 0:
            high, low = wide.product(best, market.band)
            beyond_high, beyond_low = wide.product(beyond, MILLION)
            if wide.is_less(high, low, beyond_high, beyond_low):
                return _BAND
    return 0


@inner
def _late_refusal(x: Any, number: int, order: Any, price: int, size: int, limit: int, but: int) -> Any:  # noqa: PLR0917
    """Return why an order is refused for what it would take, or for the orders that rest already."""
    market, lane = x, lane_at(x, number)
    takes, value_high, value_low = walk(x, lane, order.side, limit, size)
    others = 0
    first = MOST_RESTING * number
    for place in range(first, first + lane.resting):
        other_number = load(x.resting, place)
        other = order_at(x, other_number)
        if other_number != but:
            others += 1
            if other.side != order.side and reaches(other.side, other.price, limit):
                return _SELF_TRADE
    if takes and order.post_only:
        return _POST_ONLY
    if takes and market.bid and market.ask and market.bid > market.ask:
        return _CROSSED
    if order.kind != MARKET_ORDER:
        value_high, value_low = wide.product(price, size)
    if not _has_funds(x, number, order, size, value_high, value_low, but):
        return _FUNDS
    return _TOO_MANY if others >= MOST_OPEN else 0


@inner
def _has_funds(x: Any, number: int, order: Any, size: int, value_high: int, value_low: int, but: int) -> Any:  # noqa: PLR0917
    """Tell whether cash or base suffices, with what the resting orders hold taken off."""
    lane, account = lane_at(x, number), account_at(x, number)
    if (order.side == 0 and not lane.limits_cash) or (order.side == 1 and not lane.limits_base):
        return True
    rate = max(lane.maker, lane.taker, 0)
    held = 0
    free_high, free_low = account.cash_high, account.cash_low
    first = MOST_RESTING * number
    for place in range(first, first + lane.resting):
        other_number = load(x.resting, place)
        other = order_at(x, other_number)
        if other_number != but and other.side == order.side:
            held += left_of(lane, other)
            high, low = wide.product(other.price, left_of(lane, other))
            high, low = _cost(high, low, rate)
            high, low = wide.negative(high, low)
            free_high, free_low = wide.add(free_high, free_low, high, low)
    if order.side == 1:
        return bool(account.position - held >= size)
    cost_high, cost_low = _cost(value_high, value_low, rate)
    return not wide.is_less(free_high, free_low, cost_high, cost_low)


@inner
def _cost(high: int, low: int, rate: int) -> Any:
    """Return what a purchase costs at most."""
    fee_high, fee_low = wide.fee_of(high, low, rate)
    return wide.add(high, low, fee_high, fee_low)
