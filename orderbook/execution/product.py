"""One product of a tape, row by row: through its book and its market to all lanes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from orderbook.book import OrderBookState
from orderbook.engine import Step, run_tracker
from orderbook.events import BookFrame, ReadRow
from orderbook.execution.lane import Lane
from orderbook.execution.lanes import Lanes
from orderbook.execution.market import Market
from orderbook.execution.market_rows import MarketColumns
from orderbook.execution.market_tracker import read_row
from orderbook.execution.rows import TapeRow, TradeRow
from orderbook.tracker import Tracker, TrackerState
from orderbook.trades import TradeWatch


class ProductLanes:
    """All lanes of one product.

    Args:
        state: the product before the first row; it must be the plain engine's, and is changed by every row.
        tick: smallest step of prices, in units of 1e-8; None infers it from the first book.
        make: returns the lanes.
        at_once: whether the lanes begin with the first row that they are shown, as tables of orders do;
            else with the first row that has a summary.
        keeps_market: whether steps have `market`.

    Attributes:
        market: what the tape shows.
        lanes: empty until they begin.
        watch: judges the trades.
        trades: number of trades so far, history left out.
    """

    def __init__(
        self,
        state: TrackerState[OrderBookState],
        tick: int | None,
        make: Callable[[Market], Sequence[Lane]],
        *,
        at_once: bool = False,
        keeps_market: bool = False,
    ) -> None:
        self.market = Market(state.book, tick)
        self.lanes: Sequence[Lane] = ()
        self.watch = TradeWatch(state.product, state.venue)
        self.trades = 0
        self._shown = Lanes(self.market, ())
        self._state = state
        self._make = make
        self._at_once = at_once
        self._keeps_market = keeps_market

    def prepare(self, rows: pa.RecordBatch) -> Step:
        """Apply rows that come before the part of the tape to trade on: they build the book."""
        return self._run(rows, is_shown=False)

    def step(self, rows: pa.RecordBatch) -> Step:
        """Apply a batch of `TAPE_SCHEMA` in seq order and show it to the lanes."""
        if self._at_once:
            self.begin()
        step = self._run(rows, is_shown=True)
        self._shown.sample()
        return step

    def begin(self) -> None:
        """Make the lanes, if they are not there yet."""
        if not self.lanes:
            self.lanes = self._make(self.market)
            self._shown = Lanes(self.market, self.lanes)

    def advance(self, time: int) -> None:
        """Let the lanes do what is due before a row of this time."""
        self._shown.advance(time)

    def see(self, row: TapeRow) -> None:
        """Show the lanes a row that the market has applied."""
        self._shown.see(row)

    def finish(self) -> None:
        """End the tape for all lanes."""
        self._shown.finish()

    def _run(self, rows: pa.RecordBatch, *, is_shown: bool) -> Step:
        columns = MarketColumns() if self._keeps_market else None
        step = run_tracker(_LaneTracker(self, self._state, is_shown, columns), self._state.book, rows)
        return step if columns is None else replace(step, market=columns.to_rows())


class _LaneTracker(Tracker):
    """Applies the rows of one batch to the book, and tells market and lanes of each."""

    def __init__(
        self,
        product: ProductLanes,
        state: TrackerState[OrderBookState],
        is_shown: bool,
        market: MarketColumns | None,
    ) -> None:
        super().__init__(state)
        self._product = product
        self._is_shown = is_shown
        self._market = market

    def row(
        self, seq: int, recv_time: int, connection: int, kind: str, payload: str | ReadRow
    ) -> BookFrame | None:
        """Apply one row: what is due before it, the row itself, and what follows from it."""
        product, is_shown = self._product, self._is_shown
        if is_shown:
            product.advance(recv_time)
        changed = super().row(seq, recv_time, connection, kind, payload)
        row = read_row(product.watch, seq, recv_time, connection, kind, payload, changed)
        if self._market is not None:
            self._market.add(row)
        if isinstance(row, TradeRow):
            product.trades += len(row.new_trades)
        if is_shown and changed is not None and not product.lanes:
            product.begin()
            product.advance(recv_time)
        product.market.apply(row)
        if is_shown:
            product.see(row)
        return changed
