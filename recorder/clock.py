"""Receive times: an anchor taken once, plus the monotonic clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

Clock = Callable[[], int]
"""Returns nanoseconds."""

AWAKE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a source of a dataflow wants to be asked: always in the past, as the wall clock may be set back."""


class ReceiveClock:
    """Stamps the rows of one connection; no step of the wall clock moves a stamp back.

    The anchor is max(wall clock, the product's last recv_time), taken when the connection opens.
    """

    __slots__ = ("_anchor", "_monotonic")

    def __init__(self, last: int, wall: Clock = time.time_ns, monotonic: Clock = time.monotonic_ns) -> None:
        self._monotonic = monotonic
        self._anchor = max(wall(), last) - monotonic()

    def __call__(self) -> int:
        """Return the time of now, nanoseconds since 1970, never below an earlier one."""
        return self._anchor + self._monotonic()
