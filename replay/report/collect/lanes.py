"""What a report keeps of lanes: their money over time, some orders and fills, and how far orders came.

All lanes of a product are kept together, as arrays: which of them are the best is known only after the pass.
"""

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
from orderbook.execution.results import FillRow, LaneRows
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.report.collect.by_lane import NO_EQUITY, MoneySeries, Samples, Thinned, longer
from replay.report.collect.resting import RestingOrders, joined_by_lane

T = TypeVar("T")
_Bools = npt.NDArray[np.bool_]

_AT_ONCE: Final = 1 << 18
"""Rows of resting orders, of 88 bytes, that wait to be divided among lanes: many at once cost little."""
_FIRST_SHIFT: Final = 20
"""Buckets are 2**20 ns wide at least, about a millisecond."""
_REFUSED: Final = [int(code) for code in Code if code.is_refusal or code is Code.UNSENT]

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
        bucket_shift, resting_of: see `orderbook.execution.results.TakeRecords`.
        money, orders, fills, stages: of all lanes; stages by lane and `STAGES`.
    """

    def __init__(
        self, points: int, orders: int, fills: int, rested: int, span_ns: int, main: QueueModel
    ) -> None:
        self.resting_of = (main,)
        self.bucket_shift = _shift(span_ns, points)
        self.money = MoneySeries(points, self.bucket_shift)
        self.orders = Thinned(orders)
        self.fills = Thinned(fills)
        self.stages = np.zeros((0, len(STAGES)), np.int64)
        self._most_rested = rested
        self._rested_shift = _shift(span_ns, rested)
        self._rested_seen = np.zeros(0, np.int64)
        self._resting: dict[int, RestingOrders] = {}
        self._rested: list[Ints] = []

    def add_orders(self, orders: npt.NDArray[Any]) -> None:
        """Take orders that are over, records of the compiled exchange."""
        is_rested = orders["rested"] != NO_TIME
        self.orders.add(orders["lane"], orders, np.flatnonzero(is_rested))
        is_accepted = ~np.isin(orders["end"], _REFUSED)
        self._count(orders["lane"], is_accepted, is_rested & is_accepted, orders["filled"].T > 0)

    def add_resting(self, rested: npt.NDArray[Any]) -> None:
        """Take how orders rested, records of the compiled exchange, which begin with the lane."""
        if not len(rested):
            return
        self._rested.append(rested.view(np.int64).reshape(len(rested), -1).copy())
        if sum(map(len, self._rested)) < _AT_ONCE:
            return
        rows = np.concatenate(self._rested)
        self._rested = []
        self._rested_seen = longer(self._rested_seen, int(rows[:, 0].max()) + 1)
        self._rested_seen += np.bincount(rows[:, 0], minlength=len(self._rested_seen))
        rows = joined_by_lane(rows, self._rested_shift, self._rested_seen > self._most_rested)
        rows = rows[np.argsort(rows[:, 0].astype(np.int16), kind="stable")]
        for own in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1):
            self._resting_of(int(own[0, 0])).add_joined(own[:, 1:])

    def take_resting(self, lane: int) -> RestingOrders:
        """Return at which prices the orders of a lane rested; ask once, and when all is there."""
        found = self._resting_of(lane)
        for rows in self._rested:
            found.add(rows[rows[:, 0] == lane, 1:])
        return found

    def _resting_of(self, lane: int) -> RestingOrders:
        if lane not in self._resting:
            self._resting[lane] = RestingOrders(self._most_rested, self._rested_shift)
        return self._resting[lane]

    def add_fills(self, fills: npt.NDArray[Any]) -> None:
        """Take fills, records of the compiled exchange."""
        self.fills.add(fills["lane"], fills, np.arange(len(fills)))

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
        for kept, values in ((self.orders, rested), (self.fills, rows.fills)):
            found = np.empty(len(values), object)
            found[:] = values
            kept.add(np.full(len(values), lane), found, np.arange(len(values)))
        self._resting_of(lane).add(rows.resting.array())
        codes = np.array([-1 if order.end is None else order.end for order in rows.orders], np.int64)
        is_accepted = ~np.isin(codes, _REFUSED)
        is_rested = np.array([order.rested is not None for order in rows.orders], bool)
        filled = [[order.filled[model] > 0 for order in rows.orders] for model in QUEUE_MODELS]
        self._count(np.full(len(codes), lane), is_accepted, is_rested & is_accepted, np.array(filled, bool))
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

    def _count(self, lanes: Ints, is_accepted: _Bools, is_rested: _Bools, is_filled: _Bools) -> None:
        """Count how far orders came."""
        if not len(lanes):
            return
        number = int(lanes.max()) + 1
        self.stages = longer(self.stages, number)
        reached = (
            np.ones(len(lanes), bool),
            is_accepted,
            is_rested,
            *(is_accepted & each for each in is_filled),
        )
        for stage, each in enumerate(reached):
            self.stages[:number, stage] += np.bincount(lanes[each], minlength=number)


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

    def __init__(self, lanes: LanesEvidence, number: int, queue: QueueModel, start: int) -> None:
        self._lanes = lanes
        self._number = number
        self.start = start / MONEY_UNITS
        self._queue: QueueModel = queue
        counts = lanes.stages[number] if number < len(lanes.stages) else [0] * len(STAGES)
        self.stages: Mapping[str, int] = dict(zip(STAGES, map(int, counts), strict=True))

    @cached_property
    def resting(self) -> RestingOrders:
        """At which prices orders rested."""
        return self._lanes.take_resting(self._number)

    @cached_property
    def orders(self) -> Kept[Order]:
        """Orders that rested."""
        found = self._lanes.orders.of(self._number)
        kept: list[Order] = found.tolist()
        if found.dtype != object:
            from orderbook.execution.compiled.harvest import order_rows  # noqa: PLC0415  numba may be absent

            kept = order_rows(self._queue, found)
        return Kept(kept, self._lanes.orders.seen(self._number))

    @cached_property
    def fills(self) -> Kept[FillRow]:
        """Fills, without the mids after them."""
        found = self._lanes.fills.of(self._number)
        kept: list[FillRow] = found.tolist()
        if found.dtype != object:
            from orderbook.execution.compiled.harvest import fill_rows  # noqa: PLC0415  numba may be absent

            kept = fill_rows(found, np.zeros((len(found), 0), np.int64))
        return Kept(kept, self._lanes.fills.seen(self._number))

    def equity(self) -> tuple[Ints, Floats]:
        """Return times and equity on the grid of samples, in the quote currency."""
        return self._lanes.money.equity(self._number)

    def position(self) -> tuple[Ints, Floats]:
        """Return times and position at samples and fills, in the base currency."""
        return self._lanes.money.positions(self._number)


def _shift(span_ns: int, number: int) -> int:
    """Return the width, as a power of two, of buckets of which the whole time has `number` at least."""
    return max((span_ns // number).bit_length() - 1, _FIRST_SHIFT)
