"""Market making as compiled code: the quotes of `market_making`, a hundred settings in one pass.

booktape backtest sample: -p ETH-USD --strategy booktape.examples.compiled_market_making:market_maker \
    --sweep half_spread=1bps,2bps,4bps --queue back,share,front --fees 0/5
"""

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import booktape as bt
from booktape.words import ASK, BID, CANCELLING, MarketWords, OrderWords, RequestWords, cancel_side, quote


@bt.compiled(
    wakes=bt.Wakes(top=True, fills=True),
    settings={
        "half_spread": bt.Setting("threshold", "2bps"),  # distance of a quote from the mid
        "skew": bt.Setting("float", "1"),  # by how many half spreads the quotes move if the inventory is full
        "size": bt.Setting("amount", "0.05"),
        "limit": bt.Setting("amount", "0.2"),  # largest inventory, long or short
        "slack": bt.Setting("int", 1),  # by how many ticks a quote may be off before it is moved
    },
)
def market_maker(
    m: MarketWords,
    orders: Sequence[OrderWords],
    params: Any,
    state: Any,  # noqa: ARG001  it keeps nothing
    out: Sequence[RequestWords],
) -> int:
    """Keep one post-only order a side, a distance from the mid, moved by the inventory."""
    if m.bid == 0 or m.ask == 0 or m.bid > m.ask:
        return cancel_side(out, cancel_side(out, 0, orders, BID), orders, ASK)
    mid = (m.bid + m.ask) / 2
    distance = mid * params.half_spread
    centre = mid - distance * params.skew * m.position / params.limit
    # Rounded away from the mid, and never through the other side.
    bid = min(floor((centre - distance) / m.tick) * m.tick, m.ask - m.tick)
    ask = max(ceil((centre + distance) / m.tick) * m.tick, m.bid + m.tick)
    count = 0
    if m.position + params.size > params.limit:
        count = cancel_side(out, count, orders, BID)
    elif not is_near(orders, BID, bid, params.slack * m.tick):
        count = quote(out, count, orders, BID, bid, params.size)
    if m.position - params.size < -params.limit:
        count = cancel_side(out, count, orders, ASK)
    elif not is_near(orders, ASK, ask, params.slack * m.tick):
        count = quote(out, count, orders, ASK, ask, params.size)
    return count


def is_near(orders: Sequence[OrderWords], side: int, price: int, slack: int) -> bool:
    """Tell whether a side has one order, and it stands where it should: moving it would cost its place."""
    standing = 0
    near = False
    for place in range(len(orders)):
        order = orders[place]
        if order.side == side and order.state != CANCELLING:
            standing += 1
            near = abs(order.price - price) <= slack
    return standing == 1 and near
