"""The core as bytewax operators: thin shells around the engine and the filter.

Items are `(product, RecordBatch)` in and out; the book in between emits `(product, Step)`.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import operator
from bytewax.operators import KeyedStream, StatefulBatchLogic

from orderbook.engine import Engine, Step
from orderbook.feeds import Feed
from orderbook.spread_filter import above
from orderbook.strategy import CheckedStrategy, StrategyError

_Rows = tuple[str, pa.RecordBatch]
WantsBook = Callable[[str, int], bool]
"""Told a product and the seq of a batch's first row: whether the step should hold the book before it."""

NO_BOOKS: Final[Mapping[str, bytes]] = MappingProxyType({})


def _never(_product: str, _seq: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _BookSettings:
    """What the books of all products of a flow have in common; see `order_book`."""

    engine: Engine
    feed: Feed
    recoverable: bool
    depth: int
    starts: Mapping[str, bytes]
    wants_book: WantsBook


class _BookLogic(StatefulBatchLogic[_Rows, Step, bytes | None]):
    """One product's book inside a flow."""

    def __init__(self, settings: _BookSettings, saved: bytes | None) -> None:
        self._settings = settings
        self._state = None if saved is None else settings.engine.load(saved)

    def on_batch(self, values: list[_Rows]) -> tuple[list[Step], bool]:
        return [self._step(product, rows) for product, rows in values], StatefulBatchLogic.RETAIN

    def _step(self, product: str, rows: pa.RecordBatch) -> Step:
        settings, engine = self._settings, self._settings.engine
        if self._state is None:
            saved = settings.starts.get(product)
            self._state = engine.load(saved) if saved else engine.start(product, settings.feed)
        before = None
        if rows.num_rows and settings.wants_book(product, rows.column("seq")[0].as_py()):
            before = engine.save(self._state)
        self._state, step = engine.step(self._state, rows, settings.depth)
        return step if before is None else replace(step, book_before=before)

    def snapshot(self) -> bytes | None:
        # bytewax asks at the end of every epoch, also where no recovery is on: a copy of a deep book.
        return self._settings.engine.save(self._state) if self._settings.recoverable else None


@operator
def order_book(
    step_id: str,  # noqa: ARG001  @operator takes it
    up: KeyedStream[pa.RecordBatch],
    engine: Engine,
    feed: Feed,
    *,
    recoverable: bool = True,
    depth: int = 0,
    starts: Mapping[str, bytes] = NO_BOOKS,
    wants_book: WantsBook = _never,
) -> KeyedStream[Step]:
    """Run each product's tape rows through its book.

    Args:
        step_id: unique id of the step.
        up: batches of `TAPE_SCHEMA` by product, in seq order.
        engine: does the work.
        feed: the dialect of the frames.
        recoverable: keep recovery state at each epoch; False where the flow runs without recovery.
        depth: levels a side that every step gives after every summary; 0 gives none.
        starts: by product, the book before its first row, where that is not the beginning of its tape.
        wants_book: before which rows a step is to hold the book.

    Returns:
        One `Step` a batch.
    """
    # A logic is not told its key, so the product travels with the rows.
    named = op.map("name", up, lambda item: (item[0], item))
    settings = _BookSettings(engine, feed, recoverable, depth, starts, wants_book)
    return op.stateful_batch("step", named, lambda saved: _BookLogic(settings, saved))


def summaries(step_id: str, steps: KeyedStream[Step]) -> KeyedStream[pa.RecordBatch]:
    """Return the stream of summaries (`FLOW_SUMMARY_SCHEMA`), empty batches left out."""
    return op.filter_map_value(
        step_id, steps, lambda step: step.summaries if step.summaries.num_rows else None
    )


def anomalies(step_id: str, steps: KeyedStream[Step]) -> KeyedStream[pa.RecordBatch]:
    """Return the stream of anomalies (`FLOW_ANOMALY_SCHEMA`), empty batches left out."""
    return op.filter_map_value(
        step_id, steps, lambda step: step.anomalies if step.anomalies.num_rows else None
    )


def spread_filter(
    step_id: str, up: KeyedStream[pa.RecordBatch], threshold: float
) -> KeyedStream[pa.RecordBatch]:
    """Keep the summaries whose relative spread is above a threshold (a fraction of the ask price)."""

    def passing(batch: pa.RecordBatch) -> pa.RecordBatch | None:
        kept = above(batch, threshold)
        return kept if kept.num_rows else None

    return op.filter_map_value(step_id, up, passing)


class _StrategyLogic(StatefulBatchLogic[_Rows, pa.RecordBatch, CheckedStrategy | None]):
    """One product's strategy inside a flow; after a failure it gives no more rows."""

    def __init__(
        self,
        start: Callable[[str], CheckedStrategy],
        on_failure: Callable[[StrategyError], None] | None,
        saved: CheckedStrategy | None,
        recoverable: bool,
    ) -> None:
        self._start = start
        self._on_failure = on_failure
        self._strategy = saved
        self._recoverable = recoverable
        self._has_failed = False

    def on_batch(self, values: list[_Rows]) -> tuple[list[pa.RecordBatch], bool]:
        made = [self._guarded(partial(self._step, *item)) for item in values]
        return [rows for rows in made if rows is not None], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[pa.RecordBatch], bool]:
        rows = None if self._strategy is None else self._guarded(self._strategy.finish)
        return [] if rows is None else [rows], StatefulBatchLogic.RETAIN

    def _step(self, product: str, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        if self._strategy is None:
            self._strategy = self._start(product)
        return self._strategy.step(batch)

    def _guarded(self, call: Callable[[], pa.RecordBatch | None]) -> pa.RecordBatch | None:
        if self._has_failed:
            return None
        try:
            return call()
        except StrategyError as error:
            if self._on_failure is None:
                raise
            self._has_failed = True
            self._on_failure(error)
            return None

    def snapshot(self) -> CheckedStrategy | None:
        return deepcopy(self._strategy) if self._recoverable else None


@operator
def strategy(
    step_id: str,  # noqa: ARG001  @operator takes it
    steps: KeyedStream[Step],
    start: Callable[[str], CheckedStrategy],
    on_failure: Callable[[StrategyError], None] | None = None,
    recoverable: bool = True,
) -> KeyedStream[pa.RecordBatch]:
    """Run a strategy over the summaries of each product.

    Args:
        step_id: unique id of the step.
        steps: what the books did.
        start: makes the strategy of a product, at its first summary.
        on_failure: told of the first failure of a product's strategy, which is then left out; None to raise.
        recoverable: keep its state in the recovery state; it must allow to be copied and pickled then.

    Returns:
        Its rows, batches without any left out.
    """
    named = op.map("name", summaries("summaries", steps), lambda item: (item[0], item))
    return op.stateful_batch(
        "step", named, lambda saved: _StrategyLogic(start, on_failure, saved, recoverable)
    )


class Adds(Protocol):
    """What steps can be added to."""

    def add(self, step: Step, /) -> None:
        """Take up one step of a product, in seq order."""


A = TypeVar("A", bound=Adds)


class _SumLogic(StatefulBatchLogic[Step, A, A | None]):
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
        return deepcopy(self._total) if self._recoverable else None  # a copy: the total goes on changing


def total(
    step_id: str, steps: KeyedStream[Step], start: Callable[[], A], *, recoverable: bool = True
) -> KeyedStream[A]:
    """Add up all steps of each product; the stream carries one total a product, at the end.

    Args:
        step_id: unique id of the step.
        steps: what the books did.
        start: makes an empty total.
        recoverable: keep it in the recovery state.
    """
    return op.stateful_batch(
        step_id, steps, lambda saved: _SumLogic(start() if saved is None else saved, recoverable)
    )
