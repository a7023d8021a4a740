"""The rows of a lane's results, as exact values: orders, fills, samples of equity, log."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from orderbook.execution.account import Account
from orderbook.execution.codes import SIGN
from orderbook.execution.events import Fill
from orderbook.execution.market import Touch
from orderbook.execution.orders import Order
from orderbook.execution.resting import RestingRows
from orderbook.venues.base import Side

SampleWhy = Literal["grid", "fill", "break", "end"]


@dataclass(slots=True)
class FillRow:
    """A row of RUN/fills; prices and sizes in units of 1e-8.

    Attributes:
        fill: from 0 a lane.
        mid_twice: twice the mid at the fill, None if a side is empty.
        later_mids: twice the mid after each horizon that has passed, None of one that is not known.
    """

    fill: int
    number: int
    time: int
    side: Side
    price: int
    size: int
    how: Fill
    mid_twice: int | None
    later_mids: list[int | None] = field(default_factory=list)

    def markout_bps(self, mid_twice: int | None) -> float | None:
        """Return by how much a mid is better for us than the price of the fill; the nearest float."""
        if mid_twice is None:
            return None
        return SIGN[self.side] * (mid_twice - 2 * self.price) * 10_000 / (2 * self.price)


class Sample(NamedTuple):
    """A row of RUN/equity: prices and position in units of 1e-8, money in units of 1e-16."""

    time: int
    connection: int
    why: SampleWhy
    bid: int | None
    ask: int | None
    position: int
    cash: int
    fees: int
    realised: int
    equity_twice: int | None
    equity_exit: int | None


def sample_of(account: Account, time: int, connection: int, why: SampleWhy, touch: Touch) -> Sample:
    """Return a sample of what an account is worth at the best prices of a moment."""
    return Sample(
        time,
        connection,
        why,
        *touch,
        account.position,
        account.cash,
        account.fees,
        account.realised,
        account.equity_twice(touch.mid_twice),
        account.equity_exit(*touch),
    )


class LogRow(NamedTuple):
    """A row of RUN/log: what a strategy said."""

    time: int
    seq: int
    values: dict[str, Any]


@dataclass(slots=True)
class LaneRows:
    """Rows that are whole, in the order in which they became so."""

    orders: list[Order] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)
    resting: RestingRows = field(default_factory=RestingRows)

    def clear(self) -> None:
        """Drop the rows: they have been taken."""
        for each in (self.orders, self.fills, self.samples, self.log, self.resting):
            each.clear()
