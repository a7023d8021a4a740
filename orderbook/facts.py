"""What the rows of a product tell of its connections: faults, sequence numbers, and the lag of frames.

The lag is recv_time less the time that a frame itself carries, a second opinion on recv_time: the clock of
the recorder, files in a wrong order and frames that arrive late all show in it.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.digest import NULL_TIME
from orderbook.times import NS

Lag = tuple[int, int]
"""The least and the greatest lag of some frames, in nanoseconds."""

Lags = dict[int, Lag]
"""Lags by connection, of its summaries with an exchange_time."""

WRONG_CLOCK_S: Final = 60
"""A lag of more seconds than this, either way, is no network's."""

Times = npt.NDArray[np.int64]
"""Nanoseconds since 1970."""


def wider(lag: Lag | None, other: Lag) -> Lag:
    """Return the lag over the frames of both."""
    return other if lag is None else (min(lag[0], other[0]), max(lag[1], other[1]))


def add_lags(lags: Lags, recv_time: Times, exchange_time: Times, connections: npt.NDArray[np.int32]) -> None:
    """Add those of summaries. O(rows).

    Args:
        lags: what they are added to.
        recv_time: recv_time of the summaries, at least one.
        exchange_time: their exchange_time, `NULL_TIME` for null.
        connections: their connections.
    """
    if exchange_time.min() == NULL_TIME:
        known = exchange_time != NULL_TIME
        recv_time, exchange_time, connections = recv_time[known], exchange_time[known], connections[known]
    values = recv_time - exchange_time
    while len(values):
        connection = int(connections[0])
        count = len(values) if connections[-1] == connection else int(np.argmax(connections != connection))
        mine, values, connections = values[:count], values[count:], connections[count:]
        lags[connection] = wider(lags.get(connection), (int(mine.min()), int(mine.max())))


def last_lag(summaries: pa.RecordBatch) -> int | None:
    """Return the lag of the last of some summaries; None without one or without its exchange_time. O(1)."""
    if not summaries.num_rows:
        return None
    recv_time, exchange_time = (summaries.column(name)[-1].value for name in ("recv_time", "exchange_time"))
    return None if exchange_time is None else recv_time - exchange_time


def clock_fault(lag: Lag | None) -> str:
    """Return what a lag says of recv_time; an empty text if it is one of a network.

    >>> clock_fault((28_800 * NS, 28_801 * NS)), clock_fault((0, 90 * NS))
    ("recv_time is 8.0 h after the frames' own time", "recv_time is up to 90 s after the frames' own time")
    >>> clock_fault((-99 * NS, 300 * NS)), clock_fault((-3 * NS, 3 * NS))
    ("recv_time is from 99 s before to 5.0 min after the frames' own time", '')
    """
    limit = WRONG_CLOCK_S * NS
    if lag is None or -limit <= lag[0] <= lag[1] <= limit:
        return ""
    first, last = (f"{duration(abs(each) / NS)} {'after' if each > 0 else 'before'}" for each in lag)
    if lag[0] > limit or first == last:
        text = first
    elif lag[1] < -limit:
        text = last
    elif lag[0] < -limit and lag[1] > limit:
        text = f"from {first} to {last}"
    else:
        text = f"up to {last if lag[1] > limit else first}"
    return f"recv_time is {text} the frames' own time"


def duration(seconds: float) -> str:
    """Return a duration in a unit in which connections with the same clock look the same."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s"


Faults = dict[int, dict[str, int]]
"""Number of anomalies of each kind that breaks a connection, by connection."""


class Facts(NamedTuple):
    """Facts of some rows; those of consecutive rows can be added up.

    Attributes:
        faults: number of anomalies of each of `BREAKING_KINDS`, by connection.
        numbered: connections of which a row had a sequence number that was checked.
        lags: the lags of the summaries.
    """

    faults: Faults
    numbered: set[int]
    lags: Lags

    def add(self, other: "Facts") -> None:
        """Add the facts of more rows."""
        for connection, counts in other.faults.items():
            total = self.faults.setdefault(connection, {})
            for kind, number in counts.items():
                total[kind] = total.get(kind, 0) + number
        self.numbered.update(other.numbered)
        for connection, lag in other.lags.items():
            self.lags[connection] = wider(self.lags.get(connection), lag)


def no_facts() -> Facts:
    """Return the facts of no row, to add others."""
    return Facts({}, set(), {})


def all_facts(parts: Iterable[Facts]) -> Facts:
    """Return the facts of all parts."""
    total = no_facts()
    for part in parts:
        total.add(part)
    return total
