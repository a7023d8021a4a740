"""Any number of thresholds in one pass over the summaries of a product.

The thresholds are sorted. The *level* of a summary is the number of thresholds that it is above: exactly the
first `level` ones. So one binary search per summary replaces one comparison per threshold. Numbers are added
up by level and spread over the thresholds at the end. A rise of the level opens a *range* of episodes, those
of all thresholds between the old and the new level; a fall closes ranges.

Rule for whoever edits this package: every sum is an integer and exact, so that a result depends neither on
how the summaries are cut into batches and parts nor on which other thresholds are compared.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.episodes import interruptions
from orderbook.episodes import intervals as observed_intervals
from orderbook.errors import ThresholdError
from orderbook.thresholds import find_levels
from replay.comparing.metrics import By
from replay.comparing.sweep import exact
from replay.comparing.sweep.columns import NO_ROWS, Flags, Rows
from replay.comparing.sweep.episodes import OpenEpisodes
from replay.comparing.sweep.markouts import MarkOuts, Outcomes, Starts
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.comparing.sweep.parts import Split
from replay.comparing.sweep.statistics import SweepResult, statistics_of
from replay.comparing.sweep.sums import PartSums

_ZERO: Final = np.zeros(1, np.int64)
ENOUGH_ROWS: Final = exact.MAX_ROWS // 2
"""Number of pending rows that are processed together: a numpy call costs as much for one row as for many."""
_MAX_BATCHES: Final = 256
"""A batch of a paced replay has one row, and kilobytes beside it."""


class ThresholdSweep:
    """The numbers of one product for many thresholds: `add` its summaries in order, then `finish`.

    Args:
        thresholds: fractions of the ask price.
        horizons_ns: horizons of the mark-outs in nanoseconds, at most a day each.
        fee: of each side, a fraction of the price; None without a fee.
        by: split the numbers by hour, day or connection as well.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        horizons_ns: Sequence[int] = (),
        fee: float | None = None,
        by: By | None = None,
    ) -> None:
        self._wanted = list(dict.fromkeys(thresholds))
        self._horizons = tuple(horizons_ns)
        # Two fees are a threshold too: the time above both it and another one is that of the higher one.
        self._fees = None if fee is None else 2 * fee
        hidden = () if self._fees is None else (self._fees,)
        self._thresholds: Floats = np.array(sorted({*self._wanted, *hidden}), np.float64)
        self._split = Split(by)
        self._parts: dict[int, PartSums] = {}
        self._episodes = OpenEpisodes()
        self._markouts = MarkOuts(self._horizons)
        self._pending: list[Rows] = []
        self._pending_rows = 0
        self._first_connection: int | None = None
        self._last = NO_ROWS  # the last summary so far; the next one ends its interval

    def add(self, summaries: pa.RecordBatch) -> None:
        """Add the next summaries (`FLOW_SUMMARY_SCHEMA`), in the order of seq.

        O(rows * log(thresholds)) in numpy, and O(1) amortised in Python for each change of the level.
        """
        if not summaries.num_rows:
            return
        self._pending.append(Rows.of(summaries))
        self._pending_rows += summaries.num_rows
        if self._pending_rows >= ENOUGH_ROWS or len(self._pending) >= _MAX_BATCHES:
            self._process_pending()

    def _process_pending(self) -> None:
        if not self._pending:
            return
        rows = self._last.then(*self._pending)
        fresh = len(self._last.time)
        self._pending, self._pending_rows = [], 0
        while fresh < len(rows.time):
            before = min(fresh, 1)
            self._process(rows.slice(fresh - before, fresh + exact.MAX_ROWS), before)
            fresh += exact.MAX_ROWS

    def _process(self, rows: Rows, fresh: int) -> None:
        """Process rows; the first `fresh` rows (0 or 1) are the last summary before them."""
        if not fresh:
            self._first_connection = int(rows.connection[0])
        self._last = rows.slice(-1, None)
        levels = find_levels(self._thresholds, rows.spread)
        keys = self._split.keys(rows.time, rows.connection)
        for start, stop in _runs(keys[fresh:]):
            chosen = slice(fresh + start, fresh + stop)
            self._part(int(keys[fresh + start])).count(levels[chosen], rows.slice(chosen.start, chosen.stop))
        self._observe(rows, levels, keys)
        self._move(rows, levels, keys, fresh)

    def _part(self, key: int) -> PartSums:
        if key not in self._parts:
            self._parts[key] = self._empty_sums()
        return self._parts[key]

    def _empty_sums(self) -> PartSums:
        return PartSums(len(self._thresholds), len(self._horizons))

    def _observe(self, rows: Rows, levels: Ints, keys: Ints) -> None:
        """Add the intervals between rows to the sums of their parts."""
        opening, durations = observed_intervals(rows.time, rows.connection)
        intervals = self._split.intervals(rows.time, keys, opening[durations > 0])
        for start, stop in _runs(intervals.key):
            # Intervals that are cut at the edges of parts can outnumber the rows.
            for first in range(start, stop, exact.MAX_ROWS):
                chosen = slice(first, min(stop, first + exact.MAX_ROWS))
                part = self._part(int(intervals.key[start]))
                part.observe(levels, rows, intervals.row[chosen], intervals.duration[chosen])

    def _move(self, rows: Rows, levels: Ints, keys: Ints, fresh: int) -> None:
        """Open and close episodes, and resolve mark-outs."""
        breaks = np.flatnonzero(interruptions(rows.connection))
        before = np.concatenate([[0], levels[:-1]])
        before[breaks] = 0
        is_moved = levels != before
        is_moved[breaks] = True
        is_moved[0] = not fresh
        self._open_and_close(rows, levels, keys, np.flatnonzero(is_moved), breaks)
        is_rise = levels > before
        is_rise[:fresh] = False
        at = np.flatnonzero(is_rise)
        is_head = at == (-1 if fresh else 0)
        starts = Starts(rows.time[at], rows.mid[at], before[at], levels[at], keys[at], is_head)
        self._mark_out(self._markouts.add(rows.time, rows.mid, breaks, starts, at, fresh))

    def _open_and_close(self, rows: Rows, levels: Ints, keys: Ints, at: Ints, breaks: Ints) -> None:
        """Move the level at some rows; at the end of a connection, first to 0 at its last summary."""
        places = np.searchsorted(at, breaks)
        self._episodes.move(
            np.insert(levels[at], places, 0),
            np.insert(rows.time[at], places, rows.time[breaks - 1]),
            np.insert(keys[at], places, keys[breaks - 1]),
        )
        self._add_closed_durations()

    def _add_closed_durations(self) -> None:
        closed = self._episodes.pop_closed()
        for key, mine in _by_key(closed.key):
            self._part(key).durations.add(closed.low[mine], closed.high[mine], closed.duration[mine])

    def _mark_out(self, outcomes: Iterable[Outcomes]) -> None:
        for number, starts, change in outcomes:
            for key, mine in _by_key(starts.key):
                self._part(key).mark_out(Outcomes(number, starts.rows(mine), change[mine]))

    def merge(self, later: "ThresholdSweep", *, is_adjacent: bool = True) -> None:
        """Add the summaries of another sweep, which cannot be used any more.

        The result is that of one sweep over both, bit for bit, even if the cut is inside an interval, an
        episode or a horizon.

        Args:
            later: has the same thresholds, horizons, fee and split, and the summaries that come next on the
                same tape, or those of another tape.
            is_adjacent: whether it is the same tape.

        Raises:
            ThresholdError: if the settings of the two differ.
        """
        if self._settings() != later._settings():
            raise ThresholdError("two sweeps can be merged if thresholds, horizons, fee and split are equal")
        self._process_pending()
        later._process_pending()
        if not len(later._last.time):
            return
        if not len(self._last.time):
            self.__dict__.update(later.__dict__)
            return
        is_continued = is_adjacent and int(self._last.connection[0]) == later._first_connection
        level = self._episodes.level if is_continued else 0
        if is_continued:
            self._join(later)
            self._episodes.continue_with(later._episodes)
        else:
            self._episodes.move(_ZERO, self._last.time, _ZERO)
            self._episodes.append(later._episodes)
        self._add_closed_durations()
        self._mark_out(
            self._markouts.continue_with(
                later._markouts, self._last.time, self._last.mid, level, is_continued=is_continued
            )
        )
        for key, part in later._parts.items():
            self._part(key).merge(part)
        self._last = later._last

    def _join(self, later: "ThresholdSweep") -> None:
        """Add the interval between the two sweeps, which are on the same connection."""
        first_time = later._episodes.first_time
        rows = self._last.then(self._last._replace(time=np.array([first_time])))
        levels = find_levels(self._thresholds, rows.spread)
        self._observe(rows, levels, self._split.keys(rows.time, rows.connection))

    def __getstate__(self) -> dict[str, object]:
        """Return what is sent to another process: sums, which take less time there than pending rows."""
        self._process_pending()
        return self.__dict__

    def _settings(self) -> tuple[object, ...]:
        return self._wanted, self._horizons, self._fees, self._split.by

    def finish(self) -> list[SweepResult]:
        """Return the results so far: of each part in order, and of the whole.

        Episodes that are open count as closed at the last summary, pending mark-outs as left out. The sweep
        stays as it is, and more summaries may be added.
        """
        self._process_pending()
        closed = copy.deepcopy(self)
        closed._close()
        results = []
        if self._split.by is not None:
            results = [
                self._report(self._split.part(key), part) for key, part in sorted(closed._parts.items())
            ]
        whole, *others = closed._parts.values() or [self._empty_sums()]
        for part in others:
            whole.merge(part)
        return [*results, self._report(None, whole)]

    def _report(self, part: int | None, sums: PartSums) -> SweepResult:
        return statistics_of(part, sums, self._thresholds, self._wanted, self._horizons, self._fees)

    def _close(self) -> None:
        """Close the open episodes and the pending mark-outs at the last summary."""
        if not len(self._last.time):
            return
        self._episodes.move(_ZERO, self._last.time, _ZERO)
        self._episodes.close_head()
        self._add_closed_durations()
        self._mark_out(self._markouts.end(self._last.time, self._last.mid))
        self._mark_out(self._markouts.close_head())


def _by_key(keys: Ints) -> Iterator[tuple[int, slice | Flags]]:
    """Yield each key with the selection of its rows; nearly always there is one key."""
    if len(keys) and (keys == keys[0]).all():
        yield int(keys[0]), slice(None)
        return
    for key in np.unique(keys).tolist():
        yield key, keys == key


def _runs(keys: Ints) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each run of equal keys."""
    edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    return pairwise(edges) if len(keys) else iter(())
