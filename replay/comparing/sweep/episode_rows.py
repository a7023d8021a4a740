"""The episodes of some thresholds one by one: a row each, once it has closed and its horizons have passed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orderbook.episodes import end_times, find_episodes, interruptions
from orderbook.schema import TIME
from orderbook.thresholds import is_above
from orderbook.times import NS
from replay.comparing.metrics import horizon_label
from replay.comparing.sweep.columns import NO_ROWS, SIZE_UNITS, Flags, Rows
from replay.comparing.sweep.markouts import UNITS_TO_BPS, MarkOuts, Outcomes, Starts
from replay.comparing.sweep.order_statistics import Ints

MAX_THRESHOLDS: Final = 50
"""The most thresholds whose episodes are written by default: each has a row for each of its episodes."""


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
    """An episode that is not complete.

    Attributes:
        values: by column.
        pending: number of events that it waits for: its end, each horizon, and of the head its release.
        changes: of the mid price, one for each horizon; None if not known.
    """

    values: dict[str, Any]
    pending: int
    changes: list[float | None]


class EpisodeRows:
    """Turns the summaries of one product, in the order of seq, into rows of episodes.

    Args:
        thresholds: whose episodes.
        horizons_ns: of their mark-outs.
        is_piece: whether other summaries may precede: the episodes that begin with the very first one are
            held back, as they may have begun before it, until `merge` or `finish`.
    """

    def __init__(
        self, thresholds: Sequence[float], horizons_ns: Sequence[int], *, is_piece: bool = False
    ) -> None:
        self._thresholds = thresholds
        self._horizons = horizons_ns
        self._schema = episode_schema(horizons_ns)
        self._markouts = MarkOuts(horizons_ns)
        self._open: dict[float, _Episode] = {}
        self._unresolved: dict[int, _Episode] = {}  # by number: episodes with a horizon that has not passed
        self._complete: list[_Episode] = []
        self._is_piece = is_piece
        self._head: dict[float, _Episode] = {}  # by threshold: those that begin with the first summary
        self._first = self._last = NO_ROWS

    def add(self, summaries: pa.RecordBatch) -> pa.RecordBatch:
        """Add the next summaries; return the rows of the episodes that are complete now."""
        if summaries.num_rows:
            new = Rows.of(summaries)
            seqs = summaries.column("seq").to_numpy()
            rows = self._last.then(new)
            fresh = len(rows.time) - len(new.time)
            interrupted = interruptions(rows.connection)
            started: list[tuple[int, _Episode]] = []
            for threshold in self._thresholds:
                started += self._follow(threshold, rows, seqs, fresh, interrupted)
            started.sort(key=lambda each: each[0])
            if not len(self._first.time):
                self._first = rows.slice(0, 1)
            self._mark_out(rows, fresh, np.flatnonzero(interrupted), started)
            self._last = rows.slice(-1, None)
        return self.pop_complete()

    def merge(self, later: "EpisodeRows") -> None:
        """Add the summaries of the piece that comes next, which cannot be used any more.

        The rows that this completes are those that `pop_complete` returns next.
        """
        if not len(later._first.time):
            return
        if not len(self._first.time):
            later._complete = self._complete + later._complete
            later._is_piece = self._is_piece
            self.__dict__.update(later.__dict__)
            if not self._is_piece:
                self._release_head()
            return
        is_continued = bool(self._last.connection[0] == later._first.connection[0])
        end = int((later._first if is_continued else self._last).time[0])
        for threshold, episode in self._open.items():
            head = later._head.pop(threshold, None) if is_continued else None
            if head is None:
                self._end(episode, end)
                continue
            values = episode.values
            values["signals"] += head.values["signals"]
            values["max_relative_spread"] = max(
                values["max_relative_spread"], head.values["max_relative_spread"]
            )
            if "end" in head.values:
                self._end(episode, head.values["end"])
            else:
                later._open[threshold] = episode
        later._release_head()
        self._complete += later._complete
        self._open = later._open
        self._resolve(
            self._markouts.continue_with(
                later._markouts, self._last.time, self._last.mid, 0, is_continued=is_continued
            )
        )
        self._unresolved |= later._unresolved
        self._last = later._last

    def _release_head(self) -> None:
        """Treat the head like all others: nothing that precedes it continues in it."""
        for episode in self._head.values():
            self._count_down(episode)
        self._head = {}

    def finish(self) -> pa.RecordBatch:
        """Return the rows of all others: they end at the last summary, and pending mark-outs stay unknown."""
        self._release_head()
        for episode in self._open.values():
            self._end(episode, int(self._last.time[0]))
        self._open = {}
        if len(self._last.time):
            self._resolve(self._markouts.end(self._last.time, self._last.mid))
        return self.pop_complete()

    def _follow(
        self, threshold: float, rows: Rows, seqs: Ints, fresh: int, interrupted: Flags
    ) -> list[tuple[int, _Episode]]:
        """Open and close the episodes of a threshold; return those that begin, with their positions."""
        firsts, ends = find_episodes(is_above(rows.spread, threshold), interrupted)
        begins = firsts[firsts >= fresh].tolist()
        times = end_times(rows.time, ends, interrupted).tolist()
        episode = self._open.pop(threshold, None)
        started = []
        position = fresh
        for end, time in zip_longest([*ends.tolist(), len(rows.time)], times):
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
            if time is None:
                self._open[threshold] = episode
                break
            self._end(episode, time)
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
        episode = _Episode(values, 1 + len(self._horizons), [None] * len(self._horizons))
        if self._is_piece and not position and not len(self._first.time):
            episode.pending += 1
            self._head[threshold] = episode
        return episode

    def _end(self, episode: _Episode, time: int) -> None:
        episode.values |= {"end": time, "duration_s": (time - episode.values["start"]) / NS}
        self._count_down(episode)

    def _count_down(self, episode: _Episode) -> None:
        episode.pending -= 1
        if not episode.pending:
            self._complete.append(episode)

    def _mark_out(
        self, rows: Rows, fresh: int, breaks: Ints, started: Sequence[tuple[int, _Episode]]
    ) -> None:
        at = np.array([position for position, _ in started], np.int64)
        numbers = np.array([self._number(episode) for _, episode in started], np.int64)
        if self._horizons:
            self._unresolved |= zip(numbers.tolist(), (episode for _, episode in started), strict=True)
        is_head = np.zeros(len(at), np.bool_)
        starts = Starts(rows.time[at], rows.mid[at], numbers, numbers + 1, numbers, is_head)
        self._resolve(self._markouts.add(rows.time, rows.mid, breaks, starts, at, fresh))

    def _number(self, episode: _Episode) -> int:
        """Return a number that no other episode of the tape has."""
        place = self._thresholds.index(episode.values["threshold"])
        seq: int = episode.values["seq"]
        return seq * len(self._thresholds) + place

    def _resolve(self, outcomes: Iterable[Outcomes]) -> None:
        for horizon, starts, changes in outcomes:
            for number, change in zip(starts.key.tolist(), changes.tolist(), strict=True):
                episode = self._unresolved[number]
                episode.changes[horizon] = None if np.isnan(change) else change / UNITS_TO_BPS
                self._count_down(episode)
                if horizon == len(self._horizons) - 1:  # the longest: the others have passed before
                    del self._unresolved[number]

    def pop_complete(self) -> pa.RecordBatch:
        """Return the rows of the episodes that are complete, and not returned yet."""
        complete, self._complete = self._complete, []
        names = self._schema.names[: len(self._schema) - len(self._horizons)]
        columns = [[episode.values[name] for episode in complete] for name in names]
        columns += [[each.changes[number] for each in complete] for number in range(len(self._horizons))]
        return pa.RecordBatch.from_arrays(
            [pa.array(values, kind) for values, kind in zip(columns, self._schema.types, strict=True)],
            schema=self._schema,
        )
