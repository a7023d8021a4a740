"""Our orders as the strategy knows them: by its requests, and by the reports that have come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from orderbook.execution.codes import Code
from orderbook.execution.events import Event
from orderbook.execution.numbers import units_to_decimal
from orderbook.execution.orders import Order
from orderbook.venues.base import Side

State = Literal["sent", "resting", "amending", "cancelling"]


@dataclass(slots=True)
class Wanted:
    """A price and what is left at it, in units."""

    price: int
    left: int


@dataclass(slots=True)
class OwnOrder:
    """An open order of a strategy, as reported so far.

    Attributes:
        number: from 1 a lane.
        side: bid or ask.
        price_units, left_units: in units of 1e-8.
        wanted: what it will be once the requests under way are done.
    """

    number: int
    side: Side
    price_units: int
    left_units: int
    wanted: Wanted
    _ahead: Callable[[], int | None]
    _rests: bool = False
    _amends: int = 0
    _cancels: int = 0

    @property
    def price(self) -> Decimal:
        """The limit price; 0 of a market order."""
        return units_to_decimal(self.price_units)

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return units_to_decimal(self.left_units)

    @property
    def state(self) -> State:
        """Which request is under way, if one is."""
        if self.is_leaving:
            return "cancelling"
        if not self._rests:
            return "sent"
        return "amending" if self._amends else "resting"

    @property
    def ahead(self) -> Decimal | None:
        """What is ahead of it by the lane's queue model; None if it does not rest."""
        ahead = self.ahead_units
        return None if ahead is None else units_to_decimal(ahead)

    @property
    def ahead_units(self) -> int | None:
        """The same in units of 1e-8."""
        return self._ahead()

    @property
    def is_leaving(self) -> bool:
        """Whether a cancel is on its way to it."""
        return self._cancels > 0

    def note_amend(self, wanted: Wanted) -> None:
        """An amend has been sent."""
        self.wanted = wanted
        self._amends += 1

    def note_cancel(self) -> None:
        """A cancel has been sent."""
        self._cancels += 1

    def hear(self, event: Event) -> None:
        """A report has come, but not of its end."""
        if event.code is Code.RESTING:
            self._rests = True
        elif event.code is Code.FILL:
            self.left_units -= event.size
        else:  # an amend was done or refused
            self._amends -= 1
            if event.code is Code.AMENDED:
                self.price_units, self.left_units = event.price, event.size
        if not self._amends:
            self.wanted = Wanted(self.price_units, self.left_units)


@dataclass(slots=True)
class OwnOrders:
    """The open orders of a strategy by number; an order is open from its request to the report of its end."""

    by_number: dict[int, OwnOrder] = field(default_factory=dict)

    def send(self, order: Order, ahead: Callable[[], int | None]) -> None:
        """Note a new order."""
        wanted = Wanted(order.price, order.size)
        self.by_number[order.number] = OwnOrder(
            order.number, order.side, order.price, order.size, wanted, ahead
        )

    def hear(self, event: Event) -> None:
        """Note a report."""
        if event.code.ends_order or event.code is Code.TOO_LATE:
            self.by_number.pop(event.number, None)
        elif event.number in self.by_number:  # a late fill is of an order that is over
            self.by_number[event.number].hear(event)

    def on_side(self, side: Side | None) -> list[OwnOrder]:
        """Return the orders of a side, or of both, that no cancel is on its way to, oldest first."""
        if not self.by_number:
            return []
        return [
            order
            for order in self.by_number.values()
            if not order.is_leaving and (side is None or order.side == side)
        ]
