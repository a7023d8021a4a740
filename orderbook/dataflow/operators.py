"""The core as bytewax operators.

Streams carry `(product, RecordBatch)`; `order_book` emits `(product, Step)`.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import operator
from bytewax.operators import KeyedStream, StatefulBatchLogic

from orderbook.dataflow.workers import product_of
from orderbook.engine import Engine, Step
from orderbook.strategy import CheckedStrategy
from orderbook.thresholds import above
from orderbook.trades import TradeReader, TradeWatch

_Rows = tuple[str, pa.RecordBatch]
WantsBook = Callable[[str, int], bool]
"""(product, seq of the first row of a batch) to whether its step should hold the book before the batch."""

NO_BOOKS: Final[Mapping[str, bytes]] = MappingProxyType({})


def _never(_product: str, _seq: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _BookSettings:
    """The arguments of `order_book` that the books of all products share."""

    engine: Engine
    feed: str
    recoverable: bool
    depth: int
    trades: bool
    market: bool
    starts: Mapping[str, bytes]
    wants_book: WantsBook


class _BookLogic(StatefulBatchLogic[_Rows, Step, bytes | None]):
    """One product's book inside a flow."""

    def __init__(self, settings: _BookSettings, saved: bytes | None) -> None:
        self._settings = settings
        self._state = None if saved is None else settings.engine.load(saved)
        self._trades: TradeReader | None = None
        self._watch: TradeWatch | None = None

    def on_batch(self, values: list[_Rows]) -> tuple[list[Step], bool]:
        return [self._step(product, rows) for product, rows in values], StatefulBatchLogic.RETAIN

    def _step(self, product: str, rows: pa.RecordBatch) -> Step:
        settings, engine = self._settings, self._settings.engine
        if self._state is None:
            saved = settings.starts.get(product)
            self._state = engine.load(saved) if saved else engine.start(product, settings.feed)
            if settings.trades:
                self._trades = TradeReader(product, self._state.venue)
            elif settings.market:
                self._watch = TradeWatch(product, self._state.venue)
        before = None
        if rows.num_rows and settings.wants_book(product, rows.column("seq")[0].as_py()):
            before = engine.save(self._state)
        if self._trades is None:
            self._state, step = engine.step(self._state, rows, settings.depth, self._watch)
        else:
            self._state, step = engine.step_with_trades(self._state, rows, self._trades, settings.depth)
        return step if before is None else replace(step, book_before=before)

    def snapshot(self) -> bytes | None:
        # bytewax calls this at the end of every epoch even without recovery; a copy of a deep book is slow.
        if self._state is None or not self._settings.recoverable:
            return None
        return self._settings.engine.save(self._state)


@operator
def order_book(  # noqa: PLR0913  what each job asks of a book
    step_id: str,  # noqa: ARG001  @operator takes it
    up: KeyedStream[pa.RecordBatch],
    engine: Engine,
    feed: str,
    *,
    recoverable: bool = True,
    depth: int = 0,
    trades: bool = False,
    market: bool = False,
    starts: Mapping[str, bytes] = NO_BOOKS,
    wants_book: WantsBook = _never,
) -> KeyedStream[Step]:
    """Run each product's tape rows through its book.

    Args:
        step_id: unique id of the step.
        up: batches of `TAPE_SCHEMA` by product, in seq order.
        engine: the engine.
        feed: the name of the venue of the frames.
        recoverable: keep recovery state at each epoch; False for a flow without recovery.
        depth: number of levels of each side to collect after every summary; 0 collects none.
        trades: read the trades too, as a table; not with `recoverable`.
        market: read the rows as the exchange does, trades among them, without the table; likewise.
        starts: the book before the first row, by product, for products that do not start at the first row of
            their tape.
        wants_book: selects the steps that hold the book before their rows.

    Returns:
        One `Step` for each batch.
    """
    # A logic does not know its key, so the product travels with the rows.
    named = op.map("name", up, lambda item: (item[0], (product_of(item[0]), item[1])))
    settings = _BookSettings(engine, feed, recoverable, depth, trades, market, starts, wants_book)
    return op.stateful_batch("step", named, lambda saved: _BookLogic(settings, saved))


def summaries(step_id: str, steps: KeyedStream[Step]) -> KeyedStream[pa.RecordBatch]:
    """Return the stream of summaries (`FLOW_SUMMARY_SCHEMA`), empty batches left out."""
    return op.filter_map_value(step_id, steps, lambda step: _unless_empty(step.summaries))


def anomalies(step_id: str, steps: KeyedStream[Step]) -> KeyedStream[pa.RecordBatch]:
    """Return the stream of anomalies (`FLOW_ANOMALY_SCHEMA`), empty batches left out."""
    return op.filter_map_value(step_id, steps, lambda step: _unless_empty(step.anomalies))


def spread_filter(
    step_id: str, up: KeyedStream[pa.RecordBatch], threshold: float
) -> KeyedStream[pa.RecordBatch]:
    """Return the summaries whose relative spread is above a threshold (a fraction of the ask price)."""
    return op.filter_map_value(step_id, up, lambda batch: _unless_empty(above(batch, threshold)))


def _unless_empty(batch: pa.RecordBatch) -> pa.RecordBatch | None:
    return batch if batch.num_rows else None


class _StrategyLogic(StatefulBatchLogic[tuple[str, Step], pa.RecordBatch, CheckedStrategy | None]):
    """One product's strategy inside a flow."""

    def __init__(
        self, start: Callable[[str], CheckedStrategy], saved: CheckedStrategy | None, recoverable: bool
    ) -> None:
        self._start = start
        self._strategy = saved
        self._recoverable = recoverable

    def on_batch(self, values: list[tuple[str, Step]]) -> tuple[list[pa.RecordBatch], bool]:
        return [rows for item in values for rows in self._step(*item)], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[pa.RecordBatch], bool]:
        rows = None if self._strategy is None else self._strategy.finish()
        return [] if rows is None else [rows], StatefulBatchLogic.RETAIN

    def _step(self, product: str, step: Step) -> list[pa.RecordBatch]:
        if self._strategy is None:
            if not step.summaries.num_rows:
                return []
            self._strategy = self._start(product)
        return self._strategy.step(step.summaries, None if step.trades is None else step.trades.trades)

    def snapshot(self) -> CheckedStrategy | None:
        return deepcopy(self._strategy) if self._recoverable else None


@operator
def strategy(
    step_id: str,  # noqa: ARG001  @operator takes it
    steps: KeyedStream[Step],
    start: Callable[[str], CheckedStrategy],
    recoverable: bool = True,
) -> KeyedStream[pa.RecordBatch]:
    """Run a strategy over the summaries of each product, and over its trades if the steps have them.

    Args:
        step_id: unique id of the step.
        steps: the steps of the books.
        start: makes the strategy of a product, called at its first summary.
        recoverable: keep the strategy in the recovery state; it must then support copy and pickle.

    Returns:
        Its rows, without empty batches.
    """
    named = op.map("name", steps, lambda item: (item[0], (product_of(item[0]), item[1])))
    return op.stateful_batch("step", named, lambda saved: _StrategyLogic(start, saved, recoverable))


class Accumulator(Protocol):
    """A total to which steps can be added."""

    def add(self, step: Step, /) -> None:
        """Add one step of a product, in seq order."""


A = TypeVar("A", bound=Accumulator)


class _TotalLogic(StatefulBatchLogic[Step, A, A | None]):
    def __init__(self, total: A, recoverable: bool) -> None:
        self._total = total
        self._recoverable = recoverable

    def on_batch(self, values: list[Step]) -> tuple[list[A], bool]:
        for step in values:
            self._total.add(step)
        return [], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[A], bool]:
        return [self._total], StatefulBatchLogic.RETAIN

    def snapshot(self) -> A | None:
        return deepcopy(self._total) if self._recoverable else None  # a copy, as the total changes later


def total(
    step_id: str, steps: KeyedStream[Step], start: Callable[[], A], *, recoverable: bool = True
) -> KeyedStream[A]:
    """Add up all steps of each product; the stream carries one total for each product, at the end.

    Args:
        step_id: unique id of the step.
        steps: the steps of the books.
        start: makes an empty total.
        recoverable: keep the total in the recovery state.
    """
    return op.stateful_batch(
        step_id, steps, lambda saved: _TotalLogic(start() if saved is None else saved, recoverable)
    )
