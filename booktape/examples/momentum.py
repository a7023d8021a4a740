"""Momentum with taker orders: follow the side that takes more, and leave after a while.

booktape backtest sample: -p ETH-USD --strategy booktape.examples.momentum:Momentum \
    --sweep imbalance=0.5,0.8 --sweep hold=2s,5s --fees 0/5
"""

from collections import deque
from decimal import Decimal
from typing import Final

import booktape as bt
from orderbook.time_input import parse_duration
from orderbook.venues.base import Side


class Momentum:
    """Buy while buyers take much more than sellers, sell in the opposite case; close after `hold`.

    It takes with IOC limit orders at the touch, so it pays the taker fee and the spread, and never more than
    the touch. What is not there after the latency is not bought.

    Args:
        product: the product.
        window: over which trades are added up.
        imbalance: (bought - sold) / (bought + sold) of takers, above which it follows them.
        least: size that takers must have traded in the window.
        size: of an order, and of the position.
        hold: how long a position is held.
    """

    wakes: Final = bt.Wakes(trades=True, reports=True)

    def __init__(
        self,
        product: str,  # noqa: ARG002  part of every strategy
        window: str = "2s",
        imbalance: str = "0.7",
        least: str = "0.5",
        size: str = "0.05",
        hold: str = "5s",
    ) -> None:
        self.window = round(parse_duration(window) * 1e9)
        self.hold = round(parse_duration(hold) * 1e9)
        self.imbalance = Decimal(str(imbalance))
        self.least = Decimal(str(least))
        self.size = Decimal(str(size))
        self.flow: deque[tuple[int, Decimal]] = deque()  # time and size of trades, negative if sellers took
        self.leaves_at = 0

    def on_event(self, m: bt.MarketView) -> None:
        """Follow the flow, or leave."""
        for trade in m.trades:
            sign = 1 if trade.maker_side == "ask" else -1  # a buyer takes what is offered
            self.flow.append((m.now, sign * Decimal(trade.size)))
        while self.flow and self.flow[0][0] < m.now - self.window:
            self.flow.popleft()
        if m.orders or m.bid is None or m.ask is None:
            return  # wait for the report of what is under way
        if m.position and m.now >= self.leaves_at:
            self._take(m, "ask" if m.position > 0 else "bid", abs(m.position))
        elif not m.position:
            self._follow(m)

    def _follow(self, m: bt.MarketView) -> None:
        net = sum((size for _, size in self.flow), Decimal(0))
        total = sum((abs(size) for _, size in self.flow), Decimal(0))
        if total >= self.least and abs(net) > self.imbalance * total:
            self._take(m, "bid" if net > 0 else "ask", self.size)
            self.leaves_at = m.now + self.hold
            m.wake_at(self.leaves_at)  # a quiet market would not wake it

    def _take(self, m: bt.MarketView, side: Side, size: Decimal) -> None:
        assert m.bid is not None  # noqa: S101  on_event has looked
        assert m.ask is not None  # noqa: S101  on_event has looked
        if side == "bid":
            m.buy(m.ask, size, ioc=True)
        else:
            m.sell(m.bid, size, ioc=True)
