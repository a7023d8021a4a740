"""Observed time, time above a threshold, and episodes: their one definition.

All of it is about the summaries of one product, in order of seq.

- Two consecutive summaries of one connection span an *interval* of recv_time. *Observed time* is the sum of
  all intervals. An interval counts as *time above* if its first summary is above the threshold
  (`orderbook.thresholds.is_above`).
- An *episode* is a maximal run of consecutive summaries of one connection that are above. It lasts from its
  first summary to the first that is not above, or to the last summary of the connection.

Nothing is extrapolated across an interruption. `replay.comparing.sweep` computes the same for many
thresholds at once.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


def interruptions(connection: NDArray[np.integer]) -> Flags:
    """Return whether each summary begins another connection than that of the summary before it.

    >>> interruptions(np.array([0, 0, 1])).tolist()
    [False, False, True]
    """
    return np.append(np.zeros(min(1, len(connection)), np.bool_), connection[1:] != connection[:-1])


def intervals(recv_time: Ints, connection: NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Return the positions of the summaries that open an interval, and its length in nanoseconds.

    >>> [each.tolist() for each in intervals(np.array([10, 30, 31, 35]), np.array([0, 0, 1, 1]))]
    [[0, 2], [20, 4]]
    """
    opening = np.flatnonzero(connection[1:] == connection[:-1])
    return opening, recv_time[opening + 1] - recv_time[opening]


def find_episodes(is_above: Flags, interrupted: Flags) -> tuple[Ints, Ints]:
    """Return the positions of the first summary of each episode, and of the summary after its last one.

    If the last episode is still open after the last summary, there is one end less than there are beginnings.

    Args:
        is_above: whether each summary is above the threshold.
        interrupted: see `interruptions`.

    >>> is_above, interrupted = np.array([[1, 1, 0, 1, 1], [0, 0, 0, 0, 1]], np.bool_)
    >>> [each.tolist() for each in find_episodes(is_above, interrupted)]
    [[0, 3, 4], [2, 4]]
    """
    was_above = np.append(np.zeros(1, np.bool_), is_above[:-1])
    begins = np.flatnonzero(is_above & (~was_above | interrupted))
    return begins, np.flatnonzero(was_above & (~is_above | interrupted))


def end_times(recv_time: Ints, ends: Ints, interrupted: Flags) -> Ints:
    """Return the times at which episodes end: of the next summary, or of the last one of the connection.

    Args:
        recv_time: of each summary.
        ends: positions after the last summaries, see `find_episodes`.
        interrupted: see `interruptions`.

    >>> end_times(np.array([10, 20, 30]), np.array([1, 2]), np.array([False, False, True])).tolist()
    [20, 20]
    """
    return recv_time[ends - interrupted[ends]]


@dataclass(slots=True)
class ObservedTime:
    """The observed time of one product, over consecutive batches of its summaries.

    Attributes:
        ns: the observed time so far, in nanoseconds.
        first, last: time and connection of the first and the last summary; None before the first.
    """

    ns: int = 0
    first: tuple[int, int] | None = None
    last: tuple[int, int] | None = None

    def add(self, recv_time: Ints, connection: NDArray[np.integer]) -> None:
        """Add the next summaries, at least one. O(1) if all are of one connection, else O(rows)."""
        first, last = int(connection[0]), int(connection[-1])
        if self.last is not None and self.last[1] == first:
            self.ns += int(recv_time[0]) - self.last[0]
        if first == last:  # connections never count down, so it is the only one
            self.ns += int(recv_time[-1]) - int(recv_time[0])
        else:
            self.ns += int(intervals(recv_time, connection)[1].sum())
        if self.first is None:
            self.first = int(recv_time[0]), first
        self.last = int(recv_time[-1]), last

    def merge(self, later: "ObservedTime") -> None:
        """Add the time of the summaries that come next."""
        if later.first is None:
            return
        if self.last is not None and self.last[1] == later.first[1]:
            self.ns += later.first[0] - self.last[0]
        self.ns += later.ns
        self.first = self.first or later.first
        self.last = later.last
