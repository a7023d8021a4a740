"""The longest episodes of one threshold with the quotes around each, and the durations of all of them."""

import heapq
import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from orderbook.thresholds import is_above
from orderbook.times import NS
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.report.collect.reduction import extremes

AROUND_NS: Final = 5 * NS
"""Time before and after an episode for which quotes are kept."""
BINS_PER_DECADE: Final = 4
"""Durations are counted in logarithmic bins."""
_MAX_PENDING: Final = 8192
"""Quotes kept until an episode ends; if there are more, only the extremes of both sides are kept."""
_SHOWN_ROWS: Final = 160


@dataclass(frozen=True, slots=True)
class Quotes:
    """Best bid and ask of consecutive summaries of one connection; NaN if a side is empty."""

    times: Ints
    bids: Floats
    asks: Floats

    def __getitem__(self, rows: Ints | slice) -> "Quotes":
        return Quotes(self.times[rows], self.bids[rows], self.asks[rows])

    def join(self, later: "Quotes") -> "Quotes":
        """Return these rows and later ones."""
        sides = zip((self.times, self.bids, self.asks), (later.times, later.bids, later.asks), strict=True)
        return Quotes(*(np.concatenate(pair) for pair in sides))

    def between(self, start: int, end: int) -> "Quotes":
        """Return the rows from `start` to `end`, both inclusive."""
        return self[slice(*np.searchsorted(self.times, [start, end + 1]).tolist())]

    def thinned(self, rows: int) -> "Quotes":
        """Return about `rows` rows at most: the first, the last, and the extremes of both sides between."""
        count = len(self.times)
        if count <= rows:
            return self
        group = np.arange(count) * (rows // 4) // count
        places: list[Ints] = [np.array([0, count - 1])]
        for side in (self.bids, self.asks):
            present = np.flatnonzero(~np.isnan(side))
            places.append(present[extremes(group[present], side[present])])
        return self[np.unique(np.concatenate(places))]


@dataclass(slots=True)
class Episode:
    """One episode.

    Attributes:
        number: from 0, in the order in which they ended.
        start, end: time of its first summary and time up to which it counts, nanoseconds since 1970.
        connection: number of its connection.
        max_spread: largest relative spread of its summaries, a fraction of the best ask.
        is_cut: whether it ended because its connection or the tape ended.
        quotes: the quotes around it within its connection, all or their extremes; None until complete.
    """

    number: int
    start: int
    end: int
    connection: int
    max_spread: float
    is_cut: bool
    quotes: Quotes | None = None

    @property
    def duration_ns(self) -> int:
        """Its length in nanoseconds."""
        return self.end - self.start

    def __lt__(self, other: "Episode") -> bool:
        """Return whether this one is dropped before another: shorter, or as long and later."""
        return (self.duration_ns, -self.number) < (other.duration_ns, -other.number)


class LongestEpisodes:
    """The episodes of one product above a threshold; the `keep` longest with their quotes.

    Attributes:
        threshold: a fraction of the best ask.
        count: number of episodes that have ended.
        durations: number of episodes by bin: bin b begins at 10**(b / BINS_PER_DECADE) s, None holds 0 s.
    """

    def __init__(self, threshold: float, keep: int) -> None:
        self.threshold = threshold
        self.count = 0
        self.durations: Counter[int | None] = Counter()
        self._keep = keep
        self._kept: list[Episode] = []  # a heap, the shortest first
        self._connection: int | None = None
        self._pending = Quotes(np.empty(0, np.int64), np.empty(0), np.empty(0))
        self._open = _OpenEpisode()

    def add(self, quotes: Quotes, spreads: Floats, connections: Ints) -> None:
        """Add the next summaries. O(rows), and O(log keep) for each episode."""
        edges = [0, *(np.flatnonzero(np.diff(connections)) + 1).tolist(), len(connections)]
        for first, end in pairwise(edges):
            if first < end:
                self._switch_to(int(connections[first]))
                self._add(quotes[first:end], spreads[first:end])

    def finish(self) -> list[Episode]:
        """End the open episode, and return the longest ones in order of time."""
        self._switch_to(None)
        return sorted(self._kept, key=lambda episode: episode.number)

    def _switch_to(self, connection: int | None) -> None:
        """End the current connection if another one begins."""
        if connection == self._connection:
            return
        if self._open.start is not None:
            self._close(int(self._pending.times[-1]), is_cut=True)
        self._attach_quotes(None)
        self._pending = self._pending[:0]
        self._connection = connection

    def _add(self, quotes: Quotes, spreads: Floats) -> None:
        self._pending = self._pending.join(quotes)
        above = is_above(spreads, self.threshold)
        before = np.concatenate([[self._open.start is not None], above[:-1]])
        turns = np.flatnonzero(above != before)
        bounds = np.concatenate([[0], turns])
        highest = np.fmax.reduceat(spreads, bounds) if len(spreads) else spreads
        if len(turns) and turns[0] == 0:
            bounds, highest = bounds[1:], highest[1:]
        for place, most in zip(bounds.tolist(), highest.tolist(), strict=True):
            if above[place]:
                self._open.extend(int(quotes.times[place]), most)
            elif self._open.start is not None:
                self._close(int(quotes.times[place]), is_cut=False)
        self._attach_quotes(int(quotes.times[-1]))
        self._trim()

    def _close(self, end: int, *, is_cut: bool) -> None:
        start, self._open.start = self._open.start, None
        assert start is not None and self._connection is not None  # noqa: S101, PT018  for mypy
        episode = Episode(self.count, start, end, self._connection, self._open.max_spread, is_cut)
        self.count += 1
        self.durations[duration_bin(episode.duration_ns)] += 1
        if len(self._kept) < self._keep:
            heapq.heappush(self._kept, episode)
        elif self._kept[0] < episode:
            heapq.heapreplace(self._kept, episode)

    def _attach_quotes(self, now: int | None) -> None:
        """Attach quotes to the episodes for which all have arrived; to all episodes if `now` is None."""
        for episode in self._kept:
            if episode.quotes is None and (now is None or now > episode.end + AROUND_NS):
                around = self._pending.between(episode.start - AROUND_NS, episode.end + AROUND_NS)
                episode.quotes = around.thinned(_SHOWN_ROWS)

    def _trim(self) -> None:
        """Discard the quotes that no episode can need any more."""
        times = self._pending.times
        needed = [episode.start for episode in self._kept if episode.quotes is None]
        if self._open.start is not None:
            needed.append(self._open.start)
        since = min([int(times[-1]), *needed]) - AROUND_NS
        self._pending = self._pending[int(np.searchsorted(times, since)) :]
        if len(self._pending.times) > _MAX_PENDING:
            self._pending = self._pending.thinned(_MAX_PENDING // 2)


@dataclass(slots=True)
class _OpenEpisode:
    """The episode that has begun and not ended; `start` is None if there is none."""

    start: int | None = None
    max_spread: float = 0.0

    def extend(self, time: int, spread: float) -> None:
        """Begin at a time unless it has begun, with the largest spread of the rows that follow."""
        if self.start is None:
            self.start, self.max_spread = time, spread
        self.max_spread = max(self.max_spread, spread)


def duration_bin(duration_ns: int) -> int | None:
    """Return the bin of a duration in nanoseconds; None for 0.

    >>> duration_bin(NS), duration_bin(10 * NS), duration_bin(0)
    (0, 4, None)
    """
    return math.floor(math.log10(duration_ns / NS) * BINS_PER_DECADE) if duration_ns else None
