"""The longest episodes of one threshold with the quotes around each, and how long all of them lasted."""

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orderbook.times import NS
from replay.order_statistics import Floats, Ints
from replay.report.reduction import extremes

AROUND_NS: Final = 5 * NS
"""How much of the quotes before and after an episode is kept."""
BINS_PER_DECADE: Final = 4
"""Durations are counted by their logarithm."""
_MAX_WAITING: Final = 8192
"""Rows that wait for an episode's end; of more, only the extremes of both sides are kept."""
_SHOWN_ROWS: Final = 160


@dataclass(frozen=True, slots=True)
class Quotes:
    """Best bid and ask after each of some summaries of one connection; NaN where a side is empty."""

    times: Ints
    bids: Floats
    asks: Floats

    def take(self, places: Ints | slice) -> "Quotes":
        """Return some of the rows."""
        return Quotes(self.times[places], self.bids[places], self.asks[places])

    def join(self, later: "Quotes") -> "Quotes":
        """Return these rows and later ones."""
        sides = zip((self.times, self.bids, self.asks), (later.times, later.bids, later.asks), strict=True)
        return Quotes(*(np.concatenate(pair) for pair in sides))

    def between(self, start: int, end: int) -> "Quotes":
        """Return the rows of `start` to `end`, both included."""
        return self.take(slice(*np.searchsorted(self.times, [start, end + 1]).tolist()))

    def thinned(self, rows: int) -> "Quotes":
        """Return about so many rows at most: the first, the last, and the extremes of both sides between."""
        count = len(self.times)
        if count <= rows:
            return self
        group = np.arange(count) * (rows // 4) // count
        places: list[Ints] = [np.array([0, count - 1])]
        for side in (self.bids, self.asks):
            there = np.flatnonzero(~np.isnan(side))
            places.append(there[extremes(group[there], side[there])])
        return self.take(np.unique(np.concatenate(places)))


@dataclass(slots=True)
class Episode:
    """One episode, in ns since 1970 and fractions of the ask price.

    Attributes:
        start, end: its first summary's time, and the time up to which it counts.
        connection: that it belongs to.
        max_spread: the largest relative spread of its summaries.
        is_cut: it ended because its connection or the tape did.
        quotes: around it, within its connection; in full or their extremes.
    """

    start: int
    end: int
    connection: int
    max_spread: float
    is_cut: bool
    quotes: Quotes | None = None

    @property
    def duration_ns(self) -> int:
        """How long it lasted."""
        return self.end - self.start

    def __lt__(self, other: "Episode") -> bool:
        """Tell whether it is to be left out before another: shorter, or as long and later."""
        return (self.duration_ns, -self.start) < (other.duration_ns, -other.start)


class LongestEpisodes:
    """The episodes of one product and threshold; the `keep` longest in full.

    Attributes:
        threshold: a fraction of the ask price.
        count: of all episodes so far that have ended.
        durations: how many lasted so long: bin b is from 10**(b / BINS_PER_DECADE) s on, None is 0 s.
    """

    def __init__(self, threshold: float, keep: int) -> None:
        self.threshold = threshold
        self.count = 0
        self.durations: Counter[int | None] = Counter()
        self._keep = keep
        self._kept: list[Episode] = []  # a heap, the shortest first
        self._connection: int | None = None
        self._waiting = Quotes(np.empty(0, np.int64), np.empty(0), np.empty(0))
        self._open = _Open()

    def add(self, quotes: Quotes, spreads: Floats, connections: Ints) -> None:
        """Take the next summaries. O(rows), and O(log keep) for each episode."""
        edges = [0, *(np.flatnonzero(np.diff(connections)) + 1).tolist(), len(connections)]
        for first, end in pairwise(edges):
            if first < end:
                self._end_unless(int(connections[first]))
                self._add(quotes.take(slice(first, end)), spreads[first:end])

    def finish(self) -> list[Episode]:
        """End what is open, and return the longest in order of time."""
        self._end_unless(None)
        return sorted(self._kept, key=lambda episode: episode.start)

    def _end_unless(self, connection: int | None) -> None:
        """End the connection that was, unless it goes on."""
        if connection == self._connection:
            return
        if self._open.start is not None:
            self._close(int(self._waiting.times[-1]), is_cut=True)
        self._cut_out(None)
        self._waiting = self._waiting.take(slice(0, 0))
        self._connection = connection

    def _add(self, quotes: Quotes, spreads: Floats) -> None:
        self._waiting = self._waiting.join(quotes)
        above: NDArray[np.bool_] = spreads > self.threshold  # NaN is never
        before = np.concatenate([[self._open.start is not None], above[:-1]])
        turns = np.flatnonzero(above != before)
        bounds = np.concatenate([[0], turns])
        highest = np.fmax.reduceat(spreads, bounds) if len(spreads) else spreads
        if len(turns) and turns[0] == 0:
            bounds, highest = bounds[1:], highest[1:]
        for place, most in zip(bounds.tolist(), highest.tolist(), strict=True):
            if above[place]:
                self._open.go_on(int(quotes.times[place]), most)
            elif self._open.start is not None:
                self._close(int(quotes.times[place]), is_cut=False)
        self._cut_out(int(quotes.times[-1]))
        self._trim()

    def _close(self, end: int, *, is_cut: bool) -> None:
        start, self._open.start = self._open.start, None
        assert start is not None and self._connection is not None  # noqa: S101, PT018  for mypy
        episode = Episode(start, end, self._connection, self._open.max_spread, is_cut)
        self.count += 1
        self.durations[duration_bin(episode.duration_ns)] += 1
        if len(self._kept) < self._keep:
            heapq.heappush(self._kept, episode)
        elif self._kept[0] < episode:
            heapq.heapreplace(self._kept, episode)

    def _cut_out(self, now: int | None) -> None:
        """Give their quotes to the episodes of which all are there; to all where `now` is None."""
        for episode in self._kept:
            if episode.quotes is None and (now is None or now > episode.end + AROUND_NS):
                around = self._waiting.between(episode.start - AROUND_NS, episode.end + AROUND_NS)
                episode.quotes = around.thinned(_SHOWN_ROWS)

    def _trim(self) -> None:
        """Forget the quotes that no episode can need any more."""
        times = self._waiting.times
        needed = [episode.start for episode in self._kept if episode.quotes is None]
        if self._open.start is not None:
            needed.append(self._open.start)
        since = min([int(times[-1]), *needed]) - AROUND_NS
        self._waiting = self._waiting.take(slice(int(np.searchsorted(times, since)), None))
        if len(self._waiting.times) > _MAX_WAITING:
            self._waiting = self._waiting.thinned(_MAX_WAITING // 2)


@dataclass(slots=True)
class _Open:
    """The episode that has begun and not ended, where there is one."""

    start: int | None = None
    max_spread: float = field(default=0.0)

    def go_on(self, time: int, spread: float) -> None:
        """Begin at a time, or go on, with the largest spread of what follows."""
        if self.start is None:
            self.start, self.max_spread = time, spread
        self.max_spread = max(self.max_spread, spread)


def duration_bin(duration_ns: int) -> int | None:
    """Return the bin of a duration; None where it is 0.

    >>> duration_bin(NS), duration_bin(10 * NS), duration_bin(0)
    (0, 4, None)
    """
    return math.floor(math.log10(duration_ns / NS) * BINS_PER_DECADE) if duration_ns else None
