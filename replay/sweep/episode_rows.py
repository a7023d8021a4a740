"""The episodes of some thresholds one by one: a row each, once it has closed and its horizons have passed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orderbook.schema import TIME
from orderbook.times import NS
from replay.order_statistics import Ints
from replay.sweep.markouts import UNITS_TO_BPS, MarkOuts, Outcomes, Starts
from replay.sweep.results import horizon_label
from replay.sweep.rows import NO_ROWS, SIZE_UNITS, Flags, Rows

MAX_THRESHOLDS: Final = 50
"""Thresholds whose episodes are written where nobody names them: there is a row for each of each."""


def episode_schema(horizons_ns: Sequence[int]) -> pa.Schema:
    """Return the columns of an episode; `docs/numbers.md` defines them."""
    names = ["threshold", "duration_s", "max_relative_spread", "mid", "bid_size", "ask_size"]
    markouts = [f"markout_{horizon_label(horizon)}_bps" for horizon in horizons_ns]
    return pa.schema(
        [
            pa.field("seq", pa.int64(), nullable=False),
            pa.field("connection", pa.int32(), nullable=False),
            pa.field("start", TIME, nullable=False),
            pa.field("end", TIME, nullable=False),
            pa.field("signals", pa.int64(), nullable=False),
            *(pa.field(name, pa.float64(), nullable=False) for name in names),
            *(pa.field(name, pa.float64()) for name in markouts),
        ]
    )


@dataclass(slots=True)
class _Episode:
    values: dict[str, Any]
    waiting: int
    """For its end, and for each horizon."""
    changes: list[float | None] = field(default_factory=list)


class EpisodeRows:
    """Takes the summaries of one product, in order of seq, and gives the rows of episodes.

    Args:
        thresholds: whose episodes.
        horizons_ns: of their mark-outs.
    """

    def __init__(self, thresholds: Sequence[float], horizons_ns: Sequence[int]) -> None:
        self._thresholds = thresholds
        self._horizons = horizons_ns
        self._schema = episode_schema(horizons_ns)
        self._markouts = MarkOuts(horizons_ns)
        self._open: dict[float, _Episode] = {}
        self._waiting: dict[int, _Episode] = {}  # for a horizon, by number
        self._next = 0
        self._done: list[_Episode] = []
        self._last = NO_ROWS

    def add(self, summaries: pa.RecordBatch) -> pa.RecordBatch:
        """Take the next summaries; return the rows of what is known now, maybe none."""
        if summaries.num_rows:
            new = Rows.of(summaries)
            seqs = summaries.column("seq").to_numpy()
            rows = self._last.then(new)
            fresh = len(rows.time) - len(new.time)
            broken = np.append(np.zeros(1, np.bool_), rows.connection[1:] != rows.connection[:-1])
            started: list[tuple[int, _Episode]] = []
            for threshold in self._thresholds:
                started += self._follow(threshold, rows, seqs, fresh, broken)
            self._mark_out(rows, fresh, broken, sorted(started, key=lambda each: each[0]))
            self._last = rows.slice(-1, None)
        return self._take_done()

    def finish(self) -> pa.RecordBatch:
        """Return the rows of the others: they end where the last summary is, what waits stays unknown."""
        for episode in self._open.values():
            self._end(episode, int(self._last.time[0]))
        self._open = {}
        if len(self._last.time):
            rows = self._last
            self._resolve(self._markouts.see(rows.time, rows.mid, Starts.none(), fresh=1, is_over=True))
        return self._take_done()

    def _follow(
        self, threshold: float, rows: Rows, seqs: Ints, fresh: int, broken: Flags
    ) -> list[tuple[int, _Episode]]:
        """Open and close the episodes of a threshold; return those that begin, with their rows."""
        above = rows.spread > threshold
        before = np.append(np.zeros(1, np.bool_), above[:-1])
        begins = np.flatnonzero(above & (~before | broken))
        ends = np.flatnonzero(before & (~above | broken))
        begins = begins[begins >= fresh].tolist()
        closings: list[int] = [*ends.tolist(), len(above)]
        episode = self._open.pop(threshold, None)
        started = []
        position = fresh
        for end in closings:
            if episode is None:
                if not begins:
                    break
                position = begins.pop(0)
                episode = self._begin(threshold, rows, int(seqs[position - fresh]), position)
                started.append((position, episode))
            values = episode.values
            values["signals"] += end - position
            largest = rows.spread[position:end].max(initial=0.0)
            values["max_relative_spread"] = max(values["max_relative_spread"], float(largest))
            if end == len(above):
                self._open[threshold] = episode
                break
            self._end(episode, int(rows.time[end - 1 if broken[end] else end]))
            episode = None
        return started

    def _begin(self, threshold: float, rows: Rows, seq: int, position: int) -> _Episode:
        values = {
            "seq": seq,
            "connection": int(rows.connection[position]),
            "start": int(rows.time[position]),
            "signals": 0,
            "threshold": threshold,
            "max_relative_spread": 0.0,
            "mid": float(rows.mid[position]),
            "bid_size": float(rows.bid_size[position]) / SIZE_UNITS,
            "ask_size": float(rows.ask_size[position]) / SIZE_UNITS,
        }
        return _Episode(values, 1 + len(self._horizons), [None] * len(self._horizons))

    def _end(self, episode: _Episode, time: int) -> None:
        episode.values |= {"end": time, "duration_s": (time - episode.values["start"]) / NS}
        self._count_down(episode)

    def _count_down(self, episode: _Episode) -> None:
        episode.waiting -= 1
        if not episode.waiting:
            self._done.append(episode)

    def _mark_out(
        self, rows: Rows, fresh: int, broken: Flags, started: Sequence[tuple[int, _Episode]]
    ) -> None:
        at = np.array([position for position, _ in started], np.int64)
        numbers = np.arange(self._next, self._next + len(started))
        self._next += len(started)
        if self._horizons:
            self._waiting |= zip(numbers.tolist(), (episode for _, episode in started), strict=True)
        starts = Starts(
            rows.time[at], rows.mid[at], numbers, numbers + 1, numbers, np.zeros(len(at), np.bool_)
        )
        for low, high in pairwise([0, *np.flatnonzero(broken).tolist(), len(rows.time)]):
            outcomes = self._markouts.see(
                rows.time[low:high],
                rows.mid[low:high],
                starts.rows(slice(*np.searchsorted(at, (low, high)))),
                fresh=fresh if low == 0 else 0,
                is_over=high < len(rows.time),
            )
            self._resolve(outcomes)

    def _resolve(self, outcomes: Iterable[Outcomes]) -> None:
        for number, starts, changes in outcomes:
            for key, change in zip(starts.key.tolist(), changes.tolist(), strict=True):
                episode = self._waiting[key]
                episode.changes[number] = None if np.isnan(change) else change / UNITS_TO_BPS
                self._count_down(episode)
                if number == len(self._horizons) - 1:  # ascending: the others are known
                    del self._waiting[key]

    def _take_done(self) -> pa.RecordBatch:
        done, self._done = self._done, []
        first_markout = len(self._schema) - len(self._horizons)
        columns = [[episode.values[name] for episode in done] for name in self._schema.names[:first_markout]]
        columns += [[episode.changes[number] for episode in done] for number in range(len(self._horizons))]
        return pa.RecordBatch.from_arrays(
            [pa.array(values, kind) for values, kind in zip(columns, self._schema.types, strict=True)],
            schema=self._schema,
        )
