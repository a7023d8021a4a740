"""Compiled strategies for tests: what they do depends on every word that they see."""

from collections.abc import Sequence
from typing import Any, Final

from booktape.words import (
    AMEND,
    ASK,
    BID,
    LIMIT,
    MARKET,
    SAME,
    MarketWords,
    OrderWords,
    RequestWords,
    amend,
    cancel,
    cancel_side,
    limit,
    market,
    quote,
    wake_at,
)
from orderbook.execution.compiled_strategy import CompiledStrategy, compiled
from orderbook.execution.params import Setting, State
from orderbook.execution.wakes import Wakes

PRIME: Final = 2_147_483_647
TICK: Final = 1_000_000


def mixed(seed: int, word: int) -> int:
    """Return another number for every word; it stays far below 64 bits."""
    return (seed * 48_271 + word % PRIME) % PRIME


def seen(seed: int, m: MarketWords, orders: Sequence[OrderWords]) -> int:
    """Return a number that every word changes."""
    for word in (m.now, m.seq, m.why, m.is_known, m.bid, m.bid_size, m.ask, m.ask_size, m.spread, m.tick):
        seed = mixed(seed, word)
    for word in (m.lot, m.position, m.cash, m.cash_fraction, m.fees, m.fees_fraction, m.trades):
        seed = mixed(seed, word)
    for word in (m.traded_bid, m.traded_ask, m.last_price):
        seed = mixed(seed, word)
    if m.relative_spread >= 0:
        seed = mixed(seed, int(m.relative_spread * 1e15))
    for place in range(len(orders)):
        order = orders[place]
        for word in (order.number, order.side, order.price, order.left, order.state, order.ahead):
            seed = mixed(seed, word)
        seed = mixed(seed, order.wanted_price + order.wanted_left)
    return seed


def ask_for_anything(  # noqa: C901  of every kind one
    m: MarketWords, orders: Sequence[OrderWords], params: Any, state: Any, out: Sequence[RequestWords]
) -> int:
    """Send up to four requests of any kind, drawn from all that it sees."""
    state.seed = seen(state.seed + params.seed, m, orders)
    state.woken[state.seed % 4] += 1
    count = 0
    for _ in range(state.seed % 5):
        state.seed = mixed(state.seed, state.woken[0])
        draw, side = state.seed // 64, state.seed % 2
        price = (m.bid if side == BID else m.ask) + (draw % 5 - 2) * TICK
        size = 1 + draw % 1_000 * 1_000_000 * (draw % 3)
        kind = state.seed % 11
        if kind == 0:
            count = market(out, count, side, size)
        elif kind == 1:
            count = limit(out, count, side, price, size, 1)
        elif kind == 2:
            count = limit(out, count, side, price, size, 0, 1)
        elif kind <= 4:
            count = limit(out, count, side, price, size)
        elif kind == 5:
            count = quote(out, count, orders, side, price, size)
        elif kind == 6:
            count = cancel_side(out, count, orders, ASK)
        elif kind == 7:
            count = wake_at(out, count, m.now + (draw % 4 - 1) * 50_000_000)
        elif len(orders) > 0:
            number = orders[draw % len(orders)].number
            if kind == 8:
                count = cancel(out, count, number)
            else:
                count = amend(out, count, number, price if draw % 3 else SAME, size if draw % 2 else SAME)
    return count


def curious(wakes: Wakes, *, can_idle: bool = False) -> CompiledStrategy:
    """Return the strategy that looks at everything and asks for anything, if it is called."""
    settings = {"seed": Setting("int", 1), "idle_below": Setting("threshold", "0bps")}
    state: State = {"seed": 1, "woken": [0] * 4}
    return compiled(wakes, settings, state, "idle_below" if can_idle else None)(ask_for_anything)


def nonsense(
    m: MarketWords, orders: Sequence[OrderWords], params: Any, state: Any, out: Sequence[RequestWords]
) -> int:
    """Send numbers that no order can have: each is refused, nothing else."""
    worst = (float("nan"), float("inf"), -1.0, 1e30, 0.5, 0.0)
    for place in range(len(worst)):
        out[place].what, out[place].side = LIMIT, BID
        out[place].price, out[place].size = worst[place] * params.scale, 1
        out[6 + place].what, out[6 + place].side = MARKET, ASK
        out[6 + place].size = worst[place] * params.scale
    out[12].what, out[12].number, out[12].price, out[12].size = AMEND, 1, -7, SAME
    state.calls += 1
    return 13 if state.calls == 1 and len(orders) == 0 and m.bid > 0 else 0
