"""Receive times: an anchor taken once, plus the monotonic clock. And jumps of the clock, which are logged."""

import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from orderbook.times import NS

log = logging.getLogger(__name__)

_LEAST_JUMP: Final = NS // 2  # a clock that is slewed gains less between two readings

Clock = Callable[[], int]
"""Returns nanoseconds."""


class ReceiveClock:
    """Stamps the rows of one connection; no step of the wall clock moves a stamp back.

    The anchor is the later of the wall clock and the product's last recv_time when the connection opens.
    """

    __slots__ = ("_anchor", "_monotonic")

    def __init__(self, last: int, wall: Clock = time.time_ns, monotonic: Clock = time.monotonic_ns) -> None:
        self._monotonic = monotonic
        self._anchor = max(wall(), last) - monotonic()

    def __call__(self) -> int:
        """Return the time now, nanoseconds since the epoch, never below an earlier one."""
        return self._anchor + self._monotonic()


class ClockReading(NamedTuple):
    """The clocks of the machine at one time, in nanoseconds.

    Attributes:
        wall: since 1970; it can be set.
        running: since boot, without the time in which the machine was suspended.
        elapsed: since boot, with it. Where the system has no such clock, the same as `running`, so that a
            suspended machine looks like a wall clock that was set.
    """

    wall: int
    running: int
    elapsed: int

    @classmethod
    def now(cls) -> Self:
        """Read the clocks."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)  # in Linux
        while True:
            running = time.monotonic_ns()
            elapsed = running if clock is None else time.clock_gettime_ns(clock)
            reading = cls(time.time_ns(), running, elapsed)
            if time.monotonic_ns() - running < _LEAST_JUMP // 10:  # else this thread was stopped meanwhile
                return reading


class ClockJump(NamedTuple):
    """What happened to the clocks between two readings, in nanoseconds; 0 for what did not.

    Attributes:
        set_by: how far the wall clock was set; negative if it was set back.
        suspended: how long the machine was suspended.
    """

    set_by: int
    suspended: int


def clock_jump(before: ClockReading, after: ClockReading) -> ClockJump | None:
    """Return how the clocks jumped between two readings; None if they went on.

    >>> clock_jump(ClockReading(0, 0, 0), ClockReading(5 * NS, 2 * NS, 2 * NS))
    ClockJump(set_by=3000000000, suspended=0)
    """
    elapsed = after.elapsed - before.elapsed
    set_by = after.wall - before.wall - elapsed
    suspended = elapsed - (after.running - before.running)
    jump = ClockJump(
        set_by if abs(set_by) >= _LEAST_JUMP else 0, suspended if suspended >= _LEAST_JUMP else 0
    )
    return jump if any(jump) else None


def suspended_since(before: ClockReading) -> int:
    """Return how long the machine was suspended since a reading, in nanoseconds."""
    jump = clock_jump(before, ClockReading.now())
    return 0 if jump is None else jump.suspended


class ClockWatch:
    """Logs jumps of the clocks; ask it to look about once a second."""

    def __init__(self, read: Callable[[], ClockReading] = ClockReading.now) -> None:
        self._read = read
        self._last = read()

    def look(self) -> None:
        """Log what happened to the clocks since the last look."""
        last, self._last = self._last, self._read()
        jump = clock_jump(last, self._last)
        if jump is None:
            return
        if jump.suspended:
            log.warning(
                "this machine was suspended for %.1f s; receive times are behind by that until it reconnects",
                jump.suspended / NS,
            )
        if jump.set_by:
            log.warning(
                "this machine's clock was set %s by %.1f s; receive times follow at a reconnect, not back",
                "back" if jump.set_by < 0 else "forward",
                abs(jump.set_by) / NS,
            )
