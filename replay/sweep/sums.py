"""Everything that is added up of one part of a product: integers and maxima, so that parts add exactly."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np

from replay.order_statistics import Floats, Ints
from replay.sweep.durations import Durations
from replay.sweep.exact import ExactProducts, from_above, ratios
from replay.sweep.markouts import UNITS_TO_BPS, Outcomes
from replay.sweep.rows import Rows
from replay.sweep.spread_times import SpreadTimes


class LevelSums:
    """What summaries add at their level; level 0 is above no threshold.

    Attributes:
        signals: how many.
        time_ns: how long.
        max_spread: the largest.
        spread, bid_size, ask_size, value: each times how long it was, in the units of `Rows`.
    """

    def __init__(self, levels: int) -> None:
        self.signals: Ints = np.zeros(levels, np.int64)
        self.time_ns: Ints = np.zeros(levels, np.int64)
        self.max_spread: Floats = np.zeros(levels, np.float64)
        self.spread, self.bid_size, self.ask_size, self.value = (ExactProducts(levels) for _ in range(4))

    def count(self, levels: Ints, spreads: Floats) -> None:
        """Take up summaries."""
        np.add.at(self.signals, levels, 1)
        np.maximum.at(self.max_spread, levels, spreads)

    def observe(self, levels: Ints, rows: Rows, chosen: Ints, durations: Ints) -> None:
        """Take up intervals: the rows that open them, with the levels of all rows, and how long they last."""
        np.add.at(self.time_ns, levels[chosen], durations)
        above = levels[chosen] > 0
        chosen, durations = chosen[above], durations[above]
        at = levels[chosen]
        for products, column in (
            (self.spread, rows.units),
            (self.bid_size, rows.bid_size),
            (self.ask_size, rows.ask_size),
            (self.value, rows.value),
        ):
            products.add(at, column[chosen], durations)

    def take_up(self, other: "LevelSums") -> None:
        """Add what another one has."""
        self.signals += other.signals
        self.time_ns += other.time_ns
        np.maximum(self.max_spread, other.max_spread, out=self.max_spread)
        self.spread.take_up(other.spread)
        self.bid_size.take_up(other.bid_size)
        self.ask_size.take_up(other.ask_size)
        self.value.take_up(other.value)


class MarkOutSums:
    """Changes of the mid one horizon after, by threshold: each is added for a range of thresholds.

    Attributes:
        steps: of known, left out, total and absolute, by threshold: how much the sum over ranges steps there.
        squares_begun, squares_ended: of changes, where their ranges begin and end.
    """

    def __init__(self, columns: int) -> None:
        self.steps: Ints = np.zeros((4, columns + 1), np.int64)
        self.squares_begun = ExactProducts(columns + 1)
        self.squares_ended = ExactProducts(columns + 1)

    def add(self, low: Ints, high: Ints, change: Floats) -> None:
        """Take up changes of ranges [low, high)."""
        known, left_out, total, absolute = self.steps
        unknown = np.isnan(change)
        for steps, chosen in ((left_out, unknown), (known, ~unknown)):
            np.add.at(steps, low[chosen], 1)
            np.add.at(steps, high[chosen], -1)
        low, high, units = low[~unknown], high[~unknown], change[~unknown].astype(np.int64)
        sizes = np.abs(units)
        for steps, values in ((total, units), (absolute, sizes)):
            np.add.at(steps, low, values)
            np.add.at(steps, high, -values)
        self.squares_begun.add(low, sizes, sizes)
        self.squares_ended.add(high, sizes, sizes)

    def take_up(self, other: "MarkOutSums") -> None:
        """Add what another one has."""
        self.steps += other.steps
        self.squares_begun.take_up(other.squares_begun)
        self.squares_ended.take_up(other.squares_ended)

    def outcomes(self) -> Iterator[Iterable[object]]:
        """Return the numbers of a `MarkOut`: each by threshold."""
        known, left_out, total, absolute = np.cumsum(self.steps, axis=1)[:, :-1].tolist()
        steps = zip(self.squares_begun.sums()[:-1], self.squares_ended.sums()[:-1], strict=True)
        squares = accumulate(begun - ended for begun, ended in steps)
        yield known
        yield left_out
        known_bps = [number * UNITS_TO_BPS for number in known]
        yield ratios(total, known_bps)
        yield _standard_errors(known, total, squares)
        yield ratios(absolute, known_bps)


def _standard_errors(
    numbers: Iterable[int], totals: Iterable[int], squares: Iterable[int]
) -> list[float | None]:
    """Return standard errors of means in bps, from sums of changes and of their squares; None below two."""
    return [
        math.sqrt((number * square - total * total) / (number * number * (number - 1) * UNITS_TO_BPS**2))
        if number > 1
        else None
        for number, total, square in zip(numbers, totals, squares, strict=True)
    ]


class PartSums:
    """All of one part.

    Attributes:
        levels, durations, markouts, spread_times: see there.
        crossed: summaries whose spread is below 0.
        connections: the first and the last that a summary is of.
    """

    def __init__(
        self,
        levels: LevelSums,
        durations: Durations,
        markouts: Sequence[MarkOutSums],
        spread_times: SpreadTimes,
    ) -> None:
        self.levels = levels
        self.durations = durations
        self.markouts = markouts
        self.spread_times = spread_times
        self.crossed = 0
        self.connections: tuple[int, int] | None = None

    def count(self, levels: Ints, rows: Rows) -> None:
        """Take up summaries, at least one."""
        self.levels.count(levels, rows.spread)
        self.crossed += int(np.count_nonzero(rows.is_crossed))
        self._meet(int(rows.connection[0]), int(rows.connection[-1]))

    def _meet(self, first: int, last: int) -> None:
        if self.connections is not None:
            first, last = min(first, self.connections[0]), max(last, self.connections[1])
        self.connections = (first, last)

    def observe(self, levels: Ints, rows: Rows, chosen: Ints, durations: Ints) -> None:
        """Take up intervals; see `LevelSums.observe`."""
        self.levels.observe(levels, rows, chosen, durations)
        self._meet(int(rows.connection[chosen[0]]), int(rows.connection[chosen[-1]]))
        known = rows.is_known[chosen]
        self.spread_times.add(rows.units[chosen[known]], durations[known])

    def mark_out(self, outcomes: Outcomes) -> None:
        """Take up what became of starts."""
        self.markouts[outcomes.horizon].add(outcomes.starts.low, outcomes.starts.high, outcomes.change)

    def take_up(self, other: "PartSums") -> None:
        """Add what another one has, of the same thresholds and horizons."""
        self.levels.take_up(other.levels)
        self.durations.take_up(other.durations)
        for mine, others in zip(self.markouts, other.markouts, strict=True):
            mine.take_up(others)
        self.spread_times.take_up(other.spread_times)
        self.crossed += other.crossed
        if other.connections is not None:
            self._meet(*other.connections)

    def above(self) -> tuple[list[int], list[int], Floats]:
        """Return signals, time above in ns and the largest spread of each threshold."""
        largest = np.maximum.accumulate(self.levels.max_spread[::-1])[::-1][1:]
        return from_above(self.levels.signals), from_above(self.levels.time_ns), largest
