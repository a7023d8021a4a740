"""The numbers of one lane, added up while it runs; exact integers until they are shown."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum, nan, sqrt
from statistics import fmean
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orderbook.document import Document
from orderbook.execution.codes import CODES, QUEUE_MODELS, Code
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.orders import Order
from orderbook.execution.results import FillRow, GridRun, LaneRows, OrderRun, Sample
from orderbook.times import NS

_Int64: TypeAlias = npt.NDArray[np.int64]
_Floats: TypeAlias = npt.NDArray[np.float64]

_YEAR_S: Final = 365.25 * 86_400
_HOUR: Final = 3600 * NS
_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them rounds once."""
_FEWEST_SAMPLES: Final = 100
_SHORTEST: Final = 24 * _HOUR
_FEWEST_HOURS: Final = 30


class MarkoutDocument(Document, frozen=True):
    """How the mid moved after fills, in basis points; positive is good for us.

    Attributes:
        fills: number of fills whose mark-out is known.
        left_out: number of fills whose mark-out is not: the connection or the tape ended before.
        mean_bps, mean_by_value_bps: mean over fills, and weighted by their value; null without fills.
        standard_error_bps: of the mean over fills; null below two fills.
    """

    fills: int
    left_out: int
    mean_bps: float | None
    mean_by_value_bps: float | None
    standard_error_bps: float | None


class HorizonDocument(Document, frozen=True):
    """The mark-outs of a lane at one time after its fills.

    Attributes:
        all, maker, taker: of all fills, and of those as maker and as taker.
    """

    all: MarkoutDocument
    maker: MarkoutDocument
    taker: MarkoutDocument


def _deviation(values: "array[float]") -> float:
    """Return the standard deviation of values, of which there are at least two."""
    every = np.frombuffer(values)
    if every.min() == every.max():
        return 0.0
    return sqrt(fsum((every - fmean(values)) ** 2) / (len(values) - 1))


@dataclass(slots=True)
class _Markout:
    """Sums of the mark-outs of some fills at one horizon."""

    known: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    left_out: int = 0

    def add(self, bps: _Floats, values: _Floats) -> None:
        """Add mark-outs, NaN if they are not known, of fills of these values."""
        is_known = ~np.isnan(bps)
        self.known.frombytes(bps[is_known].tobytes())
        self.values.frombytes(values[is_known].tobytes())
        self.left_out += int(np.count_nonzero(~is_known))

    def merge(self, other: "_Markout") -> None:
        """Add those of another tape."""
        self.known += other.known
        self.values += other.values
        self.left_out += other.left_out

    def document(self) -> MarkoutDocument:
        known = self.known
        deviation = _deviation(known) if len(known) > 1 else None
        return MarkoutDocument(
            len(known),
            self.left_out,
            fmean(known) if known else None,
            fsum(np.multiply(known, self.values)) / fsum(self.values) if known else None,
            None if deviation is None else deviation / sqrt(len(known)),
        )


@dataclass(slots=True)
class _Sharpe:
    """Differences of equity between marks on a grid, within connections."""

    every: int
    differences: "array[float]" = field(default_factory=lambda: array("d"))
    first: int | None = None
    last: Sample | None = None
    of_others: int = 0

    def add(self, sample: Sample) -> None:
        if sample.time % self.every or sample.equity_twice is None:
            return
        last, self.last = self.last, sample
        if self.first is None:
            self.first = sample.time
        is_next = last is not None and last.time + self.every == sample.time
        if is_next and last is not None and last.connection == sample.connection:
            assert last.equity_twice is not None  # noqa: S101  only such samples are kept
            self.differences.append((sample.equity_twice - last.equity_twice) / (2 * MONEY_UNITS))

    def add_moves(
        self, times: _Int64, connections: _Int64, position: int, mids_twice: _Int64, last: Sample
    ) -> None:
        """Add the samples after the first of an array, all with one position; the first one is added already.

        All of them are on the grid, and their mids are known.
        """
        is_next = (np.diff(times) == self.every) & (np.diff(connections) == 0)
        self.last = last
        if not position:
            self.differences.frombytes(bytes(8 * int(np.count_nonzero(is_next))))
            return
        moves = np.diff(mids_twice)[is_next]
        exact = not len(moves) or abs(position) * int(np.abs(moves).max()) < _EXACT
        if exact:
            self.differences.frombytes((position * moves / (2 * MONEY_UNITS)).tobytes())
        else:
            self.differences.extend(position * move / (2 * MONEY_UNITS) for move in moves.tolist())

    @property
    def span(self) -> int:
        own = 0 if self.first is None or self.last is None else self.last.time - self.first
        return own + self.of_others

    def merge(self, other: "_Sharpe") -> None:
        """Add the differences of another tape."""
        self.differences += other.differences
        self.of_others += other.span

    def ratio(self) -> tuple[float, float] | None:
        """Return the yearly Sharpe ratio and its standard error; None if equity never moved."""
        spread = _deviation(self.differences)
        if not spread:
            return None
        ratio = fmean(self.differences) / spread
        scale = sqrt(_YEAR_S * NS / self.every)
        return ratio * scale, sqrt((1 + ratio * ratio / 2) / len(self.differences)) * scale


def _sum(sizes: _Int64) -> int:
    """Return a sum, exact also beyond an int64."""
    high, low = np.divmod(sizes, 2**31)
    return int(high.sum()) * 2**31 + int(low.sum())


class LaneStatistics:
    """The numbers of one lane.

    Args:
        equity_every: the grid of samples, nanoseconds.
        horizons: of the mark-outs.
    """

    def __init__(self, equity_every: int, horizons: tuple[int, ...]) -> None:
        self.made_of = equity_every, horizons
        self.ends: Counter[Code] = Counter()
        self.fills_maker = self.fills_taker = 0
        self.accepted = 0
        self.filled = {"back": 0, "share": 0, "front": 0}
        self.done = 0
        self.position_max = self.position_min = 0
        self.drawdown_twice = 0
        self.time_in_position = 0
        self.exceeds_level = False
        self._highest: int | None = None
        self._before: Sample | None = None
        self.of_marks = _Sharpe(equity_every)
        self.of_hours = _Sharpe(_HOUR)
        self._last_known: Sample | None = None
        self.of_fills = {each: {who: _Markout() for who in ("all", "maker", "taker")} for each in horizons}

    def add(self, rows: LaneRows) -> None:
        """Add rows that are whole. O(rows)."""
        for order in rows.orders:
            self._add_order(order)
        for run in rows.order_runs:
            self._add_orders(run)
        if rows.fills:
            self._add_fills(rows.fills)
        for sample in rows.samples:
            if isinstance(sample, GridRun):
                self._add_run(sample)
            else:
                self._add_sample(sample)

    @classmethod
    def of(cls, other: "LaneStatistics") -> "LaneStatistics":
        """Return empty statistics of the same grid and horizons."""
        return cls(*other.made_of)

    def merge(self, other: "LaneStatistics") -> None:
        """Add a lane of another tape: what is largest is the larger of both, and nothing spans two tapes."""
        self.ends += other.ends
        self.fills_maker += other.fills_maker
        self.fills_taker += other.fills_taker
        self.accepted += other.accepted
        self.filled = {model: size + other.filled[model] for model, size in self.filled.items()}
        self.done += other.done
        self.position_max = max(self.position_max, other.position_max)
        self.position_min = min(self.position_min, other.position_min)
        self.drawdown_twice = max(self.drawdown_twice, other.drawdown_twice)
        self.time_in_position += other.time_in_position
        self.exceeds_level |= other.exceeds_level
        self.of_marks.merge(other.of_marks)
        self.of_hours.merge(other.of_hours)
        for horizon, sums in self.of_fills.items():
            for who, each in sums.items():
                each.merge(other.of_fills[horizon][who])

    def _add_order(self, order: Order) -> None:
        """Add an order that is over."""
        assert order.end is not None  # noqa: S101  only whole orders are here
        self.ends[order.end] += 1
        if order.end.is_refusal or order.end is Code.UNSENT:
            return
        self.accepted += order.size
        self.done += order.done
        for model, size in order.filled.items():
            self.filled[model] += size
        if order.ahead_at_rest is not None and order.size * 20 > order.ahead_at_rest:
            self.exceeds_level = True

    def _add_fills(self, fills: Sequence[FillRow]) -> None:
        """Add fills whose mark-outs are known."""
        makers = np.array([fill.how.is_maker for fill in fills])
        values = np.array([fill.how.value / MONEY_UNITS for fill in fills])
        self.fills_maker += int(makers.sum())
        self.fills_taker += len(fills) - int(makers.sum())
        for number, sums in enumerate(self.of_fills.values()):
            found = [fill.markout_bps(fill.later_mids[number]) for fill in fills]
            bps = np.array([nan if each is None else each for each in found])
            for who, which in (("all", slice(None)), ("maker", makers), ("taker", ~makers)):
                sums[who].add(bps[which], values[which])

    def _add_orders(self, run: OrderRun) -> None:
        """Add orders that are over, in arrays: the same as one by one."""
        ends, counts = np.unique(run.ends, return_counts=True)
        for end, count in zip(ends.tolist(), counts.tolist(), strict=True):
            self.ends[CODES[end]] += count
        counted = [end for end in ends.tolist() if not (CODES[end].is_refusal or CODES[end] is Code.UNSENT)]
        which = np.isin(run.ends, counted)
        self.accepted += _sum(run.sizes[which])
        self.done += _sum(run.done[which])
        for model, sizes in zip(QUEUE_MODELS, run.filled[which].T, strict=True):
            self.filled[model] += _sum(sizes)
        rests = which & (run.ahead_at_rest >= 0)
        # Divided, as 20 times a size may be beyond an int64.
        self.exceeds_level |= bool((run.sizes[rests] > run.ahead_at_rest[rests] // 20).any())

    def _add_run(self, run: GridRun) -> None:
        """Add samples of the grid between which nothing was filled: the same as one by one, in arrays."""
        position, cash_twice = run.account.position, 2 * run.account.cash
        known, mids, times, connections, together = run.marks.part(run.first, run.last)
        first = run.sample(run.first)
        if self._before is not None and self._before.connection == first.connection and self._before.position:
            self.time_in_position += first.time - self._before.time
        self._before = run.sample(run.last - 1)
        self.position_max = max(self.position_max, position)
        self.position_min = min(self.position_min, position)
        if position:
            self.time_in_position += together
        if not len(known):
            return
        last = self._last_known = run.sample(run.first + int(known[-1]))
        if position:  # Equity moves with the mid alone, up or down by the sign of the position.
            worth, size = mids if position > 0 else -mids, abs(position)
            best = np.maximum.accumulate(worth)
            inside = size * int((best - worth).max())
            start, least, most = (cash_twice + size * int(each) for each in (worth[0], worth.min(), best[-1]))
        else:
            inside, start, least, most = 0, cash_twice, cash_twice, cash_twice
        highest = start if self._highest is None else self._highest
        self.drawdown_twice = max(self.drawdown_twice, inside, highest - least)
        self._highest = max(highest, most)
        self.of_marks.add(run.sample(run.first + int(known[0])))
        self.of_marks.add_moves(times, connections, position, mids, last)
        for mark in known[times % _HOUR == 0].tolist():
            self.of_hours.add(run.sample(run.first + mark))

    def _add_sample(self, sample: Sample) -> None:
        if sample.equity_twice is not None:
            self._last_known = sample
        self.position_max = max(self.position_max, sample.position)
        self.position_min = min(self.position_min, sample.position)
        if sample.why != "grid":
            return
        before, self._before = self._before, sample
        if before is not None and before.connection == sample.connection and before.position:
            self.time_in_position += sample.time - before.time
        if sample.equity_twice is not None:
            highest = sample.equity_twice if self._highest is None else self._highest
            self._highest = max(sample.equity_twice, highest)
            self.drawdown_twice = max(self.drawdown_twice, self._highest - sample.equity_twice)
        self.of_marks.add(sample)
        self.of_hours.add(sample)

    def sharpe(self) -> tuple[float | None, int, float | None]:
        """Return the yearly Sharpe ratio, its number of samples and its standard error.

        They are null below 100 samples or one day. It takes samples for independent, which they are not.
        """
        samples = len(self.of_marks.differences)
        enough = samples >= _FEWEST_SAMPLES and self.of_marks.span >= _SHORTEST
        found = self.of_marks.ratio() if enough else None
        return (None, samples, None) if found is None else (found[0], samples, found[1])

    def sharpe_hourly(self) -> float | None:
        """Return the yearly Sharpe ratio of hourly marks, null below 30 hours."""
        if len(self.of_hours.differences) < _FEWEST_HOURS:
            return None
        found = self.of_hours.ratio()
        return None if found is None else found[0]

    def markouts(self) -> dict[int, HorizonDocument]:
        """Return the mark-outs by horizon."""
        return {
            horizon: HorizonDocument(**{who: each.document() for who, each in sums.items()})
            for horizon, sums in self.of_fills.items()
        }

    def ratio(self, size: int) -> float | None:
        """Return a size as a share of what was accepted, null if nothing was."""
        return size / self.accepted if self.accepted else None

    def refused(self) -> dict[str, int]:
        """Return how many orders were refused, by reason."""
        return {code.word: count for code, count in sorted(self.ends.items()) if code.is_refusal}

    @property
    def last_known(self) -> Sample | None:
        """The last sample with a known mid; later ones have none, and without a book nothing is filled."""
        return self._last_known


def money(value: int) -> float:
    """Return money in the quote currency, the nearest float."""
    return value / MONEY_UNITS


def money_of_twice(value: int | None) -> float | None:
    """Return money that is kept twice over in the quote currency, the nearest float; None for None."""
    return None if value is None else value / (2 * MONEY_UNITS)


def size(units: int) -> float:
    """Return a size in the base currency, the nearest float."""
    return units / UNITS
