"""When each row is due: one clock for all products of a replay.

    due = start + (recv_time - first recv_time - silence cut so far) / speed

Every deadline is relative to the same start, so errors do not accumulate. A replay that falls behind hands
over all due rows at once, skips none, and reports how late they were. A row of a tape that is still being
recorded may not exist when it is due: its lateness counts from its product's last poll that found nothing.
"""

import time
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orderbook.decimals import is_plain
from orderbook.errors import OptionError
from replay.running.lateness import Lateness, Timing

MAX_SPEED: Final = float("inf")
"""As fast as possible, without a clock."""

SpeedLike: TypeAlias = str | float
"""Everything that `parse_speed` reads."""

_NAP_NS: Final = 10_000_000
"""The longest sleep: the longest time before signals and other products are looked at again."""

_SPIN_NS: Final = 1_500_000
"""How long before a deadline a precise clock wakes up; a system nearly always oversleeps by less."""

_MAX_MEASURED: Final = 64
"""Hand-overs whose lateness may wait to be added to the histogram."""

Times = npt.NDArray[np.int64]


def parse_speed(value: SpeedLike) -> float:
    """Return a speed as a factor above 0; "max" is infinite.

    Raises:
        OptionError: if it is not a speed.

    >>> parse_speed("0.5"), parse_speed(10), parse_speed("max")
    (0.5, 10.0, inf)
    """
    if value in ("max", MAX_SPEED):
        return MAX_SPEED
    try:
        speed = float(value) if is_plain(str(value)) else 0.0
    except (TypeError, ValueError):
        speed = 0.0
    if not 0 < speed <= 1e9:
        raise OptionError(f'{value!r} is not a speed: use a number above 0 such as 10, or "max"')
    return speed


class Pacer:
    """The shared clock. Products announce their next row; the earliest decides how long to sleep.

    bytewax polls the products in turn, and works through their rows before the next turn. So nobody sleeps
    between the hand-over of a product's rows and the next poll of that product.

    Args:
        speed: 1 is the original timing, 10 ten times faster; above 0.
        first_time: recv_time that is due at the start, over all products; None for that of the first row of
            the first poll, if there is no row yet.
        idle_limit_ns: nanoseconds to which a recorded silence of all products is shortened; None keeps all.
        precise: wake up shortly before a deadline and spin until it; takes a processor meanwhile.
        monotonic_ns: the clock, in nanoseconds.
        sleep: waits for a number of seconds.

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
        self._speed = speed
        self._first_time = self._last_time = first_time or 0
        self._awaits_first = first_time is None
        self._begins = self._first_time  # of a run that does not resume
        self._is_resumed = False
        self._idle_limit_ns = idle_limit_ns
        self._early_ns = _SPIN_NS if precise else 0
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._start: int | None = None
        self._next: dict[str, int] = {}
        self._empty_poll_at: dict[str, int] = {}  # from the start to a product's last poll without a row
        self._elapsed_ns = 0  # from the start to the last hand-over
        self._ideal_ns = 0.0  # the same, had no row been late
        self._measured: list[npt.NDArray[np.float64]] = []  # lateness to be added to the histogram
        self._lateness = Lateness()
        self.cut_ns = 0

    def announce(self, product: str, next_time: int | None) -> None:
        """Set the recv_time of a product's next row; None if it has no more, or none yet."""
        if next_time is None:
            self._next.pop(product, None)
            if self._start is not None:
                self._empty_poll_at[product] = self._now()
        else:
            self._next[product] = next_time

    def ready(self, product: str, times: Times, prepare: Callable[[], None] = lambda: None) -> int:
        """Return how many leading rows of a product are due now; the caller reports them to `handed_over`.

        Waits for the earliest deadline first if no row of any product is due. The clock starts with the first
        call, unless `start_at` has set its start.

        Args:
            product: product id.
            times: recv_time of the product's next rows, at least one.
            prepare: called before waiting, for work that can be done ahead of a hand-over.
        """
        if self._start is None:
            self._start = self._monotonic_ns()
        if self._awaits_first:
            self._first_time = self._last_time = int(times[0])
            self._awaits_first = False
        self._next[product] = int(times[0])
        times = self._before_silence(product, times)
        if not times.size:
            return 0  # other products come first
        due = self._due(times)
        if due[0] > self._now():
            prepare()
            self._add_up()
            self._wait()
        return int(np.searchsorted(due, self._now(), side="right"))

    def handed_over(self, product: str, times: Times) -> None:
        """Measure how late rows are that leave now; call it last of all.

        Args:
            product: product id.
            times: recv_time of the rows, at least one.
        """
        self._elapsed_ns = self._now()
        possible = self._due(times)
        if (empty_poll_at := self._empty_poll_at.get(product)) is not None:
            possible = np.maximum(possible, empty_poll_at)
        self._ideal_ns = max(self._ideal_ns, float(possible[-1]))
        self._measured.append(self._elapsed_ns - possible)
        if len(self._measured) >= _MAX_MEASURED:
            self._add_up()
        last_time = int(times[-1])
        self._last_time = max(self._last_time, last_time)
        self._next[product] = last_time  # which is due, so nobody sleeps before this product's next poll

    def resume(self, next_time: int) -> None:
        """Let the clock start with the next row of a product of a run that resumes, or an earlier one.

        What lies before was handed over by the run before. Call it before the first `ready`.

        Args:
            next_time: recv_time of the row.
        """
        first = max(next_time, self._begins)
        self._first_time = self._last_time = min(first, self._first_time) if self._is_resumed else first
        self._is_resumed, self._awaits_first = True, False

    def start_at(self, start_ns: int) -> None:
        """Start at a time of the monotonic clock, which all processes of a machine share."""
        self._start = start_ns

    def timing(self) -> Timing:
        """Return how the replay has kept to the clock so far."""
        self._add_up()
        return Timing(self._lateness, self._elapsed_ns, self._ideal_ns, self.cut_ns)

    def _add_up(self) -> None:
        """Add what was measured to the histogram: before a sleep, not at a hand-over."""
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
        """Wait for the earliest deadline of all products, for one nap at most."""
        earliest = float(self._due(np.array([min(self._next.values())]))[0])
        ahead = earliest - self._now() - self._early_ns
        if ahead > 0:
            self._sleep(min(ahead, _NAP_NS) / 1e9)
        if ahead <= _NAP_NS and self._early_ns:
            while self._now() < earliest:
                pass

    def _before_silence(self, product: str, times: Times) -> Times:
        """Cut a silence of all products that is too long; return the rows before the next possible one."""
        limit = self._idle_limit_ns
        if limit is None:
            return times
        earliest = min(self._next.values())
        silence = earliest - self._last_time
        if silence > limit:
            # The silence is cut once: from now on it counts as passed.
            self.cut_ns += silence - limit
            self._last_time = earliest
        # A gap of this product is a silence only if the others have no rows in it, so their rows come first:
        # stop at the product's own next gap, and at the limit after the next row of any other product.
        long_gaps = np.flatnonzero(np.diff(times) > limit)
        end = int(long_gaps[0]) + 1 if long_gaps.size else len(times)
        others = min((time for name, time in self._next.items() if name != product), default=None)
        if others is not None:
            end = min(end, int(np.searchsorted(times, others + limit, side="right")))
        return times[: max(end, 1)] if earliest == int(times[0]) else times[:end]
