"""What a report keeps of a lane: its money over time, some orders and fills, and how far orders came."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import numpy as np

from orderbook.execution.codes import QUEUE_MODELS, Code
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.orders import Order
from orderbook.execution.results import FillRow, LaneRows, Sample
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.report.collect.reduction import MinMaxReduction
from replay.report.collect.resting import RestingOrders

T = TypeVar("T")

_AT_ONCE: Final = 4096
"""Samples reduced together."""

STAGES: Final = ("sent", "accepted", "rested", *(f"filled, {model}" for model in QUEUE_MODELS))
"""How far an order came; filled means in part at least, under that model of its queue."""


class Thinned(Generic[T]):
    """Keeps evenly chosen ones of many values: every one, then every second, every fourth and so on.

    Attributes:
        seen: number of values added.
        kept: those kept, in order; at most the limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._step = 1
        self.seen = 0
        self.kept: list[T] = []

    def add(self, values: Iterable[T]) -> None:
        """Add values. O(values)."""
        for value in values:
            if self.seen % self._step == 0:
                self.kept.append(value)
            if len(self.kept) > self._limit:
                del self.kept[1::2]
                self._step *= 2
            self.seen += 1


class LaneEvidence:
    """What is kept of one lane; it does not grow with the tape.

    Args:
        points: buckets of time of its money, two points each.
        orders: number of orders kept.
        fills: number of fills kept.
        rested: number of prices kept at which they rested.

    Attributes:
        orders, fills: orders that rested, and fills.
        resting: at which prices orders rested.
        stages: number of orders that came as far as each of `STAGES`.
        start: equity at the start, in the quote currency.
    """

    def __init__(self, points: int, orders: int, fills: int, rested: int) -> None:
        self._equity = MinMaxReduction(points)
        self._position = MinMaxReduction(points)
        self._samples: list[Sample] = []
        self.orders = Thinned[Order](orders)
        self.fills = Thinned[FillRow](fills)
        self.resting = RestingOrders(rested)
        self.start = 0.0
        self.stages: Counter[str] = Counter(dict.fromkeys(STAGES, 0))

    def add(self, rows: LaneRows) -> None:
        """Add rows that are whole. O(rows + points kept)."""
        self.fills.add(rows.fills)
        self.resting.add(rows.resting.array())
        self.orders.add(order for order in rows.orders if order.rested is not None)
        for order in rows.orders:
            self.stages.update(_stages(order))
        self._samples += rows.samples
        if len(self._samples) >= _AT_ONCE:
            self._reduce()

    def equity(self) -> tuple[Ints, Floats]:
        """Return times and equity on the grid of samples, in the quote currency."""
        self._reduce()
        return self._equity.points()

    def position(self) -> tuple[Ints, Floats]:
        """Return times and position at samples and fills, in the base currency."""
        self._reduce()
        return self._position.points()

    def _reduce(self) -> None:
        samples, self._samples = self._samples, []
        times = np.array([each.time for each in samples], np.int64)
        self._position.add(times, np.array([each.position for each in samples], np.int64) / UNITS)
        marks = [
            (each.time, np.nan if each.equity_twice is None else each.equity_twice / (2 * MONEY_UNITS))
            for each in samples
            if each.why == "grid"
        ]
        times, equity = (np.array([mark[place] for mark in marks]) for place in (0, 1))
        self._equity.add(times.astype(np.int64), equity.astype(np.float64))


def _stages(order: Order) -> Iterable[str]:
    """Yield how far an order came."""
    yield "sent"
    if order.end is not None and (order.end.is_refusal or order.end is Code.UNSENT):
        return
    yield "accepted"
    if order.rested is not None:
        yield "rested"
    yield from (f"filled, {model}" for model in QUEUE_MODELS if order.filled[model])
