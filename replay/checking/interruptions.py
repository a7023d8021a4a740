"""The interruptions of a product: the time between two connections, and before the stop of its recording."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orderbook.connection_marks import Disconnected
from orderbook.document import Document
from orderbook.times import format_time
from recorder.tape.connections import Connection


class InterruptionDocument(Document, frozen=True):
    """The time between two connections of a product, or from the last one to the stop of the recording.

    Attributes:
        from_, to: recv_time of the last row before and the first row after.
        seconds: time between the two.
        connection: number of the connection that begins after it; null if the recording was stopped first.
    """

    from_: str
    to: str
    seconds: float
    connection: int | None
    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Interruption:
    """The time between two connections of a product, or from the last one to the stop of the recording.

    Attributes:
        start, end: recv_time of the last row before and the first row after, in nanoseconds since 1970.
        connection: number of the connection that begins after it; None if the recording was stopped first.
        code, reason: how the connection before it ended; code is None if no row says so.
    """

    start: int
    end: int
    connection: int | None
    code: int | None
    reason: str

    def document(self) -> InterruptionDocument:
        """Return the JSON form."""
        return InterruptionDocument.of(
            self,
            from_=format_time(self.start),
            to=format_time(self.end),
            seconds=(self.end - self.start) / 1e9,
        )


def interruptions(connections: Sequence[Connection], last_time: int | None) -> Iterator[Interruption]:
    """Yield the interruptions of a product, in order.

    Args:
        connections: all of the tape.
        last_time: recv_time of the last row.
    """
    following: list[tuple[int, int | None]] = [(each.first_time, each.number) for each in connections[1:]]
    if connections and last_time is not None and last_time > connections[-1].last_time:
        following.append((last_time, None))
    for before, (end, number) in zip(connections, following, strict=False):
        closed = before.closed or Disconnected(None, "the recorder ended without a word")
        yield Interruption(before.last_time, end, number, closed.code, closed.reason)
