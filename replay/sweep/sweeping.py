"""Any number of thresholds in one pass over a product's summaries.

The thresholds are sorted, and the *level* of a summary is how many of them it is above: it is above exactly
the first `level` ones. One binary search a summary then replaces one comparison a threshold, and everything
is collected by level and spread over the thresholds at the end. A rise of the level opens one range of
episodes and a fall closes ranges, however many thresholds lie between.

Rule for whoever edits this module: every sum is an integer and exact, so that a result depends neither on
how the summaries are cut into batches nor on which other thresholds are asked about.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.errors import ThresholdError
from orderbook.times import NS
from replay.order_statistics import Floats, Ints, count_by_column, percentiles_by_column

_SPREAD_UNITS: Final = 10**12
"""Units of the relative spread to 1: its column is rounded to 1e-12."""

_MAX_ROWS: Final = 1 << 16
"""Rows that are added at once: `_ExactProducts` relies on it."""


@dataclass(frozen=True, slots=True)
class ThresholdStatistics:
    """What one threshold lets pass, in seconds and fractions of the ask price; None where there is none."""

    threshold: float
    signals: int
    """Summaries that are above."""
    episodes: int
    time_above_s: float
    observed_s: float
    """All intervals between consecutive summaries of one connection, above or not."""
    share: float | None
    """Time above / observed time."""
    duration_p50_s: float | None
    duration_p95_s: float | None
    duration_max_s: float | None
    mean_relative_spread: float | None
    """Over the time above, weighted by it."""
    max_relative_spread: float | None
    """Over the signals."""


class ThresholdSweep:
    """The statistics of one product for many thresholds: `add` its summaries in order, then `finish`.

    Raises:
        ThresholdError: where a threshold is negative or not finite.
    """

    def __init__(self, thresholds: Sequence[float]) -> None:
        for threshold in thresholds:
            if not 0 <= threshold < float("inf"):
                raise ThresholdError(f"{threshold!r} is not a threshold: it must be finite and not negative")
        self._asked = list(dict.fromkeys(float(threshold) for threshold in thresholds))
        self._thresholds: Floats = np.array(sorted(self._asked), np.float64)
        levels = len(self._thresholds) + 1
        # By level. Level 0 is above no threshold.
        self._signals: Ints = np.zeros(levels, np.int64)
        self._time_ns: Ints = np.zeros(levels, np.int64)
        self._max_spread: Floats = np.zeros(levels, np.float64)
        self._spread_time = _ExactProducts(levels)
        self._episodes = _Episodes()
        # The last summary so far, whose interval the next one ends.
        self._last_time: Ints = np.empty(0, np.int64)
        self._last_spread: Floats = np.empty(0, np.float64)
        self._last_connection: Ints = np.empty(0, np.int64)

    def add(self, summaries: pa.RecordBatch) -> None:
        """Take the next summaries (`FLOW_SUMMARY_SCHEMA`), in the order of seq.

        O(rows * log(thresholds)) in numpy, and O(1) amortised in Python for each change of the level.
        """
        times = summaries.column("recv_time").cast(pa.int64()).to_numpy()
        spreads = summaries.column("relative_spread").to_numpy(zero_copy_only=False)  # null becomes NaN
        spreads = np.where(spreads > 0, spreads, 0.0)  # 0 is above no threshold, and neither is NaN
        connections = summaries.column("connection").to_numpy()
        for start in range(0, len(times), _MAX_ROWS):
            rows = slice(start, start + _MAX_ROWS)
            self._add(times[rows], spreads[rows], connections[rows])

    def _add(self, new_times: Ints, new_spreads: Floats, new_connections: Ints) -> None:
        times = np.concatenate([self._last_time, new_times])
        spreads = np.concatenate([self._last_spread, new_spreads])
        connections = np.concatenate([self._last_connection, new_connections])
        levels = np.searchsorted(self._thresholds, spreads, side="left")
        fresh = len(self._last_time)
        self._last_time, self._last_spread, self._last_connection = times[-1:], spreads[-1:], connections[-1:]

        np.add.at(self._signals, levels[fresh:], 1)
        np.maximum.at(self._max_spread, levels[fresh:], new_spreads)
        continues = connections[1:] == connections[:-1]
        intervals = np.where(continues, times[1:] - times[:-1], 0)
        np.add.at(self._time_ns, levels[:-1], intervals)
        units = np.rint(spreads[:-1] * _SPREAD_UNITS).astype(np.int64)
        self._spread_time.add(levels[:-1], units, intervals)

        if not fresh:
            self._episodes.move(levels[:1].tolist(), times[:1].tolist())
        moves = np.flatnonzero((levels[1:] != levels[:-1]) | ~continues)
        broken = np.flatnonzero(~continues[moves])  # first down to 0, where the old connection ends
        self._episodes.move(
            np.insert(levels[moves + 1], broken, 0).tolist(),
            np.insert(times[moves + 1], broken, times[moves[broken]]).tolist(),
        )

    def finish(self) -> list[ThresholdStatistics]:
        """Return the statistics so far in the order in which the thresholds were given, each once.

        Episodes that are open count as closed at the last summary. The state stays: more may be added.
        """
        columns = len(self._thresholds)
        low, high, duration = self._episodes.until(int(self._last_time.sum()))  # of one or none
        episodes = count_by_column(low, high, columns).tolist()
        percentiles = percentiles_by_column(low, high, duration, columns, (0.5, 0.95, 1.0)) / NS
        signals = _from_above(self._signals)
        above_ns = _from_above(self._time_ns)
        max_spread = np.maximum.accumulate(self._max_spread[::-1])[::-1][1:].tolist()
        observed_ns = int(self._time_ns.sum())
        spread_time = self._spread_time.from_above()
        rows = {}
        for index, threshold in enumerate(self._thresholds.tolist()):
            p50, p95, longest = percentiles[:, index].tolist() if episodes[index] else (None, None, None)
            time_ns = above_ns[index]
            rows[threshold] = ThresholdStatistics(
                threshold=threshold,
                signals=signals[index],
                episodes=episodes[index],
                time_above_s=time_ns / NS,
                observed_s=observed_ns / NS,
                share=time_ns / observed_ns if observed_ns else None,
                duration_p50_s=p50,
                duration_p95_s=p95,
                duration_max_s=longest,
                mean_relative_spread=spread_time[index] / (_SPREAD_UNITS * time_ns) if time_ns else None,
                max_relative_spread=max_spread[index] if signals[index] else None,
            )
        return [rows[threshold] for threshold in self._asked]


class _Episodes:
    """Which episodes are open, and the ranges of those that are closed.

    The open ones are a stack of ranges of thresholds without holes from 0 to the level: each begins at its
    `low` and ends where the next one begins. Every range is pushed once and popped once.
    """

    def __init__(self) -> None:
        self._level = 0
        self._open_low: list[int] = []
        self._open_since: list[int] = []
        self._closed_low = array("i")
        self._closed_high = array("i")
        self._closed_ns = array("q")

    def move(self, levels: list[int], times: list[int]) -> None:
        """Let the level become each of `levels` at its time. O(1) amortised for each."""
        open_low, open_since = self._open_low, self._open_since
        close_low, close_high, close_ns = (
            self._closed_low.append,
            self._closed_high.append,
            self._closed_ns.append,
        )
        current = self._level
        for level, time in zip(levels, times, strict=True):
            if level > current:
                open_low.append(current)
                open_since.append(time)
            while current > level:
                low = open_low[-1]
                since = open_since[-1]
                if low >= level:
                    open_low.pop()
                    open_since.pop()
                else:
                    low = level  # the rest of the range stays open
                close_low(low)
                close_high(current)
                close_ns(time - since)
                current = low
            current = level
        self._level = current

    def until(self, now: int) -> tuple[Ints, Ints, Ints]:
        """Return low, high and duration of all ranges, the open ones as if they closed now."""
        open_high = [high for _, high in pairwise([*self._open_low, self._level])]
        open_ns = [now - since for since in self._open_since]
        return (
            np.concatenate([np.array(self._closed_low, np.int64), np.array(self._open_low, np.int64)]),
            np.concatenate([np.array(self._closed_high, np.int64), np.array(open_high, np.int64)]),
            np.concatenate([np.array(self._closed_ns, np.int64), np.array(open_ns, np.int64)]),
        )


class _ExactProducts:
    """Sums of spread units times nanoseconds by level; a product needs up to 103 bits, a sum more.

    Each factor is cut into pieces: 3 of 14 bits of a spread (at most 1e12, below 2**40), and 2 of 32 bits
    of a time. A piece's products have 46 bits, so 2**16 of them add up within int64. What exceeds 32 bits
    is then carried to a second array, which holds 2**31 such batches.
    """

    _PIECES: Final = tuple((spread, time) for spread in (0, 14, 28) for time in (0, 32))

    def __init__(self, levels: int) -> None:
        self._small: Ints = np.zeros((len(self._PIECES), levels), np.int64)
        self._carried: Ints = np.zeros_like(self._small)

    def add(self, levels: Ints, units: Ints, times: Ints) -> None:
        """Add `units * times` to the sums of the levels; at most `_MAX_ROWS` rows."""
        spread_pieces = {shift: (units >> shift) & 0x3FFF for shift in (0, 14, 28)}
        time_pieces = {shift: (times >> shift) & 0xFFFF_FFFF for shift in (0, 32)}
        for sums, (spread, time) in zip(self._small, self._PIECES, strict=True):
            np.add.at(sums, levels, spread_pieces[spread] * time_pieces[time])
        self._carried += self._small >> 32
        self._small &= 0xFFFF_FFFF

    def from_above(self) -> list[int]:
        """Return for each threshold the sum over the levels above it."""
        sums = [0] * self._small.shape[1]
        pieces = zip(self._small.tolist(), self._carried.tolist(), self._PIECES, strict=True)
        for small, carried, (spread, time) in pieces:
            shift = spread + time
            sums = [
                total + ((s + (c << 32)) << shift) for total, s, c in zip(sums, small, carried, strict=True)
            ]
        for index in reversed(range(len(sums) - 1)):
            sums[index] += sums[index + 1]
        return sums[1:]


def _from_above(by_level: Ints) -> list[int]:
    """Return for each threshold the sum over the levels above it."""
    sums: list[int] = np.cumsum(by_level[::-1])[::-1][1:].tolist()
    return sums
