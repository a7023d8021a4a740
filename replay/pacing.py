"""When a row is due: one clock for all products of a replay.

    due = start + (recv_time - first recv_time - silence cut so far) / speed

Every deadline counts from the one start, so nothing accumulates; a replay that falls behind hands
over what is due at once, skips nothing, and says how late it was. A row of a tape that is followed may not
exist yet when it is due: it is late from when its product was last looked at in vain.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from replay.lateness import Lateness, Timing

MAX_SPEED: Final = float("inf")
"""As fast as possible, without a clock."""

_NAP_NS: Final = 10_000_000
"""The longest sleep: so long at most until a signal or another product is looked at."""

_SPIN_NS: Final = 1_500_000
"""How long before a deadline a precise clock wakes up: more than the system oversleeps by, nearly always."""

_MAX_MEASURED: Final = 64
"""Hand-overs of which the lateness waits to be added up."""

Times = npt.NDArray[np.int64]


class Pacer:
    """The shared clock. Products tell what they would hand over next; the earliest decides how long to sleep.

    What was handed over is on its way while the other products are asked, so nobody sleeps until its product
    was asked again: bytewax asks all of them in turn, and works through what they gave before the next turn.

    Attributes:
        cut_ns: recorded silence that was left out.
    """

    def __init__(
        self,
        speed: float,
        first_time: int | None,
        idle_limit_ns: int | None = None,
        *,
        precise: bool = False,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a clock that starts with the first call of `ready`, unless `start_at` says when.

        Args:
            speed: 1 is the original timing, 10 ten times faster; above 0.
            first_time: recv_time that is due at the start, over all products; None for that of the first row
                that is asked for, where there is none yet.
            idle_limit_ns: recorded silence of all products that is kept; the rest is cut. None: all.
            precise: wake up shortly before a deadline and spin up to it; takes a processor meanwhile.
            monotonic_ns: the clock, in nanoseconds.
            sleep: how to wait, in seconds.
        """
        self._speed = speed
        self._first_time = self._last_time = first_time or 0
        self._awaits_first = first_time is None
        self._idle_limit_ns = idle_limit_ns
        self._early_ns = _SPIN_NS if precise else 0
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._start: int | None = None
        self._next: dict[str, int] = {}
        self._absent_until: dict[str, int] = {}  # from the start to a product's last look in vain
        self._elapsed_ns = 0  # from the start to the last hand-over
        self._ideal_ns = 0.0  # the same, had no row been late
        self._measured: list[npt.NDArray[np.float64]] = []  # waits to be added to the lateness
        self._lateness = Lateness()
        self.cut_ns = 0

    def announce(self, product: str, next_time: int | None) -> None:
        """Say what recv_time a product hands over next; None where it has no more, or none yet."""
        if next_time is None:
            self._next.pop(product, None)
            if self._start is not None:
                self._absent_until[product] = self._now()
        else:
            self._next[product] = next_time

    def ready(self, product: str, times: Times, prepare: Callable[[], None] = lambda: None) -> int:
        """Return how many leading rows of a product are due now; `handed_over` is to be told of them.

        Where none is, and none of any other product either, waits for the earliest first.

        Args:
            product: whose rows.
            times: recv_time of the product's next rows, at least one.
            prepare: called before waiting: what can be done ahead of a hand-over.
        """
        if self._start is None:
            self._start = self._monotonic_ns()
        if self._awaits_first:
            self._first_time = self._last_time = int(times[0])
            self._awaits_first = False
        self._next[product] = int(times[0])
        times = self._before_silence(product, times)
        if not times.size:
            return 0  # others come first
        due = self._due(times)
        if due[0] > self._now():
            prepare()
            self._add_up()
            self._wait()
        return int(np.searchsorted(due, self._now(), side="right"))

    def handed_over(self, product: str, times: Times) -> None:
        """Measure how late rows are that leave now; to be called last of all.

        Args:
            product: whose rows.
            times: their recv_time, at least one.
        """
        self._elapsed_ns = self._now()
        possible = self._due(times)
        if (absent_until := self._absent_until.get(product)) is not None:
            possible = np.maximum(possible, absent_until)
        self._ideal_ns = max(self._ideal_ns, float(possible[-1]))
        self._measured.append(self._elapsed_ns - possible)
        if len(self._measured) >= _MAX_MEASURED:
            self._add_up()
        last_time = int(times[-1])
        self._last_time = max(self._last_time, last_time)
        self._next[product] = last_time  # and so it is due: nobody sleeps before this product's next turn

    def start_at(self, start_ns: int) -> None:
        """Begin at a time of the monotonic clock, the same one in all processes of a machine."""
        self._start = start_ns

    def timing(self) -> Timing:
        """Return how the clock was kept so far."""
        self._add_up()
        return Timing(self._lateness, self._elapsed_ns, self._ideal_ns, self.cut_ns)

    def _add_up(self) -> None:
        """Add up what was measured: not at a hand-over but when there is time."""
        if self._measured:
            self._lateness.add(np.concatenate(self._measured))
            self._measured.clear()

    def _now(self) -> int:
        """Return nanoseconds since the start."""
        return self._monotonic_ns() - (self._start or 0)

    def _due(self, times: Times) -> npt.NDArray[np.float64]:
        """Return when rows are due, in nanoseconds since the start."""
        return (times - (self._first_time + self.cut_ns)) / self._speed

    def _wait(self) -> None:
        """Wait for the earliest deadline of all products, one nap at most."""
        earliest = float(self._due(np.array([min(self._next.values())]))[0])
        ahead = earliest - self._now() - self._early_ns
        if ahead > 0:
            self._sleep(min(ahead, _NAP_NS) / 1e9)
        if ahead <= _NAP_NS and self._early_ns:
            while self._now() < earliest:
                pass

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
