"""The own side of a strategy in units: its orders, position and money as reported, and its requests."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from orderbook.execution.codes import SIGN, QueueModel
from orderbook.execution.events import Event
from orderbook.execution.orders import AmendRequest, CancelRequest, Kind, NewRequest, Order, Request
from orderbook.execution.own_orders import OwnOrder, OwnOrders, Wanted
from orderbook.venues.base import Side


class Desk(Protocol):
    """Where the requests of a strategy go: its lane."""

    def send(self, request: Request) -> None: ...  # noqa: D102

    def wake_at(self, time: int) -> None: ...  # noqa: D102

    def log(self, values: dict[str, Any]) -> None: ...  # noqa: D102

    def ahead_of(self, order: Order) -> int | None: ...  # noqa: D102


class OwnSide:
    """What a strategy has, as reported so far, and what it asks for. Prices and sizes in units of 1e-8.

    Args:
        desk: takes the requests.
        model: the queue model of the lane.
        now: returns the time of this moment, ns since 1970.

    Attributes:
        desk: as given.
        position: what is held, in units.
        cash, fees: money, in units of 1e-16.
        sent: number of orders so far.
    """

    def __init__(self, desk: Desk, model: QueueModel, now: Callable[[], int]) -> None:
        self.desk = desk
        self.position = self.cash = self.fees = self.sent = 0
        self._orders = OwnOrders()
        self._model: QueueModel = model
        self._now = now

    @property
    def orders(self) -> Iterable[OwnOrder]:
        """The open orders, oldest first."""
        return self._orders.by_number.values()

    def hear(self, reports: Sequence[Event]) -> None:
        """Take reports into account."""
        for event in reports:
            self._orders.hear(event)
            if event.fill is not None and event.side is not None:
                self.position += SIGN[event.side] * event.size
                self.cash -= SIGN[event.side] * event.fill.value + event.fill.fee
                self.fees += event.fill.fee

    def send(
        self, side: Side, kind: Kind, price: int, size: int, *, post_only: bool, name: str | None = None
    ) -> int:
        """Send a new order; return its number."""
        self.sent += 1
        order = Order(self.sent, name, side, kind, post_only, price, size, self._model, self._now())
        self._orders.send(order, lambda: self.desk.ahead_of(order))
        self.desk.send(NewRequest(order))
        return order.number

    def amend(self, number: int, price: int | None, left: int | None) -> None:
        """Change the price of an order, or what is left of it; None leaves it as it is."""
        own = self._orders.by_number.get(number)
        if own is not None:
            wanted = own.wanted
            own.note_amend(
                Wanted(wanted.price if price is None else price, wanted.left if left is None else left)
            )
        self.desk.send(AmendRequest(number, price, left))

    def cancel(self, number: int) -> None:
        """Cancel an order."""
        own = self._orders.by_number.get(number)
        if own is not None:
            own.note_cancel()
        self.desk.send(CancelRequest(number))

    def standing(self, side: Side | None) -> list[OwnOrder]:
        """Return the open orders of a side, or of both, that no cancel is on its way to, oldest first."""
        return self._orders.on_side(side)
