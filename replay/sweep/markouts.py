"""What the mid price does after an episode begins, for ranges of thresholds at once.

Where the level rises from a to b, episodes of the thresholds [a, b) begin with one mid price. What that price
is a horizon later is one number for all of them: it waits with its range until the time has come, and is then
added where the range begins and taken away where it ends.

A change is an integer in units of 1e-6 bps, so that sums are exact. It is known where the connection is
observed until the horizon: the mid then is that of the last summary at or before it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from replay.order_statistics import Floats, Ints

UNITS_TO_BPS: Final = 10**6

UNITS_TO_ONE: Final = 1e10
MAX_UNITS: Final = 1e12
"""A mid that became 101 times what it was; more counts as that much, so that squares stay in bounds."""


class Starts(NamedTuple):
    """Episodes of the thresholds [low, high) that begin: when, at which mid, under which key.

    The head is those that begin with the very first summary: they may have begun in an earlier part.
    """

    time: Ints
    mid: Floats
    low: Ints
    high: Ints
    key: Ints
    is_head: NDArray[np.bool_]

    @classmethod
    def none(cls) -> "Starts":
        """Return no starts."""
        ints = np.empty(0, np.int64)
        return cls(ints, np.empty(0), ints, ints, ints, np.empty(0, np.bool_))

    def rows(self, chosen: slice | NDArray[np.bool_]) -> "Starts":
        """Return some of them."""
        return Starts._make(column[chosen] for column in self)

    def then(self, more: "Starts") -> "Starts":
        """Return them and more behind."""
        return Starts._make(map(np.concatenate, zip(self, more, strict=True)))


class Outcomes(NamedTuple):
    """What became of starts after a horizon, in units of 1e-6 bps; NaN where it is not known."""

    horizon: int
    """Its number."""
    starts: Starts
    change: Floats


class MarkOuts:
    """What waits for its horizon, and the first summaries, for which an earlier part may wait.

    Memory: the starts and summaries of the longest horizon.
    """

    def __init__(self, horizons_ns: Sequence[int]) -> None:
        self._horizons = horizons_ns
        self._waiting = [Starts.none()] * len(horizons_ns)
        self._head: dict[int, tuple[Starts, float]] = {}  # by horizon, what is known of the head
        self._opening = _Opening(max(horizons_ns, default=0))

    def see(
        self, times: Ints, mids: Floats, starts: Starts, *, fresh: int, is_over: bool
    ) -> Iterator[Outcomes]:
        """Pass by summaries of one connection and yield what has become known.

        Args:
            times: of the last summary before, where there is one, and then the new ones.
            mids: of the same; NaN where a side is empty.
            starts: of the new ones.
            fresh: number of the first new one, 0 or 1.
            is_over: whether the connection ends with them.
        """
        if not self._opening.is_over:
            self._opening.see(times[fresh:], mids[fresh:], is_over=is_over)
        for number, horizon in enumerate(self._horizons):
            waiting = self._waiting[number]
            if len(starts.time):
                waiting = waiting.then(starts)
            if not len(waiting.time):
                continue
            change = self._changes(times, mids, waiting, horizon, is_over=is_over)
            self._waiting[number] = waiting.rows(slice(len(change), None))
            yield from self._apart_from_head(Outcomes(number, waiting.rows(slice(len(change))), change))

    def _changes(self, times: Ints, mids: Floats, waiting: Starts, horizon: int, *, is_over: bool) -> Floats:
        """Return what became of those that wait: of all where it is over, else of those that are known."""
        due = waiting.time + horizon
        # Where it goes on, another summary may come at the very time of the last.
        known = int(np.searchsorted(due, times[-1], side="right" if is_over else "left"))
        after = mids[np.searchsorted(times, due[:known], side="right") - 1]
        change = np.full(len(due) if is_over else known, np.nan)
        change[:known] = _change(waiting.mid[:known], after)
        return change

    def _apart_from_head(self, outcomes: Outcomes) -> Iterator[Outcomes]:
        number, starts, change = outcomes
        if starts.is_head.any():
            self._head[number] = starts.rows(starts.is_head), float(change[starts.is_head][0])
            starts, change = starts.rows(~starts.is_head), change[~starts.is_head]
        if len(change):
            yield Outcomes(number, starts, change)

    def take_up(
        self, later: "MarkOuts", last_time: Ints, last_mid: Floats, level: int, *, goes_on: bool
    ) -> Iterator[Outcomes]:
        """Go on as the next part did, and yield what has become known.

        Args:
            later: the next part.
            last_time: of our last summary, as an array of one.
            last_mid: the same.
            level: ours at our end; the later head began above it. 0 where it is another connection.
            goes_on: whether the later part begins with the same connection.
        """
        opening = later._opening
        times, mids, is_over = last_time, last_mid, True
        if goes_on:
            times = np.concatenate([last_time, *opening.times])
            mids = np.concatenate([last_mid, *opening.mids])
            is_over = opening.connection_ended
        yield from self.see(times, mids, Starts.none(), fresh=1, is_over=is_over)
        for number, (starts, change) in later._head.items():
            cut = _above(starts, level)
            if len(cut.time):
                yield Outcomes(number, cut, np.array([change]))
        for number, starts in enumerate(later._waiting):
            self._waiting[number] = self._waiting[number].then(_above(starts, level))

    def close_head(self) -> Iterator[Outcomes]:
        """Let the head be as all others, nothing precedes it: yield what is known of it."""
        for number, (starts, change) in self._head.items():
            yield Outcomes(number, starts._replace(is_head=np.zeros(1, np.bool_)), np.array([change]))
        self._head = {}
        self._waiting = [starts._replace(is_head=np.zeros_like(starts.is_head)) for starts in self._waiting]


class _Opening:
    """The first summaries of the first connection, up to one that is a horizon away."""

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._until: int | None = None
        self.times: list[Ints] = []
        self.mids: list[Floats] = []
        self.is_over = False
        self.connection_ended = False

    def see(self, times: Ints, mids: Floats, *, is_over: bool) -> None:
        if len(times):
            if self._until is None:
                self._until = int(times[0]) + self._horizon
            stop = int(np.searchsorted(times, self._until, side="right")) + 1
            self.times.append(times[:stop])
            self.mids.append(mids[:stop])
            self.is_over = stop <= len(times)
        if is_over and not self.is_over and self._until is not None:
            self.is_over = self.connection_ended = True


def _change(before: Floats, after: Floats) -> Floats:
    """Return relative changes in whole units, NaN where a mid is not known."""
    return np.clip(np.rint((after - before) / before * UNITS_TO_ONE), -MAX_UNITS, MAX_UNITS)


def _above(starts: Starts, level: int) -> Starts:
    """Return starts of which the head begins above a level; it is a head no more."""
    low = np.where(starts.is_head, np.maximum(starts.low, level), starts.low)
    return starts._replace(low=low, is_head=np.zeros_like(starts.is_head)).rows(low < starts.high)
