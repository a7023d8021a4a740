"""What a strategy sees and can do: `m` of `on_event(m)`. It shows rows up to now, and nothing later.

Prices and sizes are exact Decimals. What is its own (orders, position, cash, fees) is as reported so far.
"""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from orderbook.events import Trade
from orderbook.execution.codes import SIGN, QueueModel
from orderbook.execution.events import Event
from orderbook.execution.market import Touch
from orderbook.execution.numbers import NumberLike, money_to_decimal, order_units, units_to_decimal
from orderbook.execution.orders import Kind, limit_kind
from orderbook.execution.own_orders import OwnOrder
from orderbook.execution.own_side import Desk, OwnSide
from orderbook.execution.wakes import Why
from orderbook.venues.base import Side

OrderLike: TypeAlias = OwnOrder | int
"""An open order, or the number of one."""


class SeenMarket(Protocol):
    """What of `Market` a strategy sees."""

    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def is_known(self) -> bool: ...  # noqa: D102
    @property
    def is_crossed(self) -> bool: ...  # noqa: D102
    @property
    def touch(self) -> Touch: ...  # noqa: D102
    @property
    def relative_spread(self) -> float | None: ...  # noqa: D102
    @property
    def tick(self) -> int | None: ...  # noqa: D102
    @property
    def top(self) -> tuple[int | None, ...]: ...  # noqa: D102
    def size_at(self, side: Side, price: int) -> int: ...  # noqa: D102
    def levels(self, side: Side, depth: int | None = None) -> Iterator[tuple[int, int]]: ...  # noqa: D102


class MarketView:
    """The market and the own side of one lane.

    Attributes:
        now: time of this moment, ns since 1970.
        why: what woke the strategy.
        trades: the trades of this moment.
        reports: the events of the own orders that were reported at this moment.
        shown, own, lot_units: the same in units of 1e-8: the market, the own side and the smallest step of
            sizes.
    """

    def __init__(self, market: SeenMarket, desk: Desk, lot: int, model: QueueModel) -> None:
        self.shown = market
        self.own = OwnSide(desk, model, lambda: self.now)
        self.lot_units = lot
        self.now = 0
        self.why = Why(0)
        self.trades: Sequence[Trade] = ()
        self.reports: Sequence[Event] = ()

    def hold(self, cash: int, position: int) -> None:
        """Start with cash and a position."""
        self.own.cash, self.own.position = cash, position

    def hear(self, reports: Sequence[Event]) -> None:
        """Take reports into account."""
        self.own.hear(reports)

    # The market

    @property
    def seq(self) -> int:
        """Number of the last row."""
        return self.shown.seq

    @property
    def is_known(self) -> bool:
        """Whether a book is known."""
        return self.shown.is_known

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is above the best ask, a fault of the feed."""
        return self.shown.is_crossed

    @property
    def bid(self) -> Decimal | None:
        """The best bid, None if there is none."""
        return _decimal(self.shown.touch.bid)

    @property
    def ask(self) -> Decimal | None:
        """The best ask, None if there is none."""
        return _decimal(self.shown.touch.ask)

    @property
    def bid_size(self) -> Decimal | None:
        """The size at the best bid."""
        return _decimal(self.shown.top[1])

    @property
    def ask_size(self) -> Decimal | None:
        """The size at the best ask."""
        return _decimal(self.shown.top[3])

    @property
    def spread(self) -> Decimal | None:
        """Best ask minus best bid, None if a side is empty."""
        bid, ask = self.shown.touch
        return None if bid is None or ask is None else units_to_decimal(ask - bid)

    @property
    def relative_spread(self) -> float:
        """The spread as a fraction of the ask; NaN, which is neither above nor below anything, if unknown."""
        spread = self.shown.relative_spread
        return math.nan if spread is None else spread

    @property
    def tick(self) -> Decimal:
        """The smallest step of prices."""
        return units_to_decimal(self.shown.tick or 1)

    @property
    def lot(self) -> Decimal:
        """The smallest step of sizes."""
        return units_to_decimal(self.lot_units)

    def depth(self, levels: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Return the best bids and asks as (price, size), best first."""
        bids, asks = (
            [(units_to_decimal(price), units_to_decimal(size)) for price, size in self.shown.levels(*what)]
            for what in (("bid", levels), ("ask", levels))
        )
        return bids, asks

    def size_at(self, side: Side, price: NumberLike) -> Decimal:
        """Return the size of a level, 0 if there is none."""
        return units_to_decimal(self.shown.size_at(_check_side(side), order_units(price)))

    # The own side

    @property
    def orders(self) -> list[OwnOrder]:
        """The open orders, oldest first."""
        return list(self.own.orders)

    @property
    def position(self) -> Decimal:
        """What is held, negative if it is short."""
        return units_to_decimal(self.own.position)

    @property
    def cash(self) -> Decimal:
        """Money, from 0 or from the cash of the settings."""
        return money_to_decimal(self.own.cash)

    @property
    def fees(self) -> Decimal:
        """Sum of the fees, rebates taken off."""
        return money_to_decimal(self.own.fees)

    # Requests

    def buy(
        self,
        price: NumberLike,
        size: NumberLike,
        *,
        post_only: bool = False,
        ioc: bool = False,
        name: str | None = None,
    ) -> int:
        """Send a limit order to buy; return its number."""
        return self._limit("bid", price, size, post_only=post_only, ioc=ioc, name=name)

    def sell(
        self,
        price: NumberLike,
        size: NumberLike,
        *,
        post_only: bool = False,
        ioc: bool = False,
        name: str | None = None,
    ) -> int:
        """Send a limit order to sell; return its number."""
        return self._limit("ask", price, size, post_only=post_only, ioc=ioc, name=name)

    def market(
        self, side: Side, size: NumberLike, *, post_only: bool = False, name: str | None = None
    ) -> int:
        """Send a market order, `bid` buys and `ask` sells; return its number. It is refused if post-only."""
        return self._new(side, "market", 0, size, post_only=post_only, name=name)

    def amend(
        self, order: OrderLike, price: NumberLike | None = None, left: NumberLike | None = None
    ) -> None:
        """Change the price of an order, or what is left of it; the rest stays as it is."""
        number = self._number(order)
        price_units = None if price is None else order_units(price)
        self.own.amend(number, price_units, None if left is None else order_units(left))

    def cancel(self, order: OrderLike) -> None:
        """Cancel an order."""
        self.own.cancel(self._number(order))

    def cancel_all(self, side: Side | None = None) -> None:
        """Cancel all open orders, or those of a side; not those that a cancel is already on its way to."""
        for own in self.own.standing(None if side is None else _check_side(side)):
            self.cancel(own)

    def quote(self, side: Side, price: NumberLike, size: NumberLike) -> None:
        """Keep one post-only order on a side: send, amend or do nothing, so that it stands at this price.

        An order at the price with no more left than the size keeps its place. Other orders of the side are
        cancelled.
        """
        standing = self.own.standing(_check_side(side))
        for other in standing[:-1]:
            self.cancel(other)
        if not standing:
            self._new(side, "limit", order_units(price), size, post_only=True)
            return
        wanted = standing[-1].wanted
        if wanted.price != order_units(price) or wanted.left > order_units(size):
            self.amend(standing[-1], price, size)

    def wake_at(self, time: int) -> None:
        """Wake this strategy at a time; one that has passed is now, after all rows of this time."""
        self.own.desk.wake_at(time)

    def log(self, **values: Any) -> None:
        """Write a row of RUN/log."""
        self.own.desk.log(values)

    def _limit(
        self, side: Side, price: NumberLike, size: NumberLike, *, post_only: bool, ioc: bool, name: str | None
    ) -> int:
        kind = limit_kind(post_only=post_only, ioc=ioc)
        return self._new(side, kind, order_units(price), size, post_only=post_only, name=name)

    def _new(
        self,
        side: Side,
        kind: Kind,
        price: int,
        size: NumberLike,
        *,
        post_only: bool = False,
        name: str | None = None,
    ) -> int:
        units = order_units(size)
        _check_side(side)
        if name is not None:
            _check_name(name)
        return self.own.send(side, kind, price, units, post_only=post_only, name=name)

    def _number(self, order: OrderLike) -> int:
        number = order if isinstance(order, int) else order.number
        if not 0 < number <= self.own.sent:
            raise ValueError(f"there is no order {number}: the last one is {self.own.sent}")
        return number


def _decimal(units: int | None) -> Decimal | None:
    return None if units is None else units_to_decimal(units)


def _check_side(side: Side) -> Side:
    if side not in SIGN:
        raise ValueError(f"{side!r} is no side: give 'bid' or 'ask'")
    return side


def _check_name(name: str) -> None:
    """Refuse a name that no file could hold."""
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no name of an order: give a str")
    name.encode()
