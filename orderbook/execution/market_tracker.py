"""The plain way from a row of the tape to what the exchange reads of it."""

from orderbook.book import OrderBookState
from orderbook.events import BookFrame, ReadRow
from orderbook.execution.market_rows import MarketColumns
from orderbook.execution.rows import BookRow, BreakRow, OtherRow, TapeRow, TradeRow
from orderbook.tracker import Tracker, TrackerState
from orderbook.trades import TradeWatch


def read_row(  # noqa: PLR0917  the columns of the tape
    watch: TradeWatch,
    seq: int,
    time: int,
    connection: int,
    kind: str,
    payload: str | ReadRow,
    changed: BookFrame | None,
) -> TapeRow:
    """Return a row of the tape as the exchange reads it; `changed` is what `RowTracker.row` returned."""
    if kind != "frame":
        assert isinstance(payload, str)  # noqa: S101  only frames are read before
        watch.interruption(kind, payload)
        return BreakRow(seq, time, connection)
    if changed is not None:
        book_time = watch.book(payload, changed.exchange_time)
        return BookRow(seq, time, connection, book_time, changed.events)
    trades = watch.trades(payload)
    return TradeRow(seq, time, connection, trades) if trades else OtherRow(seq, time, connection)


class MarketTracker(Tracker):
    """The tracker of the plain engine that also collects what the exchange reads.

    Args:
        state: the state, which every row changes.
        watch: judges the trades.
        depth: see `Tracker`.
    """

    def __init__(self, state: TrackerState[OrderBookState], watch: TradeWatch, depth: int = 0) -> None:
        super().__init__(state, depth)
        self.market = MarketColumns()
        self._watch = watch

    def row(
        self, seq: int, recv_time: int, connection: int, kind: str, payload: str | ReadRow
    ) -> BookFrame | None:
        """Apply one row and collect it."""
        changed = super().row(seq, recv_time, connection, kind, payload)
        self.market.add(read_row(self._watch, seq, recv_time, connection, kind, payload, changed))
        return changed
