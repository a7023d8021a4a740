"""Changes of the mid price after episodes begin, for ranges of thresholds at once.

When the level rises from a to b, episodes of the thresholds [a, b) begin with one mid price. Its change until
a horizon later is one number for all of them: the start is pending until then, and the change is added at the
beginning of the range and subtracted at its end.

A change is an integer in units of 1e-6 bps, so that sums are exact. It is known if the connection is observed
until the horizon; the mid then is that of the last summary at or before it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from replay.comparing.sweep.order_statistics import Floats, Ints

UNITS_TO_BPS: Final = 10**6

UNITS_TO_ONE: Final = 1e10
MAX_UNITS: Final = 1e12
"""The largest change: a mid that grew to 101 times its value. Larger ones are cut, to bound the squares."""


class Starts(NamedTuple):
    """Starts of episodes of the thresholds [low, high): time in ns, mid price, key of the part.

    The head are those that begin with the very first summary: they may have begun in an earlier part.
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
        """Return some of the starts."""
        return Starts._make(column[chosen] for column in self)

    def then(self, more: "Starts") -> "Starts":
        """Return these starts, followed by more."""
        return Starts._make(map(np.concatenate, zip(self, more, strict=True)))


class Outcomes(NamedTuple):
    """Changes after one horizon, in units of 1e-6 bps; NaN for those that are not known.

    Attributes:
        horizon: index of the horizon.
        starts: the episodes.
        change: of each start.
    """

    horizon: int
    starts: Starts
    change: Floats


class MarkOuts:
    """Starts whose horizon has not passed, and the first summaries, for pending starts of an earlier part.

    Memory: the starts and summaries of the longest horizon.
    """

    def __init__(self, horizons_ns: Sequence[int]) -> None:
        self._horizons = horizons_ns
        self._pending = [Starts.none()] * len(horizons_ns)
        self._head: dict[int, tuple[Starts, float]] = {}  # by horizon: the head and its change
        self._opening = _Opening(max(horizons_ns, default=0))

    def add(
        self, times: Ints, mids: Floats, breaks: Ints, starts: Starts, positions: Ints, fresh: int
    ) -> Iterator[Outcomes]:
        """Add summaries and yield the outcomes that they resolve.

        Args:
            times: of the summaries; the first `fresh` ones (0 or 1) are the last summary before them.
            mids: of the same; NaN if a side is empty.
            breaks: positions of the summaries that begin another connection.
            starts: episodes that begin with the new summaries.
            positions: of the starts among the summaries.
            fresh: position of the first new summary.
        """
        for low, high in pairwise([0, *breaks.tolist(), len(times)]):
            mine = starts.rows(slice(*np.searchsorted(positions, (low, high))))
            is_over = high < len(times)
            yield from self._add(
                times[low:high], mids[low:high], mine, fresh=0 if low else fresh, is_over=is_over
            )

    def end(self, last_time: Ints, last_mid: Floats) -> Iterator[Outcomes]:
        """End the connection with its last summary, given as arrays of one; yield the outcomes."""
        yield from self._add(last_time, last_mid, Starts.none(), fresh=1, is_over=True)

    def _add(
        self, times: Ints, mids: Floats, starts: Starts, *, fresh: int, is_over: bool
    ) -> Iterator[Outcomes]:
        """Add summaries of one connection; `is_over` if it ends with them."""
        if not self._opening.is_over:
            self._opening.add(times[fresh:], mids[fresh:], is_over=is_over)
        for number, horizon in enumerate(self._horizons):
            pending = self._pending[number]
            if len(starts.time):
                pending = pending.then(starts)
            if not len(pending.time):
                continue
            change = self._changes(times, mids, pending, horizon, is_over=is_over)
            self._pending[number] = pending.rows(slice(len(change), None))
            yield from self._without_head(Outcomes(number, pending.rows(slice(len(change))), change))

    def _changes(self, times: Ints, mids: Floats, pending: Starts, horizon: int, *, is_over: bool) -> Floats:
        """Return the changes of the pending starts: of all if the connection is over, else of the known."""
        due = pending.time + horizon
        # Unless the connection is over, another summary may come at the very time of the last.
        known = int(np.searchsorted(due, times[-1], side="right" if is_over else "left"))
        after = mids[np.searchsorted(times, due[:known], side="right") - 1]
        change = np.full(len(due) if is_over else known, np.nan)
        change[:known] = _change(pending.mid[:known], after)
        return change

    def _without_head(self, outcomes: Outcomes) -> Iterator[Outcomes]:
        number, starts, change = outcomes
        if starts.is_head.any():
            self._head[number] = starts.rows(starts.is_head), float(change[starts.is_head][0])
            starts, change = starts.rows(~starts.is_head), change[~starts.is_head]
        if len(change):
            yield Outcomes(number, starts, change)

    def continue_with(
        self, later: "MarkOuts", last_time: Ints, last_mid: Floats, level: int, *, is_continued: bool
    ) -> Iterator[Outcomes]:
        """Add the next part and yield the outcomes that it resolves.

        Args:
            later: the next part.
            last_time: of our last summary, as an array of one.
            last_mid: the same.
            level: at our end; the later head begins above it. 0 if it is another connection.
            is_continued: whether the later part begins with our connection.
        """
        opening = later._opening
        times, mids, is_over = last_time, last_mid, True
        if is_continued:
            times = np.concatenate([last_time, *opening.times])
            mids = np.concatenate([last_mid, *opening.mids])
            is_over = opening.connection_ended
        yield from self._add(times, mids, Starts.none(), fresh=1, is_over=is_over)
        for number, (starts, change) in later._head.items():
            cut = _above(starts, level)
            if len(cut.time):
                yield Outcomes(number, cut, np.array([change]))
        for number, starts in enumerate(later._pending):
            self._pending[number] = self._pending[number].then(_above(starts, level))

    def close_head(self) -> Iterator[Outcomes]:
        """Treat the head like all others, as nothing precedes it: yield its known outcomes."""
        for number, (starts, change) in self._head.items():
            yield Outcomes(number, starts._replace(is_head=np.zeros(1, np.bool_)), np.array([change]))
        self._head = {}
        self._pending = [starts._replace(is_head=np.zeros_like(starts.is_head)) for starts in self._pending]


class _Opening:
    """The first summaries of the first connection, up to one that is the longest horizon away."""

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._until: int | None = None
        self.times: list[Ints] = []
        self.mids: list[Floats] = []
        self.is_over = False
        self.connection_ended = False

    def add(self, times: Ints, mids: Floats, *, is_over: bool) -> None:
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
    """Return relative changes in whole units, NaN if a mid is not known."""
    return np.clip(np.rint((after - before) / before * UNITS_TO_ONE), -MAX_UNITS, MAX_UNITS)


def _above(starts: Starts, level: int) -> Starts:
    """Return starts with the head cut to the thresholds above a level, and treated like all others."""
    low = np.where(starts.is_head, np.maximum(starts.low, level), starts.low)
    return starts._replace(low=low, is_head=np.zeros_like(starts.is_head)).rows(low < starts.high)
