"""What was not observed: the time between the last summary of a connection and the first one of the next."""

from dataclasses import dataclass

import numpy as np

from replay.order_statistics import Ints


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without a book, in ns since 1970; several where `interruptions` is above 1.

    Attributes:
        start, end: recv_time of the summaries around it.
        interruptions: how many it stands for.
        excluded_ns: the time without a book in it; less than its length where it stands for several.
    """

    start: int
    end: int
    interruptions: int
    excluded_ns: int


class Gaps:
    """The gaps of one product. Where there are more than `most`, the nearest two become one.

    So a gap that is drawn may hold observed time; its `excluded_ns` says how much it is really.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[Gap] = []
        self._last: tuple[int, int] | None = None

    def add(self, times: Ints, connections: Ints) -> None:
        """Take the next summaries. O(rows), and O(most) for each gap too many."""
        if not len(times):
            return
        if self._last is not None:
            times = np.concatenate([[self._last[0]], times])
            connections = np.concatenate([[self._last[1]], connections])
        for place in np.flatnonzero(np.diff(connections)).tolist():
            start, end = int(times[place]), int(times[place + 1])
            self._found.append(Gap(start, end, 1, end - start))
            if len(self._found) > self._most:
                self._join_nearest()
        self._last = int(times[-1]), int(connections[-1])

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
