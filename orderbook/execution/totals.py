"""The exact sums of a lane, which grow no longer with a tape; those of several tapes add up exactly."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Final, NamedTuple

from orderbook.execution.codes import QUEUE_MODELS, Code, QueueModel
from orderbook.execution.orders import Order
from orderbook.execution.results import FillRow, Sample
from orderbook.times import NS

HOUR: Final = 3600 * NS
MARKOUT_UNITS: Final = 10**9
"""Mark-outs are added up in units of a billionth of a basis point."""


class KnownMid(NamedTuple):
    """The best prices of the last sample with a mid, in units, and its time."""

    time: int
    bid: int
    ask: int


@dataclass(slots=True)
class MarkoutSums:
    """Sums over some fills at one horizon.

    Attributes:
        fills: number of fills whose mark-out is known.
        left_out: number of the others.
        total, squares: of the known mark-outs, in `MARKOUT_UNITS`, and of their squares.
        value, by_value: of the values of these fills, and of mark-out times value.
    """

    fills: int = 0
    left_out: int = 0
    total: int = 0
    squares: int = 0
    value: int = 0
    by_value: int = 0

    def add(self, markouts: Sequence[int], values: Sequence[int], left_out: int) -> None:
        """Add fills with known mark-outs, their values in the same order, and the number of others."""
        self.fills += len(markouts)
        self.left_out += left_out
        self.total += sum(markouts)
        self.squares += sum(map(mul, markouts, markouts))
        self.value += sum(values)
        self.by_value += sum(map(mul, markouts, values))

    def __add__(self, other: "MarkoutSums") -> "MarkoutSums":
        """Return the sums over the fills of both."""
        return MarkoutSums(
            self.fills + other.fills,
            self.left_out + other.left_out,
            self.total + other.total,
            self.squares + other.squares,
            self.value + other.value,
            self.by_value + other.by_value,
        )


@dataclass(slots=True)
class Moves:
    """Differences of equity between marks that follow each other within a connection.

    Attributes:
        every: ns between two marks.
        count, total, squares: their number, their sum, and that of their squares; equity is kept twice over.
        first: time of the first mark, None before.
        last: time, connection and equity of the last one.
        of_others: ns that other tapes span.
    """

    every: int
    count: int = 0
    total: int = 0
    squares: int = 0
    first: int | None = None
    last: tuple[int, int, int] | None = None
    of_others: int = 0

    def add(self, time: int, connection: int, equity_twice: int) -> None:
        """Add a mark; one that is not at a multiple of `every` is none."""
        if time % self.every:
            return
        if self.last is None:
            self.first = time
        elif self.last[:2] == (time - self.every, connection):
            move = equity_twice - self.last[2]
            self.count += 1
            self.total += move
            self.squares += move * move
        self.last = time, connection, equity_twice

    @property
    def span(self) -> int:
        """Time from the first mark to the last one, in nanoseconds, of all tapes together."""
        own = 0 if self.first is None or self.last is None else self.last[0] - self.first
        return own + self.of_others

    def merge(self, other: "Moves") -> None:
        """Add the differences of another tape."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.of_others += other.span


@dataclass(slots=True)
class LaneTotals:
    """What a lane has come to.

    Attributes:
        equity_every: the grid of samples, in nanoseconds.
        horizons: of the mark-outs, in nanoseconds.
        ends: number of orders that are over, by the code of their end.
        refused_amends: number of refused amends, by reason.
        fills_maker, fills_taker: number of fills.
        accepted: size of the accepted orders that are over, in units.
        done, filled: how much of them is filled, under the queue model of the lane and under each.
        rested_orders: number of them that rested.
        filled_orders: number of them that were filled, in part at least, under each model.
        exceeds_level: whether an order was above 5 % of the size ahead of it.
        position_max, position_min: at the samples.
        time_in_position: ns from marks of the grid with a position to the next ones.
        fall_twice: twice the largest fall of equity below its highest mark on the grid, or below the start.
        last_known: the last sample with a mid; without a book nothing is filled.
        of_marks, of_hours: how equity moved from mark to mark, and from hour to hour.
        markouts: sums by horizon, of fills as maker and as taker.
    """

    equity_every: int
    horizons: tuple[int, ...]
    ends: Counter[Code] = field(default_factory=Counter)
    refused_amends: Counter[Code] = field(default_factory=Counter)
    fills_maker: int = 0
    fills_taker: int = 0
    accepted: int = 0
    done: int = 0
    filled: dict[QueueModel, int] = field(default_factory=lambda: dict.fromkeys(QUEUE_MODELS, 0))
    rested_orders: int = 0
    filled_orders: dict[QueueModel, int] = field(default_factory=lambda: dict.fromkeys(QUEUE_MODELS, 0))
    exceeds_level: bool = False
    position_max: int = 0
    position_min: int = 0
    time_in_position: int = 0
    fall_twice: int = 0
    last_known: KnownMid | None = None
    of_marks: Moves = field(init=False)
    of_hours: Moves = field(init=False)
    markouts: dict[int, tuple[MarkoutSums, MarkoutSums]] = field(init=False)
    _highest: int | None = field(default=None, compare=False)
    _mark: Sample | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        self.of_marks, self.of_hours = Moves(self.equity_every), Moves(HOUR)
        self.markouts = {each: (MarkoutSums(), MarkoutSums()) for each in self.horizons}

    def add_order(self, order: Order) -> None:
        """Add an order that is over."""
        assert order.end is not None  # noqa: S101  only such orders are here
        self.ends[order.end] += 1
        if order.end.is_refusal or order.end is Code.UNSENT:
            return
        self.accepted += order.size
        self.done += order.done
        self.rested_orders += order.rested is not None
        for model, size in order.filled.items():
            self.filled[model] += size
            self.filled_orders[model] += size > 0
        if order.ahead_at_rest is not None and order.size * 20 > order.ahead_at_rest:
            self.exceeds_level = True

    def add_fill(self, fill: FillRow) -> None:
        """Add a fill whose mark-outs are known."""
        who = 0 if fill.how.is_maker else 1
        for (_, sums), mid in zip(self.markouts.items(), fill.later_mids, strict=True):
            bps = fill.markout_bps(mid)
            if bps is None:
                sums[who].left_out += 1
            else:
                sums[who].add([round(bps * MARKOUT_UNITS)], [fill.how.value], 0)

    def add_sample(self, sample: Sample, start: int = 0) -> None:
        """Add a sample of equity; `start` is the equity of the beginning."""
        equity_twice = sample.equity_twice
        if equity_twice is not None:
            assert sample.bid is not None and sample.ask is not None  # noqa: S101, PT018  there is a mid
            self.last_known = KnownMid(sample.time, sample.bid, sample.ask)
        self.position_max = max(self.position_max, sample.position)
        self.position_min = min(self.position_min, sample.position)
        if sample.why != "grid":
            return
        before, self._mark = self._mark, sample
        if before is not None and before.connection == sample.connection and before.position:
            self.time_in_position += sample.time - before.time
        if equity_twice is not None:
            highest = 2 * start if self._highest is None else self._highest
            self._highest = max(equity_twice, highest)
            self.fall_twice = max(self.fall_twice, self._highest - equity_twice)
            self.of_marks.add(sample.time, sample.connection, equity_twice)
            self.of_hours.add(sample.time, sample.connection, equity_twice)

    def merge(self, other: "LaneTotals") -> None:
        """Add a lane of another tape: what is largest is the larger of both, and nothing spans two tapes."""
        self.ends += other.ends
        self.refused_amends += other.refused_amends
        self.fills_maker += other.fills_maker
        self.fills_taker += other.fills_taker
        self.accepted += other.accepted
        self.done += other.done
        self.filled = {model: size + other.filled[model] for model, size in self.filled.items()}
        self.rested_orders += other.rested_orders
        self.filled_orders = {
            model: number + other.filled_orders[model] for model, number in self.filled_orders.items()
        }
        self.exceeds_level |= other.exceeds_level
        self.position_max = max(self.position_max, other.position_max)
        self.position_min = min(self.position_min, other.position_min)
        self.time_in_position += other.time_in_position
        self.fall_twice = max(self.fall_twice, other.fall_twice)
        self.of_marks.merge(other.of_marks)
        self.of_hours.merge(other.of_hours)
        for horizon, (maker, taker) in other.markouts.items():
            own_maker, own_taker = self.markouts[horizon]
            self.markouts[horizon] = own_maker + maker, own_taker + taker
