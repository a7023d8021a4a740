"""Paper trading: a strategy with simulated orders behind a live feed. It sends nothing anywhere.

The rows of the feed go through the same exchange as those of a tape, so the orders are those of a backtest of
the same rows. Behind a recording the strategy is caught up first, if the tape notes that the same strategy
with the same settings has traded on it before: it is run over the rows since then, as a backtest does.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa

from orderbook.digest import run_digest
from orderbook.display import plural
from orderbook.engine import PlainEngine
from orderbook.execution.codes import QueueModel
from orderbook.execution.events import Event
from orderbook.execution.lane import Lane
from orderbook.execution.results import LogRow
from orderbook.strategy import StrategyError
from orderbook.tally import products_with_rows
from recorder.runtime.strategy_run import WriteRows
from recorder.runtime.strategy_thread import Standing
from recorder.tape.errors import TapeError
from recorder.tape.format.executions import Checkpoint, ExecutionLog
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position, split_at
from replay.simulation import tables
from replay.simulation.passes import ProductPass
from replay.simulation.results import Backtest
from replay.simulation.rows import rows_of
from replay.simulation.sessions import session_of
from replay.simulation.settings import BacktestSettings
from replay.simulation.statistics import money_of_twice, size

log = logging.getLogger(__name__)


class PaperRun:
    """A strategy that trades on paper, in one recording or behind one live feed.

    Args:
        settings: what is run; one setting.
        write: called with a product and events as they happen, `EVENTS_SCHEMA`.

    Attributes:
        name: name of the strategy.
        write: as given.
        failure: the first failure, if any.
    """

    reads_rows, reads_trades = True, False
    digest = None

    def __init__(self, settings: BacktestSettings, write: WriteRows) -> None:
        self.name = settings.name or "without a name"
        self.write = write
        self.failure: StrategyError | None = None
        self._settings = settings
        self._products: dict[str, _Product] = {}
        self._path = Path("the live feed")
        self._is_behind = False
        self._began = time.perf_counter()

    def begin(self, feed: str, positions: Mapping[str, Position], tape: Tape | None) -> None:
        """Begin with the next rows of products; on a tape note that, or go on with what it notes.

        Raises:
            TapeError: if that cannot be noted.
        """
        if tape is not None:
            self._path = tape.path
        for product, position in positions.items():
            noted = None
            if tape is not None:
                stored = tape.product(product)
                directory, session = stored.directory, session_of(self._settings, product, position.seq)
                try:
                    noted = ExecutionLog(directory, session, stored.first_seq)
                except OSError as error:
                    raise TapeError(f"{directory}: cannot write ({error.strerror})", directory) from None
            passing = ProductPass(
                product, self._settings, PlainEngine().start(product, feed), listen=self._listen
            )
            self._products[product] = _Product(passing, position.seq, noted, tape)

    def catch_up(self, is_out_of_time: Callable[[], bool]) -> None:
        """Run the strategy over the rows since it began on this tape, or stop once there is no time.

        Raises:
            StrategyError: if it fails for a product, or the rows cannot be read, once others have caught up.
        """
        try:
            self._each(lambda _name, product: product.catch_up(is_out_of_time))
        finally:
            behind = [name for name, product in self._products.items() if not product.is_current]
            if behind:
                self._is_behind = True
                log.warning(
                    "strategy %s: stopped while it was run over the tape again (%s); it has no result",
                    *(self.name, ", ".join(behind)),
                )

    def take(self, product: str, rows: pa.RecordBatch, begins_segment: bool = False) -> None:
        """Run the lanes of a product on the next rows.

        Raises:
            StrategyError: if the strategy fails; it is not called again, that of other products is.
            OSError: if events cannot be written.
        """
        if product not in self._products or self._is_behind:
            return
        found = self._products[product]
        try:
            self._guarded(product, partial(found.take, rows, begins_segment))
        finally:
            self._write(product, found)

    def finish(self) -> None:
        """End the feed for all lanes.

        Raises:
            StrategyError: if one fails, once all have ended.
            OSError: if events cannot be written.
        """

        def end(name: str, product: _Product) -> None:
            product.finish()
            self._write(name, product)

        if not self._is_behind:
            self._each(end)

    def standing(self, product: str) -> Standing | None:
        """Return how its first lane stands on a product; another thread may be changing it."""
        found = self._products.get(product)
        lanes = [] if found is None else found.passing.run.lanes
        if found is None or not lanes or self._is_behind:
            return None
        lane, mid = lanes[0].lane, found.passing.run.shown.market.touch.mid_twice
        equity = lane.account.equity_twice(mid)
        net = None if equity is None else money_of_twice(equity - 2 * lane.account.start)
        queue, position = lanes[0].queue, size(lane.account.position)
        return Standing(queue, position, lane.resting, found.fills, net)

    def line(self) -> str:
        """Return the line under a result."""
        what = "no result" if self.execution is None else "traded on paper, nothing was sent anywhere"
        return f"Strategy {self.name}: {what}"

    def document(self) -> None:
        """Return nothing: it makes no rows."""

    @property
    def execution(self) -> Backtest | None:
        """The numbers of all lanes, as of a backtest; None if the strategy failed or has not caught up."""
        if self.failure is not None or self._is_behind:
            return None
        runs = [product.passing.run for product in self._products.values()]
        result = Backtest(
            ((self._path, run_digest(products_with_rows({run.product: run.tally for run in runs}))),),
            self._settings,
            [row for run in runs for row in rows_of(run, self._settings)],
            elapsed_s=time.perf_counter() - self._began,
        )
        result.sort("product")
        return result

    @property
    def execution_digest(self) -> str | None:
        """The execution digest, hex; None if there is no result."""
        found = self.execution
        return None if found is None else found.execution_digest

    def _listen(self, product: str, queue: QueueModel, lane: Lane, event: Event | LogRow) -> None:
        found = self._products[product]
        seq = found.passing.run.shown.market.seq
        found.events.append(tables.event_row(queue, lane, seq, event))
        is_fill = isinstance(event, Event) and event.fill is not None
        found.fills += is_fill and queue == self._settings.queues[0]

    def _write(self, name: str, product: "_Product") -> None:
        events, product.events = product.events, []
        if events:
            self.write(name, tables.events_batch(events))

    def _each(self, call: "Callable[[str, _Product], None]") -> None:
        """Call something with each product; raise the first failure once all were called."""
        failures = []
        for name, product in list(self._products.items()):
            try:
                self._guarded(name, partial(call, name, product))
            except StrategyError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _guarded(self, product: str, call: Callable[[], None]) -> None:
        """Call something that only concerns a product; if it fails, the product is left out from then on."""
        try:
            call()
        except (StrategyError, TapeError) as error:
            who = "" if isinstance(error, StrategyError) else f"strategy {self.name}, {product}: "
            failure = StrategyError(f"{who}{error}")
            self.failure = self.failure or failure
            del self._products[product]
            raise failure from error


class _Product:
    """One product of a paper run.

    Attributes:
        passing: its lanes.
        position: the first row of this recording.
        next_seq: the row that the lanes see next.
        events: what has happened since the last batch of rows.
        fills: number of fills of the first lane.
    """

    def __init__(
        self, passing: ProductPass, position: int, noted: ExecutionLog | None, tape: Tape | None
    ) -> None:
        self.passing = passing
        self.position = position
        self.next_seq = position if noted is None else noted.traded.session.first_seq
        self.events: list[tuple[object, ...]] = []
        self.fills = 0
        self._noted = noted
        self._tape = tape

    @property
    def is_current(self) -> bool:
        """Whether nothing is missing before the rows of this recording."""
        return self.next_seq == self.position

    def catch_up(self, is_out_of_time: Callable[[], bool]) -> None:
        """Run the lanes over the rows before this recording."""
        if self.is_current or self._tape is None or self._noted is None:
            return
        product, first = self.passing.run.product, self.next_seq
        known = {each.next_seq: each for each in self._noted.traded.checkpoints}
        stored = self._tape.product(product).batches(first_seq=first)
        for rows in split_at(stored, {*known, self.position}):
            known = self._compare(known)
            if self.next_seq == self.position or is_out_of_time():
                break
            self.passing.step(rows)
            self.next_seq = rows.column("seq")[-1].as_py() + 1
            self.events.clear()  # they were told when they happened
        if self.next_seq == self.position:
            self._compare(known)
            rows_text = plural(self.position - first, "row")
            log.info("%s: the strategy was run over %s of the tape again, and goes on", product, rows_text)

    def _compare(self, known: dict[int, Checkpoint]) -> dict[int, Checkpoint]:
        """Compare with the checkpoint of this place, if there is one; nothing more once one differs."""
        if known.get(self.next_seq) in (None, self._checkpoint()):
            return known
        log.warning(
            "%s: the orders before row %d are not those that were noted: the strategy has changed since",
            *(self.passing.run.product, self.next_seq),
        )
        return {}

    def take(self, rows: pa.RecordBatch, begins_segment: bool) -> None:
        """Show the next rows to the lanes."""
        if begins_segment:
            self._note()
        self.passing.step(rows)
        self.next_seq = rows.column("seq")[-1].as_py() + 1

    def finish(self) -> None:
        """End the feed for the lanes; the checkpoint is of before: the session may go on."""
        self._note()
        self.passing.finish()

    def _note(self) -> None:
        if self._noted is not None:
            try:
                self._noted.note(self._checkpoint())
            except OSError as error:
                raise StrategyError(f"what it did cannot be noted on the tape ({error.strerror})") from None

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self.next_seq, self.passing.run.digests())
