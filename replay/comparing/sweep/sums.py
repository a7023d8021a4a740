"""The sums of one part of a product: integers and maxima, so that parts add up exactly."""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

import numpy as np

from replay.comparing.sweep.columns import Rows
from replay.comparing.sweep.durations import Durations
from replay.comparing.sweep.exact import ExactProducts, from_above, ratios
from replay.comparing.sweep.markouts import UNITS_TO_BPS, Outcomes
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.comparing.sweep.spread_times import SpreadTimes


class LevelSums:
    """Sums by level; level 0 is above no threshold.

    Attributes:
        signals: number of summaries.
        time_ns: sum of the intervals.
        max_spread: the largest spread.
        spread, bid_size, ask_size, value: sums of each times the interval, in the units of `Rows`.
    """

    def __init__(self, levels: int) -> None:
        self.signals: Ints = np.zeros(levels, np.int64)
        self.time_ns: Ints = np.zeros(levels, np.int64)
        self.max_spread: Floats = np.zeros(levels, np.float64)
        self.spread, self.bid_size, self.ask_size, self.value = (ExactProducts(levels) for _ in range(4))

    def count(self, levels: Ints, spreads: Floats) -> None:
        """Add summaries."""
        np.add.at(self.signals, levels, 1)
        np.maximum.at(self.max_spread, levels, spreads)

    def observe(self, levels: Ints, rows: Rows, chosen: Ints, durations: Ints) -> None:
        """Add intervals: `chosen` are the rows that open them, `levels` those of all rows."""
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

    def merge(self, other: "LevelSums") -> None:
        """Add the sums of another part."""
        self.signals += other.signals
        self.time_ns += other.time_ns
        np.maximum(self.max_spread, other.max_spread, out=self.max_spread)
        self.spread.merge(other.spread)
        self.bid_size.merge(other.bid_size)
        self.ask_size.merge(other.ask_size)
        self.value.merge(other.value)


class MarkOutSums:
    """Changes of the mid after one horizon, by threshold; each is added for a range of thresholds.

    Attributes:
        steps: of known, left out, total and absolute: difference of each threshold from the one before.
        squares_begun, squares_ended: squares of changes, at the beginning and the end of their ranges.
    """

    def __init__(self, columns: int) -> None:
        self.steps: Ints = np.zeros((4, columns + 1), np.int64)
        self.squares_begun = ExactProducts(columns + 1)
        self.squares_ended = ExactProducts(columns + 1)

    def add(self, low: Ints, high: Ints, change: Floats) -> None:
        """Add changes of ranges [low, high); NaN for those that are not known."""
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

    def merge(self, other: "MarkOutSums") -> None:
        """Add the sums of another part."""
        self.steps += other.steps
        self.squares_begun.merge(other.squares_begun)
        self.squares_ended.merge(other.squares_ended)

    def outcomes(self) -> Iterator[Iterable[object]]:
        """Yield the numbers of a `MarkOut`, each for all thresholds."""
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
    """All sums of one part, for some thresholds and horizons.

    Attributes:
        crossed: number of summaries whose spread is below 0.
        connections: numbers of the first and the last connection; None without any summary.
    """

    def __init__(self, thresholds: int, horizons: int) -> None:
        self.levels = LevelSums(thresholds + 1)
        self.durations = Durations(thresholds)
        self.markouts = [MarkOutSums(thresholds) for _ in range(horizons)]
        self.spread_times = SpreadTimes()
        self.crossed = 0
        self.connections: tuple[int, int] | None = None

    def count(self, levels: Ints, rows: Rows) -> None:
        """Add summaries, at least one."""
        self.levels.count(levels, rows.spread)
        self.crossed += int(np.count_nonzero(rows.is_crossed))
        self._extend(int(rows.connection[0]), int(rows.connection[-1]))

    def _extend(self, first: int, last: int) -> None:
        if self.connections is not None:
            first, last = min(first, self.connections[0]), max(last, self.connections[1])
        self.connections = (first, last)

    def observe(self, levels: Ints, rows: Rows, chosen: Ints, durations: Ints) -> None:
        """Add intervals, at least one; see `LevelSums.observe`."""
        self.levels.observe(levels, rows, chosen, durations)
        self._extend(int(rows.connection[chosen[0]]), int(rows.connection[chosen[-1]]))
        known = rows.is_known[chosen]
        self.spread_times.add(rows.units[chosen[known]], durations[known])

    def mark_out(self, outcomes: Outcomes) -> None:
        """Add the outcomes of starts."""
        self.markouts[outcomes.horizon].add(outcomes.starts.low, outcomes.starts.high, outcomes.change)

    def merge(self, other: "PartSums") -> None:
        """Add the sums of another part, of the same thresholds and horizons."""
        self.levels.merge(other.levels)
        self.durations.merge(other.durations)
        for mine, others in zip(self.markouts, other.markouts, strict=True):
            mine.merge(others)
        self.spread_times.merge(other.spread_times)
        self.crossed += other.crossed
        if other.connections is not None:
            self._extend(*other.connections)

    def above(self) -> tuple[list[int], list[int], Floats]:
        """Return the signals, the time above in ns and the largest spread of each threshold."""
        largest = np.maximum.accumulate(self.levels.max_spread[::-1])[::-1][1:]
        return from_above(self.levels.signals), from_above(self.levels.time_ns), largest
