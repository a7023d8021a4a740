"""Values of many lanes at once, reduced to few of each: evenly chosen ones, or the extremes over time."""

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from orderbook.execution.numbers import MONEY_UNITS, UNITS
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.report.collect.reduction import extremes

_AT_ONCE: Final = 1 << 18
"""Samples reduced together, at least."""
NO_EQUITY: Final = -(2**63)
_Kept: TypeAlias = tuple[Ints, Ints, npt.NDArray[Any]]
"""Lanes, places, values."""


class Thinned:
    """Keeps evenly chosen ones of many values of each lane: every one, then every second, every fourth...

    Args:
        limit: number of values kept of a lane at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen = np.zeros(0, np.int64)
        self._kept: list[_Kept] = []
        self._waiting = 0

    def add(self, lanes: Ints, places: Ints, values: npt.NDArray[Any]) -> None:
        """Add values (or rows of words) at their places among those of their lanes, which ascend.

        Those may be left out that are not kept of as many as there are then.
        """
        if not len(lanes):
            return
        seen = np.zeros(max(int(lanes.max()) + 1, len(self._seen)), np.int64)
        seen[: len(self._seen)] = self._seen
        seen[lanes] = places + 1  # of several of a lane the last one stays
        self._seen = seen
        self._kept.append(self._thinned(lanes, places, values))
        self._waiting += len(self._kept[-1][0])
        if self._waiting > max(len(self._kept[0][0]), 4 * self._limit):
            self._reduce()

    def of(self, lane: int, seen: int) -> npt.NDArray[Any]:
        """Return the values kept of a lane, in order; `seen` is how many it has had."""
        self._reduce()
        if not self._kept:
            return np.zeros(0, object)
        lanes, places, values = self._kept[0]
        is_kept = (lanes == lane) & (places & (self._step(np.array(seen)) - 1) == 0)
        return values.compress(is_kept, 0)

    def _step(self, seen: Ints) -> Ints:
        """Return of how many one is kept: a power of two, so that there are `limit` at most."""
        step: Ints = 1 << np.ceil(np.log2(np.maximum(-(-seen // self._limit), 1))).astype(np.int64)
        return step

    def _thinned(self, lanes: Ints, places: Ints, values: npt.NDArray[Any]) -> _Kept:
        """Return those that are kept of as many as there are now."""
        is_kept = places & (self._step(self._seen) - 1)[lanes] == 0
        return lanes[is_kept], places[is_kept], values.compress(is_kept, 0)

    def _reduce(self) -> None:
        if len(self._kept) > 1:
            lanes, places, values = zip(*(self._thinned(*each) for each in self._kept), strict=True)
            self._kept = [(np.concatenate(lanes), np.concatenate(places), np.concatenate(values))]
        self._waiting = 0


class Samples(NamedTuple):
    """Samples of the money of lanes, as arrays of integers.

    Attributes:
        lanes: number of the lane.
        times: in nanoseconds since 1970.
        high, low: twice the equity in two words, see `orderbook.execution.compiled.wide`; high is `NO_EQUITY`
            if it is not to be shown.
        positions: in units of 1e-8.
    """

    lanes: npt.NDArray[Any]
    times: npt.NDArray[Any]
    high: npt.NDArray[Any]
    low: npt.NDArray[Any]
    positions: npt.NDArray[Any]


class MoneySeries:
    """Keeps the samples with the extremes of equity and position of each lane in each bucket of time.

    If a lane has samples in more than `buckets` of them, they become twice as wide. What is kept depends on
    the samples alone, not on the batches in which they came.

    Args:
        buckets: their number.
        shift: buckets are 2**shift nanoseconds wide at first.
    """

    def __init__(self, buckets: int, shift: int) -> None:
        self._buckets = buckets
        self._shift = shift
        self._kept: list[Samples] = []
        self._waiting = 0

    def add(self, samples: Samples) -> None:
        """Add samples, those of a lane in order. O(samples + kept)."""
        if not len(samples.lanes):
            return
        self._kept.append(samples)
        self._waiting += len(samples.lanes)
        if self._waiting > max(len(self._kept[0].lanes), _AT_ONCE):
            self._reduce()

    def equity(self, lane: int) -> tuple[Ints, Floats]:
        """Return times and equity of a lane, in the quote currency."""
        found = self._of(lane)
        kept = extremes(found.times >> self._shift, _equity(found))
        words = zip(found.high[kept].tolist(), found.low[kept].tolist(), strict=True)
        equity = [(high * 2**64 + low % 2**64) / (2 * MONEY_UNITS) for high, low in words]
        return found.times[kept], np.array(equity, np.float64)

    def positions(self, lane: int) -> tuple[Ints, Floats]:
        """Return times and positions of a lane, in the base currency."""
        found = self._of(lane)
        kept = extremes(found.times >> self._shift, found.positions / UNITS)
        return found.times[kept], found.positions[kept] / UNITS

    def _of(self, lane: int) -> Samples:
        self._reduce()
        if not self._kept:
            return Samples(np.zeros(0, np.int16), *[np.zeros(0, np.int64)] * 4)
        (kept,) = self._kept
        place = slice(*np.searchsorted(kept.lanes, [lane, lane + 1]))
        return Samples(*(each[place] for each in kept))

    def _reduce(self) -> None:
        if not self._waiting:
            return
        self._waiting = 0
        found = Samples(*(np.concatenate(each) for each in zip(*self._kept, strict=True)))
        order = np.argsort(found.lanes, kind="stable")
        found = Samples(*(each[order] for each in found))
        is_next = np.diff(found.lanes) != 0
        while True:
            is_first = np.append(True, is_next | (np.diff(found.times >> self._shift) != 0))
            if np.bincount(found.lanes[is_first]).max() <= self._buckets:
                break
            self._shift += 1
        buckets = np.cumsum(is_first)
        is_kept = np.zeros(len(order), bool)
        for values in (_equity(found), found.positions / UNITS):
            is_kept[extremes(buckets, values)] = True
        self._kept = [Samples(*(each[is_kept] for each in found))]


def _equity(samples: Samples) -> Floats:
    """Return twice the equity, nearly; NaN if it is not to be shown."""
    nearly = samples.high * 2.0**64 + samples.low.view(np.uint64)
    return np.where(samples.high == NO_EQUITY, np.nan, nearly)
