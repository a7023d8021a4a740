"""What a report keeps of lanes: their money over time, some orders and fills, and how far orders came.

All lanes of a product are kept together, as arrays: which of them are the best is known only after the pass.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from orderbook.execution.codes import QUEUE_MODELS, Code, QueueModel
from orderbook.execution.market_rows import NO_TIME
from orderbook.execution.numbers import MONEY_UNITS
from orderbook.execution.orders import Order
from orderbook.execution.records import Wanted, as_words
from orderbook.execution.results import FillRow, LaneRows
from orderbook.execution.totals import LaneTotals
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.report.collect.by_lane import NO_EQUITY, MoneySeries, Samples, Thinned
from replay.report.collect.resting import RestingOrders

T = TypeVar("T")

_AT_ONCE: Final = 1 << 18
"""Rows of resting orders, of 104 bytes, that wait to be divided among lanes: many at once cost little."""
_FIRST_SHIFT: Final = 20
"""Buckets are 2**20 ns wide at least, about a millisecond."""

STAGES: Final = ("sent", "accepted", "rested", *(f"filled, {model}" for model in QUEUE_MODELS))
"""How far an order came; filled means in part at least, under that model of its queue."""


class LanesEvidence:
    """What is kept of the lanes of a product, as records or rows; it does not grow with the tape.

    Args:
        points: buckets of time of the money of a lane.
        orders, fills, rested: number of these kept of a lane; rested are prices at which orders rested.
        span_ns: the time that the tape spans, as far as it is known.
        main: queue model whose lanes are drawn with their orders.

    Attributes:
        wanted: see `orderbook.execution.records.TakeRecords`.
        money, orders, fills: of all lanes.
    """

    def __init__(
        self, points: int, orders: int, fills: int, rested: int, span_ns: int, main: QueueModel
    ) -> None:
        self.wanted = Wanted(_shift(span_ns, points), orders, (main,), rested, _shift(span_ns, rested))
        self.money = MoneySeries(points, _shift(span_ns, points))
        self.orders = Thinned(orders)
        self.fills = Thinned(fills)
        self._most_rested = rested
        self._rested_orders = Counter[int]()  # of a lane that has rows
        self._resting: dict[int, RestingOrders] = {}
        self._rested: list[Ints] = []

    def add_orders(self, orders: npt.NDArray[Any]) -> None:
        """Take orders that are over, records of the compiled exchange."""
        rested = orders.compress(orders["rested"] != NO_TIME)
        self.orders.add(rested["lane"], rested["rested_before"], as_words(rested))

    def add_resting(self, rested: npt.NDArray[Any]) -> None:
        """Take how orders rested, records of the compiled exchange, which begin with the lane."""
        if not len(rested):
            return
        self._rested.append(as_words(rested).copy())
        if sum(map(len, self._rested)) < _AT_ONCE:
            return
        rows = np.concatenate(self._rested)
        self._rested = []
        rows = rows[np.argsort(rows[:, 0].astype(np.int16), kind="stable")]
        for own in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1):
            self._resting_of(int(own[0, 0])).add_joined(own[:, 1:])

    def take_resting(self, lane: int) -> RestingOrders:
        """Return at which prices the orders of a lane rested; ask once, and when all is there."""
        found = self._resting_of(lane)
        for rows in self._rested:
            found.add_joined(rows[rows[:, 0] == lane, 1:])
        return found

    def _resting_of(self, lane: int) -> RestingOrders:
        if lane not in self._resting:
            self._resting[lane] = RestingOrders(self._most_rested, self.wanted.rested_shift)
        return self._resting[lane]

    def add_fills(self, fills: npt.NDArray[Any]) -> None:
        """Take fills, records of the compiled exchange."""
        self.fills.add(fills["lane"], fills["fill"], as_words(fills))

    def add_samples(self, samples: npt.NDArray[Any]) -> None:
        """Take samples of money, records of the compiled exchange."""
        if not len(samples):
            return
        is_shown = (samples["why"] == 0) & (samples["bid"] != 0) & (samples["ask"] != 0)
        high = np.where(is_shown, samples["equity_high"], NO_EQUITY)
        rest = (samples[name].copy() for name in ("equity_low", "position"))
        self.money.add(Samples(samples["lane"].astype(np.int16), samples["time"].copy(), high, *rest))

    def add_rows(self, lane: int, rows: LaneRows) -> None:
        """Take the rows of a lane."""
        rested = [order for order in rows.orders if order.rested is not None]
        before = self._rested_orders[lane]
        self._rested_orders[lane] += len(rested)
        for kept, values, places in (
            (self.orders, rested, range(before, before + len(rested))),
            (self.fills, rows.fills, [fill.fill for fill in rows.fills]),
        ):
            found = np.empty(len(values), object)
            found[:] = values
            kept.add(np.full(len(values), lane), np.array(places, np.int64), found)
        self._resting_of(lane).add(rows.resting.array())
        words = [
            (NO_EQUITY, 0)
            if each.equity_twice is None or each.why != "grid"
            else divmod(each.equity_twice, 2**64)
            for each in rows.samples
        ]
        high, low = np.array(words, object).reshape(-1, 2).T
        times = np.array([each.time for each in rows.samples], np.int64)
        positions = np.array([each.position for each in rows.samples], np.int64)
        lanes, low = np.full(len(times), lane, np.int16), low.astype(np.uint64).view(np.int64)
        self.money.add(Samples(lanes, times, high.astype(np.int64), low, positions))


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """Values that are kept of a lane, in order, of those seen."""

    kept: list[T]
    seen: int


class LaneEvidence:
    """What is kept of one lane.

    Attributes:
        orders, fills: orders that rested, and fills.
        resting: at which prices orders rested.
        stages: number of orders that came as far as each of `STAGES`.
        start: equity at the start, in the quote currency.
    """

    def __init__(
        self, lanes: LanesEvidence, number: int, queue: QueueModel, start: int, totals: LaneTotals
    ) -> None:
        self._lanes = lanes
        self._number = number
        self.start = start / MONEY_UNITS
        self._queue: QueueModel = queue
        self._fills = totals.fills_maker + totals.fills_taker
        sent = sum(totals.ends.values())
        refused = sum(count for code, count in totals.ends.items() if code.is_refusal or code is Code.UNSENT)
        counts = sent, sent - refused, totals.rested_orders, *totals.filled_orders.values()
        self.stages: Mapping[str, int] = dict(zip(STAGES, counts, strict=True))

    @cached_property
    def resting(self) -> RestingOrders:
        """At which prices orders rested."""
        return self._lanes.take_resting(self._number)

    @cached_property
    def orders(self) -> Kept[Order]:
        """Orders that rested."""
        seen = self.stages["rested"]
        found = self._lanes.orders.of(self._number, seen)
        kept: list[Order] = found.tolist()
        if found.dtype != object:
            from orderbook.execution.compiled.harvest import order_rows  # noqa: PLC0415  numba may be absent

            kept = order_rows(self._queue, found)
        return Kept(kept, seen)

    @cached_property
    def fills(self) -> Kept[FillRow]:
        """Fills, without the mids after them."""
        found = self._lanes.fills.of(self._number, self._fills)
        kept: list[FillRow] = found.tolist()
        if found.dtype != object:
            from orderbook.execution.compiled.harvest import fill_rows  # noqa: PLC0415  numba may be absent
            from orderbook.execution.compiled.layout import EVENT  # noqa: PLC0415

            kept = fill_rows(found.view(EVENT).reshape(-1), np.zeros((len(found), 0), np.int64))
        return Kept(kept, self._fills)

    def equity(self) -> tuple[Ints, Floats]:
        """Return times and equity on the grid of samples, in the quote currency."""
        return self._lanes.money.equity(self._number)

    def position(self) -> tuple[Ints, Floats]:
        """Return times and position at samples and fills, in the base currency."""
        return self._lanes.money.positions(self._number)


def _shift(span_ns: int, number: int) -> int:
    """Return the width, as a power of two, of buckets of which the whole time has `number` at least."""
    return max((span_ns // number).bit_length() - 1, _FIRST_SHIFT)
