"""Time above each of many thresholds by hour of the day (UTC), in one pass."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from orderbook.thresholds import find_levels
from orderbook.times import NS
from replay.comparing.sweep.order_statistics import Floats, Ints

HOURS: Final = 24
_HOUR_NS: Final = 3600 * NS


class HourShares:
    """Time by hour of the day and by level: the number of thresholds that a summary is above.

    Args:
        thresholds: fractions of the best ask, ascending.
    """

    def __init__(self, thresholds: Sequence[float]) -> None:
        self.thresholds = list(thresholds)
        self._bounds: Floats = np.array(self.thresholds, np.float64)
        self._ns: Ints = np.zeros((HOURS, len(self.thresholds) + 1), np.int64)

    def add(self, starts: Ints, intervals: Ints, spreads: Floats) -> None:
        """Add intervals with the relative spread during each; starts are nanoseconds since 1970.

        An interval that spans several hours counts in each for its part. O(rows * log(thresholds)).
        """
        levels = find_levels(self._bounds, np.where(spreads > 0, spreads, 0.0))
        first, last = starts // _HOUR_NS, (starts + np.maximum(intervals, 1) - 1) // _HOUR_NS
        within = first == last
        np.add.at(self._ns, (first[within] % HOURS, levels[within]), intervals[within])
        for place in np.flatnonzero(~within).tolist():
            start, end = int(starts[place]), int(starts[place] + intervals[place])
            while start < end:
                hour = start // _HOUR_NS
                until = min(end, (hour + 1) * _HOUR_NS)
                self._ns[hour % HOURS, levels[place]] += until - start
                start = until

    def observed_s(self) -> list[float]:
        """Return the observed seconds of each hour of the day."""
        seconds: list[float] = (self._ns.sum(axis=1) / NS).tolist()
        return seconds

    def shares(self) -> list[list[float | None]]:
        """Return each threshold's share of time above by hour; None for an hour that was not observed."""
        above = np.cumsum(self._ns[:, ::-1], axis=1)[:, ::-1][:, 1:]
        observed = self._ns.sum(axis=1)
        return [
            [int(part) / int(whole) if whole else None for part, whole in zip(column, observed, strict=True)]
            for column in above.T
        ]
