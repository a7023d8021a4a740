"""The time without a book: from the last summary of a connection to the first one of the next, or the end."""

from dataclasses import dataclass

import numpy as np

from replay.comparing.sweep.order_statistics import Ints


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval without a book, or several joined into one; times are nanoseconds since 1970.

    Attributes:
        start, end: recv_time of the summaries before and after it; of the last row, if no summary follows.
        interruptions: number of intervals joined.
        excluded_ns: time without a book in it; less than its length if several were joined.
    """

    start: int
    end: int
    interruptions: int
    excluded_ns: int


class Gaps:
    """The gaps of one product. If there are more than `limit`, the nearest two are joined.

    A joined gap contains observed time; its `excluded_ns` does not.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: list[Gap] = []
        self._last: tuple[int, int] | None = None

    def add(self, times: Ints, connections: Ints) -> None:
        """Add the next summaries. O(rows), and O(limit) for each gap beyond the limit."""
        if not len(times):
            return
        if self._last is not None:
            times = np.concatenate([[self._last[0]], times])
            connections = np.concatenate([[self._last[1]], connections])
        for place in np.flatnonzero(np.diff(connections)).tolist():
            start, end = int(times[place]), int(times[place + 1])
            self._found.append(Gap(start, end, 1, end - start))
            if len(self._found) > self._limit:
                self._join_nearest()
        self._last = int(times[-1]), int(connections[-1])

    def end(self, start: int, end: int) -> None:
        """Add the outage with which the recording ends, after the last summary."""
        self._found.append(Gap(start, end, 1, end - start))

    def found(self) -> list[Gap]:
        """Return the gaps in order of time."""
        return list(self._found)

    def _join_nearest(self) -> None:
        between = [later.start - gap.end for gap, later in zip(self._found, self._found[1:], strict=False)]
        place = between.index(min(between))
        left, right = self._found[place : place + 2]
        joined = Gap(
            left.start,
            right.end,
            left.interruptions + right.interruptions,
            left.excluded_ns + right.excluded_ns,
        )
        self._found[place : place + 2] = [joined]
