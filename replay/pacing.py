"""When a row is due: one clock for all products of a replay.

    due = start + (recv_time - first recv_time - silence cut so far) / speed

Every deadline counts from the one start, so nothing accumulates; a replay that falls behind hands
over what is due at once, skips nothing, and says how late it was.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from replay.lateness import Lateness

MAX_SPEED: Final = float("inf")
"""As fast as possible, without a clock."""

_NAP_NS: Final = 10_000_000
"""The longest sleep: so long at most until a signal or another product is looked at."""

Times = npt.NDArray[np.int64]


class Pacer:
    """The shared clock. Products tell what they would hand over next; the earliest decides how long to sleep.

    Attributes:
        lateness: of the rows handed over so far.
        cut_ns: recorded silence that was left out.
    """

    def __init__(
        self,
        speed: float,
        first_time: int,
        idle_limit_ns: int | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a clock that starts with the first call of `ready`.

        Args:
            speed: 1 is the original timing, 10 ten times faster; above 0.
            first_time: recv_time that is due at the start, over all products.
            idle_limit_ns: recorded silence of all products that is kept; the rest is cut. None: all.
            monotonic_ns: the clock, in nanoseconds.
            sleep: how to wait, in seconds.
        """
        self._speed = speed
        self._first_time = self._last_time = first_time
        self._idle_limit_ns = idle_limit_ns
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._start: int | None = None
        self._next: dict[str, int] = {}
        self.lateness = Lateness()
        self.cut_ns = 0

    def announce(self, product: str, next_time: int | None) -> None:
        """Say what recv_time a product hands over next; None where it has no more."""
        if next_time is None:
            self._next.pop(product, None)
        else:
            self._next[product] = next_time

    def ready(self, product: str, times: Times) -> int:
        """Return how many leading rows of a product are due now; they count as handed over.

        Where none is, and none of any other product either, sleeps towards the earliest first.

        Args:
            product: whose rows.
            times: recv_time of the product's next rows, at least one.
        """
        if self._start is None:
            self._start = self._monotonic_ns()
        times = self._before_silence(product, times)
        if not times.size:
            return 0  # others come first
        now = self._monotonic_ns()
        due = self._due(times)
        if due[0] > now:
            earliest = float(self._due(np.array([min(self._next.values())]))[0])
            if earliest > now:
                self._sleep(min(earliest - now, _NAP_NS) / 1e9)
            now = self._monotonic_ns()
        count = int(np.searchsorted(due, now, side="right"))
        if count:
            self.lateness.add(now - due[:count])
            self._last_time = max(self._last_time, int(times[count - 1]))
        return count

    def document(self) -> dict[str, float] | None:
        """Return the JSON form: lateness in milliseconds, and the silence cut in seconds."""
        late = self.lateness.document()
        return None if late is None else {**late, "idle_cut_s": self.cut_ns / 1e9}

    def _due(self, times: Times) -> npt.NDArray[np.float64]:
        """Return when rows are due, on the monotonic clock."""
        start = self._start or 0
        return start + (times - (self._first_time + self.cut_ns)) / self._speed

    def _before_silence(self, product: str, times: Times) -> Times:
        """Cut the silence that all products keep now; return the rows up to where the next one may begin."""
        limit = self._idle_limit_ns
        if limit is None:
            return times
        earliest = min(self._next.values())
        silence = earliest - self._last_time
        if silence > limit:
            # The silence is cut once: from here on it counts as passed.
            self.cut_ns += silence - limit
            self._last_time = earliest
        # A gap of this product is a silence only if the others keep it too: they have to come first. So it
        # goes no further than its own next gap, nor past the others' next rows by more than the limit.
        long_gaps = np.flatnonzero(np.diff(times) > limit)
        end = int(long_gaps[0]) + 1 if long_gaps.size else len(times)
        others = min((time for name, time in self._next.items() if name != product), default=None)
        if others is not None:
            end = min(end, int(np.searchsorted(times, others + limit, side="right")))
        return times[: max(end, 1)] if earliest == int(times[0]) else times[:end]
