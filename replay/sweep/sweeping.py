"""Any number of thresholds in one pass over a product's summaries.

The thresholds are sorted, and the *level* of a summary is how many of them it is above: it is above exactly
the first `level` ones. One binary search a summary then replaces one comparison a threshold, and everything
is collected by level and spread over the thresholds at the end. A rise of the level opens one range of
episodes and a fall closes ranges, however many thresholds lie between.

Rule for whoever edits this package: every sum is an integer and exact, so that a result depends neither on
how the summaries are cut into batches and parts nor on which other thresholds are asked about.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.errors import ThresholdError
from replay.order_statistics import Floats, Ints
from replay.sweep import exact
from replay.sweep.loops import ARRAYS, Loops
from replay.sweep.markouts import Outcomes, Starts
from replay.sweep.parts import By, Split
from replay.sweep.reporting import Fee, report
from replay.sweep.results import SweepResult
from replay.sweep.rows import NO_ROWS, Flags, Rows
from replay.sweep.sums import PartSums

_ZERO: Final = np.zeros(1, np.int64)
ENOUGH_ROWS: Final = exact.MAX_ROWS // 2
_MANY_BATCHES: Final = (
    256  # of a row each, as a paced replay hands over: they cost kilobytes beside their rows
)


class ThresholdSweep:
    """The numbers of one product for many thresholds: `add` its summaries in order, then `finish`.

    Args:
        thresholds: fractions of the ask price.
        horizons_ns: of the mark-outs, at most a day each.
        fee: of each side, a fraction of the price; None where nobody asks.
        by: what the numbers are split by as well.
        loops: what does the work.

    Raises:
        ThresholdError: where a threshold or the fee is negative or not finite.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        horizons_ns: Sequence[int] = (),
        fee: float | None = None,
        by: By | None = None,
        loops: Loops = ARRAYS,
    ) -> None:
        for value in (*thresholds, *(() if fee is None else (fee,))):
            if not 0 <= value < float("inf"):
                raise ThresholdError(f"{value!r} is not a threshold: it must be finite and not negative")
        self._asked = list(dict.fromkeys(float(threshold) for threshold in thresholds))
        self._horizons = tuple(horizons_ns)
        self._fee = None if fee is None else Fee(fee)
        # Two fees are a threshold too: the time above it and above another one is that of the higher.
        hidden = () if self._fee is None else (self._fee.both_sides,)
        self._thresholds: Floats = np.array(sorted({*self._asked, *hidden}), np.float64)
        self._split = Split(by)
        self._parts: dict[int, PartSums] = {}
        self._loops = loops
        self._episodes = loops.episodes()
        self._markouts = loops.markouts(self._horizons)
        self._waiting: list[Rows] = []
        self._waiting_rows = 0
        self._first_connection: int | None = None
        self._last = NO_ROWS  # the last summary so far, whose interval the next one ends

    def add(self, summaries: pa.RecordBatch) -> None:
        """Take the next summaries (`FLOW_SUMMARY_SCHEMA`), in the order of seq.

        O(rows * log(thresholds)) in numpy, and O(1) amortised in Python for each change of the level. They
        wait until there are some thousands: a call of numpy costs the same for one row as for many.
        """
        if not summaries.num_rows:
            return
        self._waiting.append(self._loops.read_rows(summaries))
        self._waiting_rows += summaries.num_rows
        if self._waiting_rows >= ENOUGH_ROWS or len(self._waiting) >= _MANY_BATCHES:
            self._settle()

    def _settle(self) -> None:
        """Take up what waits."""
        rows = self._last.then(*self._waiting)
        fresh = len(self._last.time)
        self._waiting, self._waiting_rows = [], 0
        while fresh < len(rows.time):
            before = min(fresh, 1)
            self._add(rows.slice(fresh - before, fresh + exact.MAX_ROWS), before)
            fresh += exact.MAX_ROWS

    def _add(self, rows: Rows, fresh: int) -> None:
        """Take up rows; the first new one is 1, behind the last of before, or 0 where there was none."""
        if not fresh:
            self._first_connection = int(rows.connection[0])
        self._last = rows.slice(-1, None)
        levels = self._loops.find_levels(self._thresholds, rows.spread)
        keys = self._split.keys(rows.time, rows.connection)
        for start, stop in _runs(keys[fresh:]):
            chosen = slice(fresh + start, fresh + stop)
            self._part(int(keys[fresh + start])).count(levels[chosen], rows.slice(chosen.start, chosen.stop))
        self._observe(rows, levels, keys)
        self._move(rows, levels, keys, fresh)

    def _part(self, key: int) -> PartSums:
        if key not in self._parts:
            self._parts[key] = self._no_sums()
        return self._parts[key]

    def _no_sums(self) -> PartSums:
        columns, loops = len(self._thresholds), self._loops
        markouts = [loops.markout_sums(columns) for _ in self._horizons]
        return PartSums(
            loops.level_sums(columns + 1), loops.durations(columns), markouts, loops.spread_times()
        )

    def _observe(self, rows: Rows, levels: Ints, keys: Ints) -> None:
        """Add up the intervals between rows."""
        lasts = (rows.connection[1:] == rows.connection[:-1]) & (rows.time[1:] > rows.time[:-1])
        intervals = self._split.intervals(rows.time, keys, np.flatnonzero(lasts))
        for start, stop in _runs(intervals.key):
            # Cut at the edges of parts they may be more than the rows are.
            for first in range(start, stop, exact.MAX_ROWS):
                chosen = slice(first, min(stop, first + exact.MAX_ROWS))
                part = self._part(int(intervals.key[start]))
                part.observe(levels, rows, intervals.row[chosen], intervals.duration[chosen])

    def _move(self, rows: Rows, levels: Ints, keys: Ints, fresh: int) -> None:
        """Open and close episodes, and let mark-outs pass by."""
        broken = np.flatnonzero(rows.connection[1:] != rows.connection[:-1]) + 1
        before = np.concatenate([[0], levels[:-1]])
        before[broken] = 0
        has_moved = levels != before
        has_moved[broken] = True
        has_moved[0] = not fresh
        self._open_and_close(rows, levels, keys, np.flatnonzero(has_moved), broken)
        has_risen = levels > before
        has_risen[:fresh] = False
        at = np.flatnonzero(has_risen)
        is_head = at == (-1 if fresh else 0)
        starts = Starts(rows.time[at], rows.mid[at], before[at], levels[at], keys[at], is_head)
        for low, high in pairwise([0, *broken.tolist(), len(rows.time)]):
            outcomes = self._markouts.see(
                rows.time[low:high],
                rows.mid[low:high],
                starts.rows(slice(*np.searchsorted(at, (low, high)))),
                fresh=fresh if low == 0 else 0,
                is_over=high < len(rows.time),
            )
            self._mark_out(outcomes)

    def _open_and_close(self, rows: Rows, levels: Ints, keys: Ints, at: Ints, broken: Ints) -> None:
        """Move the level at some rows; where a connection ends first down to 0, at its last one."""
        breaks = np.searchsorted(at, broken)
        self._episodes.move(
            np.insert(levels[at], breaks, 0),
            np.insert(rows.time[at], breaks, rows.time[broken - 1]),
            np.insert(keys[at], breaks, keys[broken - 1]),
        )
        self._take_closed()

    def _take_closed(self) -> None:
        closed = self._episodes.take_closed()
        for key, mine in _by_key(closed.key):
            self._part(key).durations.add(closed.low[mine], closed.high[mine], closed.duration[mine])

    def _mark_out(self, outcomes: Iterable[Outcomes]) -> None:
        for number, starts, change in outcomes:
            for key, mine in _by_key(starts.key):
                self._part(key).mark_out(Outcomes(number, starts.rows(mine), change[mine]))

    def merge(self, later: "ThresholdSweep", *, is_adjacent: bool = True) -> None:
        """Go on as another sweep did, with the same thresholds, horizons, fee and split; it is used up.

        The result is that of one sweep over both, bit for bit, also where the cut is inside an interval, an
        episode or a horizon.

        Args:
            later: over the summaries that come next on the same tape, or over another tape.
            is_adjacent: whether it is the same tape.
        """
        if (self._asked, self._horizons, self._fee, self._split.by) != (
            later._asked,
            later._horizons,
            later._fee,
            later._split.by,
        ):
            raise ThresholdError("only sweeps that ask for the same can be merged")
        self._settle()
        later._settle()
        if not len(later._last.time):
            return
        if not len(self._last.time):
            self.__dict__.update(later.__dict__)
            return
        goes_on = is_adjacent and int(self._last.connection[0]) == later._first_connection
        level = self._episodes.level if goes_on else 0
        if goes_on:
            self._join(later)
            self._episodes.take_up(later._episodes)
        else:
            self._episodes.move(_ZERO, self._last.time, _ZERO)
            self._episodes.take_up_apart(later._episodes)
        self._take_closed()
        last = self._last
        self._mark_out(self._markouts.take_up(later._markouts, last.time, last.mid, level, goes_on=goes_on))
        for key, part in later._parts.items():
            self._part(key).take_up(part)
        self._last = later._last

    def _join(self, later: "ThresholdSweep") -> None:
        """Add up the interval from our last summary to the first one of the same connection later."""
        first_time = later._episodes.first_time
        rows = self._last.then(self._last._replace(time=np.array([first_time])))
        self._observe(
            rows,
            self._loops.find_levels(self._thresholds, rows.spread),
            self._split.keys(rows.time, rows.connection),
        )

    def finish(self) -> list[SweepResult]:
        """Return the results so far: of each part, in order, and at last of the whole.

        Episodes that are open count as closed at the last summary, mark-outs that wait as left out. The state
        stays: more may be added.
        """
        self._settle()
        closed = copy.deepcopy(self)
        closed._close()
        results = []
        if self._split.by is not None:
            results = [
                self._report(self._split.part(key), part) for key, part in sorted(closed._parts.items())
            ]
        whole, *others = closed._parts.values() or [self._no_sums()]
        for part in others:
            whole.take_up(part)
        return [*results, self._report(None, whole)]

    def _report(self, part: int | None, sums: PartSums) -> SweepResult:
        return report(part, sums, self._thresholds, self._asked, self._horizons, self._fee)

    def _close(self) -> None:
        """End all that is open where the last summary is."""
        if not len(self._last.time):
            return
        self._episodes.move(_ZERO, self._last.time, _ZERO)
        self._episodes.close_head()
        self._take_closed()
        none = Starts.none()
        self._mark_out(self._markouts.see(self._last.time, self._last.mid, none, fresh=1, is_over=True))
        self._mark_out(self._markouts.close_head())


def _by_key(keys: Ints) -> Iterator[tuple[int, slice | Flags]]:
    """Yield each key with where it stands; nearly always there is one."""
    if len(keys) and (keys == keys[0]).all():
        yield int(keys[0]), slice(None)
        return
    for key in np.unique(keys).tolist():
        yield key, keys == key


def _runs(keys: Ints) -> Iterator[tuple[int, int]]:
    """Yield where each run of equal keys begins and ends."""
    edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    return pairwise(edges) if len(keys) else iter(())
