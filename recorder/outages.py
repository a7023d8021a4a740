"""An outage that lasted until a recording was stopped: nothing was observed from its beginning on."""

from typing import NamedTuple

from orderbook import display
from orderbook.document import Document
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
