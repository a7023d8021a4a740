"""Strategies that the compiled exchange runs without Python: a table of orders, and quotes in numbers.

Each row of a table is a request at a time, decided before the tape is read.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from orderbook.errors import OptionError
from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import NumberLike, order_units
from orderbook.execution.orders import limit_kind
from orderbook.execution.wakes import Wakes
from orderbook.venues.base import Side

What = Literal["limit", "market", "amend", "cancel"]


class TableRow(NamedTuple):
    """A request: `name` is an order's own; amends and cancels name it.

    Attributes:
        time: when it is sent, ns since 1970: after all rows of the tape up to then.
        size: of an amend what is to be left.
    """

    time: int
    what: What
    name: str
    side: Side | None = None
    price: NumberLike | None = None
    size: NumberLike | None = None
    post_only: bool = False
    ioc: bool = False


class OrdersTable:
    """The strategy that sends the rows of a table.

    Raises:
        OptionError: if the rows are not sorted by time, or one of them cannot be sent.
    """

    def __init__(self, rows: Sequence[TableRow]) -> None:
        self._rows = rows
        self._sent = 0
        self._numbers: dict[str, int] = {}
        self.wakes: Final = Wakes()
        named: set[str] = set()
        for number, row in enumerate(rows):
            reason = _fault(row, rows[number - 1].time if number else row.time, named)
            if reason:
                raise OptionError(f"row {number} of the orders, {row.name!r}: {reason}", option="orders")
            named.add(row.name)

    @property
    def rows(self) -> Sequence[TableRow]:
        """The rows."""
        return self._rows

    @property
    def names(self) -> list[str]:
        """The names of the orders, by number: those of the rows that send one."""
        return [row.name for row in self._rows if row.what in {"limit", "market"}]

    @property
    def first_wake(self) -> int | None:
        """When the first row is sent."""
        return self._rows[0].time if self._rows else None

    def on_event(self, m: MarketView) -> None:
        """Send the rows that are due."""
        while self._sent < len(self._rows) and self._rows[self._sent].time <= m.now:
            self._send(m, self._rows[self._sent])
            self._sent += 1
        if self._sent < len(self._rows):
            m.wake_at(self._rows[self._sent].time)

    def send_rest(self, m: MarketView) -> None:
        """The tape ends: send what is left, so that the results say that it never arrived."""
        for row in self._rows[self._sent :]:
            self._send(m, row)
        self._sent = len(self._rows)

    def _send(self, m: MarketView, row: TableRow) -> None:
        price, size = row.price or 0, row.size or 0
        if row.what == "cancel":
            m.cancel(self._numbers[row.name])
        elif row.what == "amend":
            m.amend(self._numbers[row.name], row.price, row.size)
        elif row.what == "market":
            self._numbers[row.name] = m.market(
                row.side or "bid", size, post_only=row.post_only, name=row.name
            )
        else:
            send = m.buy if row.side == "bid" else m.sell
            self._numbers[row.name] = send(price, size, post_only=row.post_only, ioc=row.ioc, name=row.name)


def _fault(row: TableRow, time_before: int, named: set[str]) -> str | None:
    """Return why a row cannot be sent, None if it can."""
    if row.time < time_before:
        return "its time is before that of the row above; sort the rows by time"
    if row.what not in {"limit", "market", "amend", "cancel"}:
        return f"what is {row.what!r}; write limit, market, amend or cancel"
    if row.what not in {"amend", "cancel"}:
        return _fault_of_numbers(row) or _fault_of_new(row, named)
    return _fault_of_numbers(row) if row.name in named else "no order of this name is above it"


def _fault_of_numbers(row: TableRow) -> str | None:
    for column, value in (("price", row.price), ("size", row.size)):
        try:
            order_units(value or 0)
        except (TypeError, ValueError):
            return f"{column} is {value!r}, which is no number"
    return None


def _fault_of_new(row: TableRow, named: set[str]) -> str | None:
    if row.name in named:
        return "an order of this name is above it"
    if row.side not in {"bid", "ask"}:
        return f"side is {row.side!r}; write bid or ask"
    if row.size is None:
        return "it has no size"
    if row.what == "market":
        return None
    try:
        limit_kind(post_only=row.post_only, ioc=row.ioc)
    except ValueError as error:
        return str(error)
    return "it has no price" if row.price is None else None
