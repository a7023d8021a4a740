"""Log lines about the clock: the one that stamps rows, the machine's, and the exchange's differ."""

import logging
import time
from typing import Final

from orderbook.engine import Step
from orderbook.lags import clock_fault, duration, last_lag
from orderbook.times import NS
from recorder.live.clock import Clock

log = logging.getLogger(__name__)

_STEP_S: Final = 5.0
"""Seconds by which clocks may differ without a line."""


class ClockLog:
    """Logs once for each connection if its recv_time is wrong, and every step of the machine's clock.

    recv_time never goes back: it continues from the tape's last row and then counts the time that passes. So
    a wrong clock stays in it as long as its connection, and a clock that was ahead for longer.

    Args:
        wall: the machine's clock, nanoseconds since 1970.
        monotonic: a clock that is never set.
    """

    def __init__(self, wall: Clock = time.time_ns, monotonic: Clock = time.monotonic_ns) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._told: set[tuple[str, int | None, str]] = set()

    def update(self, product: str, step: Step) -> None:
        """Log what is new in a step of a product. O(1)."""
        now, span = self._wall(), step.span
        offset = now - self._monotonic()
        if abs(moved := offset - self._offset) > _STEP_S * NS:
            log.warning(
                "the clock was set %s by %s; recv_time goes on without that until a connection ends",
                "forward" if moved > 0 else "back",
                duration(abs(moved) / NS),
            )
            self._offset = offset
        if span.last_time is not None and (ahead := span.last_time - now) > _STEP_S * NS:
            continued = f"the tape's last row is {duration(ahead / NS)} ahead of the clock"
            self._tell(product, span.last_connection, "ahead", f"{continued}; recv_time continues from there")
        lag = last_lag(step.summaries)
        if lag is not None and (fault := clock_fault((lag, lag))):
            self._tell(product, span.last_connection, "lag", fault)

    def _tell(self, product: str, connection: int | None, what: str, line: str) -> None:
        """Log a line, once for each connection."""
        if (product, connection, what) not in self._told:
            self._told.add((product, connection, what))
            log.warning("%s: %s", product, line)
