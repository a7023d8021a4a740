"""One product of a tape through the compiled engine and the compiled exchange, batch by batch."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import pyarrow as pa

from orderbook.compiled.engine import CompiledEngine, CompiledState
from orderbook.compiled.unpacked import unpack
from orderbook.engine import Step
from orderbook.events import Trade
from orderbook.execution.compiled.harvest import CompiledLane
from orderbook.execution.compiled.lanes import CompiledLanes
from orderbook.execution.compiled.loading import Kernel
from orderbook.execution.market import Touch
from orderbook.execution.records import TakeRecords
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.trader import Trader
from orderbook.schema import PACKED
from orderbook.trades import TradeWatch

Made: TypeAlias = tuple[Trader, LaneSettings, str]
"""A strategy, the settings of its lane, and what errors call it."""


class CompiledProduct:
    """All lanes of one product, as `product.ProductLanes` has them.

    Args:
        engine: reads the rows.
        state: the product before the first row, of the engine.
        kernel: the kernel.
        rules: of the product.
        shared: settings that all lanes share.
        make: returns what the lanes are made of.
        take: called with the lanes once they are there.
        at_once: whether the lanes begin with the first row that they are shown, as tables of orders do;
            else with the first row that has a summary.
        keeps_rows: whether orders, fills and samples are kept as rows.
        takes: what takes them as records.

    Attributes:
        watch: judges the trades.
        trades: number of trades so far, history left out.
        sizes_cut: sizes of the feed that were cut.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        engine: CompiledEngine,
        state: CompiledState,
        kernel: Kernel,
        rules: ProductRules,
        shared: LaneSettings,
        make: Callable[[], Sequence[Made]],
        take: Callable[[Sequence[CompiledLane]], None],
        *,
        at_once: bool = False,
        keeps_rows: bool,
        takes: Sequence[TakeRecords] = (),
    ) -> None:
        self.watch = TradeWatch(state.product, state.venue)
        self.trades = self.sizes_cut = 0
        self._engine = engine
        self._state = state
        self._make = make
        self._take = take
        self._begins_at_once = at_once
        self._lanes = CompiledLanes(
            kernel,
            state.product,
            rules,
            every=shared.equity_every,
            horizons=shared.markouts,
            keeps_rows=keeps_rows,
            takes=takes,
        )
        if state.book.is_known:
            self._lanes.look(state.book)

    def keep_market(self) -> None:
        """Have the steps hold a whole `market`, with the changes of the book, which no lane reads."""
        self._lanes.wants_changes = True

    @property
    def market(self) -> "CompiledProduct":
        """What the tape shows: here."""
        return self

    @property
    def tick(self) -> int | None:
        """See `market.Market`."""
        return self._lanes.tick

    @property
    def shown_tick(self) -> int | None:
        """See `market.Market`."""
        return self._lanes.shown_tick

    @property
    def shown_lot(self) -> int | None:
        """See `market.Market`."""
        return self._lanes.shown_lot

    @property
    def seq(self) -> int:
        """Number of the last row."""
        return self._lanes.seq

    @property
    def touch(self) -> Touch:
        """See `market.Market`."""
        return self._lanes.touch

    def prepare(self, rows: pa.RecordBatch) -> Step:
        """Apply rows that come before the part of the tape to trade on: they build the book."""
        return self._run(rows)

    def step(self, rows: pa.RecordBatch) -> Step:
        """Apply a batch of `TAPE_SCHEMA` in seq order and show it to the lanes."""
        if not self._lanes.lanes:
            if self._begins_at_once:
                self._begin()
            else:
                self._lanes.begin_with_book(self._begin)
        return self._run(rows)

    def finish(self) -> None:
        """End the tape for all lanes."""
        self._lanes.finish()

    def _begin(self) -> None:
        self._lanes.begin(self._make())
        self._take(self._lanes.lanes)

    def _run(self, rows: pa.RecordBatch) -> Step:
        def read_trades(row: int) -> Sequence[Trade]:
            payload = rows.column("payload")[row].as_py()
            if rows.column("kind")[row].as_py() == PACKED:
                frame = unpack(payload).trades
            else:
                text = payload.decode() if isinstance(payload, bytes) else payload
                frame = self._state.venue.read_trades(text, self._state.product)
            return frame.trades if frame else ()

        self._lanes.read_trades = read_trades
        self._state, step = self._engine.step(self._state, rows, watch=self.watch, exchange=self._lanes)
        market = step.market
        assert market is not None  # noqa: S101  there was a watch
        self._lanes.end_batch()
        self.trades += len(market.trades) - int(market.trades[:, 5].sum())
        self.sizes_cut += int(market.sizes_cut.sum())
        return step
