"""The pass of a backtest over a product: its rows through all lanes, and what comes out of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Engine, PlainEngine, State, Step, Watch
from orderbook.execution.records import TakeRecords
from orderbook.execution.results import LaneRows
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.tape.format.sidecars import Start
from recorder.tape.reader import Tape
from recorder.tape.row_batches import BATCH_ROWS
from replay.pieces.cutting import WHOLE_PRODUCT, Piece
from replay.pieces.reading import rows_of
from replay.simulation import tables
from replay.simulation.lane_runs import LaneRun, ProductRun
from replay.simulation.making import Listen, compiled_lanes, plain_lanes
from replay.simulation.settings import BacktestSettings

Write: TypeAlias = Callable[[str, str, pa.RecordBatch], None]
"""Called with a stream (`orders`, `fills`, `resting`, `equity` or `log`), a product and rows."""


_FEWEST_ROWS: Final = 64
"""Rows of a batch, however many lanes there are."""


class Observer(TakeRecords, Protocol):
    """Watches a product on its way through its lanes, as a report does.

    The compiled exchange gives it records of all lanes, the plain one rows.
    """

    def load(self, levels: Levels) -> None:
        """Take the book that is known before the first row."""

    def prepare(self, step: Step) -> None:
        """Take rows that build the book before the part to trade on."""

    def step(self, step: Step) -> None:
        """Take rows of the part to trade on; each step has `market`."""

    def finish(self, runs: Sequence[LaneRun]) -> None:
        """Take the lanes as they are at the end of the tape."""

    def add_rows(self, number: int, rows: LaneRows) -> None:
        """Take what is whole of a lane, before it is dropped; lanes are numbered as they were made."""


class ProductPass:
    """A product on its way through all its lanes, batch by batch; live as over a tape.

    Args:
        product: the product.
        settings: what is run.
        state: the product before the first row.
        write: takes the tables of what is whole; without it only the numbers of the lanes are kept.
        listen: called with each event of a lane as it happens; the plain engine alone does that.
        engine: that of the state; the compiled one must have been loaded for executions.
        observer: watches all of it.

    Attributes:
        run: what came of it so far.
    """

    def __init__(
        self,
        product: str,
        settings: BacktestSettings,
        state: State,
        write: Write | None = None,
        listen: Listen | None = None,
        *,
        engine: Engine | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._has_records = engine is not None and engine.name != PlainEngine.name
        if engine is None or not self._has_records:
            keeps_market = observer is not None
            lanes, shown = plain_lanes(product, settings, state, listen, keeps_market=keeps_market)
        else:
            keeps_rows = write is not None
            made = product, settings, state, engine
            lanes, shown = compiled_lanes(*made, keeps_rows=keeps_rows, watched_by=observer)
        self.run = ProductRun(product, Tally(DEFAULT_THRESHOLD), lanes, shown)
        self._write = write
        self._observer = observer
        self._fills = tables.fills_schema(settings.lane.markouts)

    def prepare(self, rows: pa.RecordBatch) -> None:
        """Apply rows that come before the part to trade on: they build the book."""
        step = self.run.shown.prepare(rows)
        if self._observer is not None:
            self._observer.prepare(step)

    def step(self, rows: pa.RecordBatch) -> Step:
        """Show the lanes a batch of rows.

        Raises:
            StrategyError: if a strategy cannot be made, or raises.
        """
        step = self.run.shown.step(rows)
        self.run.tally.add(step)
        if self._observer is not None:
            self._observer.step(step)
        self._take()
        return step

    def finish(self) -> None:
        """End the tape for all lanes.

        Raises:
            StrategyError: if a strategy raises.
        """
        self.run.shown.finish()
        self._take()
        if self._observer is not None:
            self._observer.finish(self.run.lanes)

    def _take(self) -> None:
        """Write the rows that are whole if they are wanted, and drop them."""
        for number, each in enumerate(self.run.lanes):
            if self._write is not None:
                for stream, batch in _batches(each, self._fills):
                    self._write(stream, self.run.product, batch)
            if not self._has_records:
                each.parts.add(each.lane.rows)
                if self._observer is not None:
                    self._observer.add_rows(number, each.lane.rows)
            each.lane.rows.clear()


def run_product(  # noqa: PLR0917
    tape: Tape,
    product: str,
    settings: BacktestSettings,
    write: Write | None,
    is_stopped: Callable[[], bool],
    progress: Watch | None = None,
    engine: Engine | None = None,
    observer: Observer | None = None,
    piece: Piece = WHOLE_PRODUCT,
) -> ProductRun:
    """Run the lanes of a product over its part of the tape, or until it is stopped.

    Without `write` and `observer` only the numbers of the lanes are kept.

    Raises:
        TapeError: if the tape cannot be read.
        StrategyError: if a strategy cannot be made, or raises.
    """
    engine = engine or PlainEngine()
    window, stored = settings.window, tape.product(product)
    start = Start() if window.start is None else stored.start_before(window.start)
    state = engine.load(start.saved) if start.saved else engine.start(product, tape.feed)
    if observer is not None and (levels := engine.levels(state)) is not None:
        observer.load(levels)
    passing = ProductPass(product, settings, state, write, engine=engine, observer=observer)
    lanes = len(settings.lanes())
    # The plain engine takes so long for a row of many lanes that a signal would wait for seconds.
    size = max(BATCH_ROWS // max(lanes, 1), _FEWEST_ROWS) if engine.name == PlainEngine.name else BATCH_ROWS
    for rows in window.cut(rows_of(stored, piece, start, size, engine.packed)):
        if not window.is_reported(rows.column("recv_time").view(pa.int64())[0].as_py()):
            passing.prepare(rows)
            continue
        step = passing.step(rows)
        if progress is not None:
            progress(product, step)
        if is_stopped():
            break
    passing.finish()
    return passing.run


def _batches(run: LaneRun, fills: pa.Schema) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of a lane that are whole, by stream."""
    rows, place = run.lane.rows, (run.setting, run.queue)
    if rows.orders:
        yield "orders", tables.orders_batch(*place, rows.orders)
    if rows.fills:
        yield "fills", tables.fills_batch(*place, rows.fills, fills)
    if len(rested := rows.resting.array()):
        yield "resting", tables.resting_batch(*place, rested)
    if rows.samples:
        yield "equity", tables.equity_batch(*place, rows.samples)
    if rows.log:
        yield "log", tables.log_batch(*place, rows.log)
