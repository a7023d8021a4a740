"""The rows of a tape as the exchange reads them; whoever decodes a tape makes them, in seq order.

Of each row first `Lanes.advance(time)` is called, then the row changes the book, then the row is given to the
market and to the lanes: what was due before the row must meet the book before it.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from orderbook.events import BookEvent, Trade


class BreakRow(NamedTuple):
    """A `connected` or `disconnected` row: no book is known after it."""

    seq: int
    time: int
    connection: int


class BookRow(NamedTuple):
    """A frame that changed the book, or a snapshot: a row that has a summary.

    Attributes:
        seq, time, connection: of the row; time is recv_time in ns.
        book_time: exchange time of the book after it, None if the frame says none. Exchange: the frame's
            time. Advanced: the largest event_time of the product's changes.
        events: the product's events of the frame.
    """

    seq: int
    time: int
    connection: int
    book_time: int | None
    events: Sequence[BookEvent]

    @property
    def has_snapshot(self) -> bool:
        """Whether the frame replaced the book."""
        return any(event.is_snapshot for event in self.events)


class TradeRow(NamedTuple):
    """A frame of trades; `trades` are the product's, in any order."""

    seq: int
    time: int
    connection: int
    trades: Sequence[Trade]

    @property
    def new_trades(self) -> Sequence[Trade]:
        """The trades without those of before the connection."""
        return [trade for trade in self.trades if not trade.is_history]


class OtherRow(NamedTuple):
    """Any other row: it only moves time."""

    seq: int
    time: int
    connection: int


TapeRow: TypeAlias = BreakRow | BookRow | TradeRow | OtherRow
