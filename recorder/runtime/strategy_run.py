"""One run of a user's strategy: started for each product, its rows written and digested."""

from collections.abc import Callable, Mapping

import pyarrow as pa

from orderbook.digest import RowDigest, run_digest
from orderbook.display import plural
from orderbook.document import Document
from orderbook.engine import Step
from orderbook.strategy import CheckedStrategy, StrategyError, StrategyFactory, name_of
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position

WriteRows = Callable[[str, pa.RecordBatch], None]
"""Called with a product and rows."""


class StrategyRows(Document, frozen=True):
    """The rows of a strategy for one product.

    Attributes:
        rows: number of rows.
        digest: digest of the rows, hex.
    """

    rows: int
    digest: str


class StrategyDocument(Document, frozen=True):
    """A strategy in one run.

    Attributes:
        products: its rows, by product that has rows.
    """

    name: str
    products: dict[str, StrategyRows]


class StrategyRun:
    """A strategy of rows in one run, live or replayed.

    Args:
        factory: makes the strategy of a product.
        write: called with rows as they are made.
        reads_trades: whether it is given trades too.

    Attributes:
        name: name of the strategy, `module:factory`.
        write, reads_trades: as given.
        failure: the first failure, if any.
        digests: digest by product that has rows.
    """

    reads_rows = False
    execution = execution_digest = None

    def __init__(self, factory: StrategyFactory, write: WriteRows, *, reads_trades: bool = False) -> None:
        self._factory = factory
        self.name = name_of(factory)
        self.write = write
        self.reads_trades = reads_trades
        self.failure: StrategyError | None = None
        self.digests: dict[str, RowDigest] = {}
        self._running: dict[str, CheckedStrategy | None] = {}  # None once it has failed

    def begin(self, feed: str, positions: Mapping[str, Position], tape: Tape | None) -> None:
        """Do nothing: it starts with the first summary that it is given."""

    def catch_up(self, is_out_of_time: Callable[[], bool]) -> None:
        """Do nothing, for the same reason."""

    def standing(self, product: str) -> None:
        """Return nothing: it has no position."""

    def take(self, product: str, step: Step) -> None:
        """Run the product's strategy on the summaries of a batch; it starts with the first.

        Raises:
            StrategyError: if it fails; it is not called again, those of other products are.
            OSError: if its rows cannot be written.
        """
        trades = None if step.trades is None else step.trades.trades
        if step.summaries.num_rows or (trades is not None and product in self._running):
            self._call(product, lambda running: running.step(step.summaries, trades))

    def finish(self) -> None:
        """End the strategies of all products.

        Raises:
            StrategyError: if one fails, once all have ended.
            OSError: if rows cannot be written.
        """
        failures = []
        for product in list(self._running):
            try:
                self._call(product, _last_rows)
            except StrategyError as error:
                failures.append(error)
        self._running.clear()
        if failures:
            raise failures[0]

    def _call(self, product: str, call: Callable[[CheckedStrategy], list[pa.RecordBatch]]) -> None:
        try:
            if product not in self._running:
                self._running[product] = CheckedStrategy(self._factory, product)
            running = self._running[product]
            batches = [] if running is None else call(running)
        except StrategyError as error:
            self._running[product] = None
            self.failure = self.failure or error
            raise
        for rows in batches:
            if product not in self.digests:
                self.digests[product] = RowDigest(rows.schema)
            self.digests[product].update(rows)
            self.write(product, rows)

    @property
    def digest(self) -> str | None:
        """Digest of the rows of all products, hex; None if the strategy failed."""
        if self.failure is not None:
            return None
        return run_digest({product: each.hexdigest() for product, each in self.digests.items()})

    def document(self) -> StrategyDocument:
        """Return the JSON form."""
        products = {
            product: StrategyRows(each.rows, each.hexdigest())
            for product, each in sorted(self.digests.items())
        }
        return StrategyDocument(self.name, products)

    def line(self) -> str:
        """Return the line under a result."""
        rows = sum(each.rows for each in self.digests.values())
        return f"Strategy {self.name}: {plural(rows, 'row')}, digest {(self.digest or 'none')[:16]}"


def _last_rows(strategy: CheckedStrategy) -> list[pa.RecordBatch]:
    rows = strategy.finish()
    return [] if rows is None else [rows]
