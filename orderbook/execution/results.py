"""The rows of a lane's results, as exact values: orders, fills, samples of equity, log."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from orderbook.execution.account import Account
from orderbook.execution.codes import SIGN
from orderbook.execution.events import Fill
from orderbook.execution.market import Touch
from orderbook.execution.orders import Order
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


class MarksPart(NamedTuple):
    """What all lanes share of a part of the marks.

    Attributes:
        known: the marks with a mid, from 0 on in the part.
        mids_twice, times, connections: of these.
        together: ns between marks of one connection.
    """

    known: npt.NDArray[np.intp]
    mids_twice: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    connections: npt.NDArray[np.int64]
    together: int


class Marks:
    """Marks of the grid as columns; a best price of 0 is none.

    Attributes:
        time, connection, bid, ask: int64 each.
        mid_twice: twice the mid, 0 if a side is empty.
    """

    def __init__(self, marks: npt.NDArray[np.int64]) -> None:
        self.time, self.connection, self.bid, self.ask = marks.T
        self.mid_twice = np.where((self.bid > 0) & (self.ask > 0), self.bid + self.ask, 0)
        self._rows: list[list[int]] | None = None
        self._parts: dict[tuple[int, int], MarksPart] = {}
        self._marks = marks

    def part(self, first: int, last: int) -> MarksPart:
        """Return what all lanes share of the marks from `first` to before `last`; most have the same part."""
        if (first, last) not in self._parts:
            whole = slice(first, last)
            (known,) = np.nonzero(self.mid_twice[whole])
            times, connections = self.time[whole], self.connection[whole]
            together = int(np.diff(times)[np.diff(connections) == 0].sum())
            mids = self.mid_twice[whole][known]
            self._parts[first, last] = MarksPart(known, mids, times[known], connections[known], together)
        return self._parts[first, last]

    @property
    def rows(self) -> list[list[int]]:
        """The marks as (time, connection, bid, ask)."""
        if self._rows is None:
            self._rows = self._marks.tolist()
        return self._rows


@dataclass(frozen=True, slots=True)
class GridRun:
    """The samples of the marks from `first` to before `last`: nothing was filled between them.

    Attributes:
        account: the money of all of them, which does not change any more.
    """

    marks: Marks
    first: int
    last: int
    account: Account

    def sample(self, mark: int) -> Sample:
        """Return the sample of a mark."""
        time, connection, bid, ask = self.marks.rows[mark]
        return sample_of(self.account, time, connection, "grid", Touch(bid or None, ask or None))

    def samples(self) -> Iterator[Sample]:
        """Yield all of them."""
        return map(self.sample, range(self.first, self.last))


@dataclass(frozen=True, slots=True)
class OrderRun:
    """Orders that are over, in arrays; made one by one only if somebody wants to see them.

    Attributes:
        ends: of each the code of its end.
        sizes: of each, in units.
        filled: (orders, queue models): how much of each is filled under each model.
        done: the same under that of the lane.
        ahead_at_rest: what was ahead when each first came to rest, -1 if it did not.
        make: returns them.
    """

    ends: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    filled: npt.NDArray[np.int64]
    done: npt.NDArray[np.int64]
    ahead_at_rest: npt.NDArray[np.int64]
    make: Callable[[], list[Order]]


class LogRow(NamedTuple):
    """A row of RUN/log: what a strategy said."""

    time: int
    seq: int
    values: dict[str, Any]


@dataclass(slots=True)
class LaneRows:
    """Rows that are whole, in the order in which they became so."""

    orders: list[Order] = field(default_factory=list)
    order_runs: list[OrderRun] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    samples: list[Sample | GridRun] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)

    @property
    def each_order(self) -> Iterator[Order]:
        """The orders one by one."""
        yield from self.orders
        for run in self.order_runs:
            yield from run.make()

    @property
    def each_sample(self) -> Iterator[Sample]:
        """The samples one by one."""
        for each in self.samples:
            if isinstance(each, GridRun):
                yield from each.samples()
            else:
                yield each

    def clear(self) -> None:
        """Drop the rows: they have been taken."""
        for each in (self.orders, self.order_runs, self.fills, self.samples, self.log):
            each.clear()
