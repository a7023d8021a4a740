"""Market making: quotes on both sides of the mid, which lean against what is held.

booktape backtest sample: -p ETH-USD --strategy booktape.examples.market_making:MarketMaker \
    --sweep half_spread=1bps,2bps,4bps --queue back,share,front --fees 0/5
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

import booktape as bt
from orderbook.thresholds import parse_threshold
from orderbook.venues.base import Side


class MarketMaker:
    """Keep one post-only order a side, a distance from the mid, moved by the inventory.

    While it holds nothing, both quotes are `half_spread` from the mid. With a full inventory both have moved
    by `skew` times that, so that the side that reduces it is the likelier to be filled. Moving an order costs
    its place in the queue, so an order that is at most `slack` ticks off is left where it is.

    Args:
        product: the product.
        half_spread: distance of a quote from the mid, a fraction of it.
        skew: by how many half spreads the quotes move if the inventory is full.
        size: of an order.
        limit: largest inventory, long or short.
        slack: by how many ticks a quote may be off before it is moved.
    """

    wakes: Final = bt.Wakes(top=True, fills=True)

    def __init__(
        self,
        product: str,  # noqa: ARG002  part of every strategy
        half_spread: str = "2bps",
        skew: str = "1",
        size: str = "0.05",
        limit: str = "0.2",
        slack: int = 1,
    ) -> None:
        self.half_spread = Decimal(str(parse_threshold(half_spread)))
        self.skew = Decimal(skew)
        self.size = Decimal(size)
        self.limit = Decimal(limit)
        self.slack = slack

    def on_event(self, m: bt.MarketView) -> None:
        """Move the quotes to where they belong."""
        if m.bid is None or m.ask is None or m.is_crossed:
            m.cancel_all()
            return
        mid = (m.bid + m.ask) / 2
        distance = mid * self.half_spread
        centre = mid - distance * self.skew * m.position / self.limit
        # Rounded away from the mid, and never through the other side.
        bid = min(_on_grid(centre - distance, m.tick, ROUND_FLOOR), m.ask - m.tick)
        ask = max(_on_grid(centre + distance, m.tick, ROUND_CEILING), m.bid + m.tick)
        self._quote(m, "bid", bid, wanted=m.position + self.size <= self.limit)
        self._quote(m, "ask", ask, wanted=m.position - self.size >= -self.limit)

    def _quote(self, m: bt.MarketView, side: Side, price: Decimal, *, wanted: bool) -> None:
        if not wanted:
            m.cancel_all(side)
            return
        standing = [order for order in m.orders if order.side == side and order.state != "cancelling"]
        is_near = len(standing) == 1 and abs(standing[0].price - price) <= self.slack * m.tick
        if not is_near:
            m.quote(side, price, self.size)


def _on_grid(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding) * tick
