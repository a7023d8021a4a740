"""The connections of a product: when and how each began and ended, and what was wrong with its frames.

An *outage* is what came after the last of them, if a recording was stopped while it had no book.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from orderbook import display
from orderbook.connection_marks import Connected, Disconnected, read_connected, read_disconnected
from orderbook.document import Document
from orderbook.facts import Facts, Lag
from orderbook.schema import PACKED
from orderbook.tally import Tally
from orderbook.times import NS, format_time


class OutageDocument(Document, frozen=True):
    """The JSON form of `Outage`.

    Attributes:
        from_, to: ISO times of the last summary and of the stop.
        seconds: time between the two, in which nothing was observed.
        reason: why no book came back.
    """

    from_: str
    to: str
    seconds: float
    reason: str


class Outage(NamedTuple):
    """The time from the last summary of a product to the end of its recording, on another connection or none.

    Attributes:
        start, end: in nanoseconds since 1970.
        reason: why no book came back; may be empty.
    """

    start: int
    end: int
    reason: str

    def line(self, product: str) -> str:
        """Return what happened, for people."""
        seconds = display.seconds((self.end - self.start) / NS)
        because = f" ({display.printable(self.reason)})" if self.reason else ""
        return (
            f"{product}: not observed for the last {seconds} s: no book since "
            f"{display.time_of_day(self.start)} UTC{because}"
        )

    def document(self) -> OutageDocument:
        """Return the JSON form."""
        return OutageDocument(
            format_time(self.start), format_time(self.end), (self.end - self.start) / NS, self.reason
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """The facts of one connection; times are recv_time in nanoseconds since 1970.

    Attributes:
        number: its number; the connections of a product count up by one.
        opened: how it began: its id, its URL, the products that share it.
        first_time, last_time: times of its first and last row.
        closed: how it ended; None if no row tells, because it is still open or its recorder died.
        has_frames: whether a frame came.
        faults: number of anomalies of each kind that breaks a connection.
        lag: the lag of its summaries; None if it has none, or it is not known.
        is_numbered: whether a frame had a sequence number that was checked.
        is_counted: whether `faults`, `lag` and `is_numbered` cover all of its rows.
    """

    number: int
    opened: Connected
    first_time: int
    last_time: int
    closed: Disconnected | None = None
    has_frames: bool = False
    faults: Mapping[str, int] = field(default_factory=dict)
    lag: Lag | None = None
    is_numbered: bool = False
    is_counted: bool = True


def outage_at_end(connections: Sequence[Connection], tally: Tally) -> Outage | None:
    """Return since when nothing was observed if a tape ends without a book; None if one was known, or ever.

    Args:
        connections: all of the tape.
        tally: of all rows, or of those of a window: then the end of the window is that of the tape.
    """
    if tally.last_book is None or tally.last_time is None:
        return None
    since, number = tally.last_book
    last = next((each for each in reversed(connections) if each.number == tally.last_connection), None)
    if last is None or (number == last.number and tally.last_time <= last.last_time):
        return None
    return Outage(since, tally.last_time, (last.closed or Disconnected()).reason)


_FRAMES: Final = frozenset({"frame", PACKED})


class ConnectionCollector:
    """Collects the connections of a product while its rows are read, in order.

    Attributes:
        first_time, last_time: recv_time of the first and last row so far; None without rows.
    """

    def __init__(self) -> None:
        self.first_time: int | None = None
        self.last_time: int | None = None
        self._found: list[Connection] = []
        self._number: int | None = None
        self._with_frames: set[int | None] = set()
        self._end_before: tuple[int | None, Disconnected | None] | None = None  # of one that began earlier

    def begin_inside(self, number: int, time: int) -> None:
        """Begin with rows of a connection whose first row is not here: it is not known how it began."""
        self._found.append(Connection(number, Connected(), time, time))
        self._number, self.first_time = number, time

    def add(self, rows: pa.RecordBatch) -> None:
        """Add the next rows, at least one. O(1) if they are frames of the same connection as the row before.

        A connection has a `connected` row at its beginning, and a `disconnected` row at its end at most. A
        second one tells when the recording was stopped, in the outage that began with the first.
        """
        # Without pyarrow.compute: importing it would take a tenth of the time of `inspect`.
        connection, kind = rows.column("connection"), rows.column("kind")
        times = rows.column("recv_time").to_numpy().view(np.int64)
        ends = {connection[0].as_py(), connection[-1].as_py()}
        if ends != {self._number} or not {kind[0].as_py(), kind[-1].as_py()} <= _FRAMES:
            is_mark = ~np.isin(kind.to_numpy(zero_copy_only=False), list(_FRAMES))
            self._with_frames.update(np.unique(connection.to_numpy()[~is_mark]).tolist())
            for place in np.flatnonzero(is_mark).tolist():
                payload, time = rows.column("payload")[place].as_py(), int(times[place])
                if kind[place].as_py() == "disconnected":
                    self._end(time, read_disconnected(payload))
                    continue
                self._end(int(times[place - 1]) if place else self.last_time)
                self._found.append(Connection(connection[place].as_py(), read_connected(payload), time, time))
        self._number = connection[-1].as_py()
        self.skip(int(times[0]), int(times[-1]), frames=kind[-1].as_py() in _FRAMES)

    def skip(self, first_time: int, last_time: int, *, frames: bool = True) -> None:
        """Pass over rows that begin no connection; `frames` tells whether the last of them is a frame."""
        if frames:
            self._with_frames.add(self._number)
        self.first_time = first_time if self.first_time is None else self.first_time
        self.last_time = last_time

    def merge(self, later: "ConnectionCollector") -> None:
        """Add the connections of the rows that come next, of a collector of their own."""
        if later.first_time is None:
            return
        if later._end_before is not None:
            time, closed = later._end_before
            self._end(self.last_time if time is None else time, closed)
        self._found += later._found
        self._with_frames |= later._with_frames
        self._number = later._number
        self.first_time = later.first_time if self.first_time is None else self.first_time
        self.last_time = later.last_time

    def _end(self, time: int | None, closed: Disconnected | None = None) -> None:
        """Set the end of the last connection, unless it was closed."""
        if not self._found:
            self._end_before = self._end_before or (time, closed)
        if self._found and self._found[-1].closed is None and time is not None:
            self._found[-1] = replace(self._found[-1], last_time=time, closed=closed)

    def connections(self, facts: Facts, uncounted_from: int | None = None) -> tuple[Connection, ...]:
        """Return the connections so far, in order.

        Args:
            facts: what their rows tell of them.
            uncounted_from: the first connection of which these do not cover all rows; None if they cover all.
        """
        self._end(self.last_time)
        return tuple(
            replace(
                each,
                has_frames=each.number in self._with_frames,
                faults=facts.faults.get(each.number, {}),
                lag=facts.lags.get(each.number),
                is_numbered=each.number in facts.numbered,
                is_counted=uncounted_from is None or each.number < uncounted_from,
            )
            for each in self._found
        )
