"""The core as bytewax operators: thin shells around the engine and the filter.

Items are `(product, RecordBatch)` in and out; the book in between emits `(product, Step)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import operator
from bytewax.operators import KeyedStream, StatefulBatchLogic

from orderbook.engine import Engine, Step
from orderbook.feeds import Feed
from orderbook.spread_filter import above

_Rows = tuple[str, pa.RecordBatch]
WantsBook = Callable[[str, int], bool]
"""Told a product and the seq of a batch's first row: whether the step should hold the book before it."""

NO_BOOKS: Final[Mapping[str, bytes]] = MappingProxyType({})


def _never(_product: str, _seq: int) -> bool:
    return False


class _BookLogic(StatefulBatchLogic[_Rows, Step, bytes | None]):
    """One product's book inside a flow."""

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        saved: bytes | None,
        recoverable: bool,
        starts: Mapping[str, bytes],
        wants_book: WantsBook,
    ) -> None:
        self._engine = engine
        self._feed = feed
        self._state = None if saved is None else engine.load(saved)
        self._recoverable = recoverable
        self._starts = starts
        self._wants_book = wants_book

    def on_batch(self, values: list[_Rows]) -> tuple[list[Step], bool]:
        steps = []
        for product, rows in values:
            if self._state is None:
                saved = self._starts.get(product)
                engine = self._engine
                self._state = engine.load(saved) if saved else engine.start(product, self._feed)
            before = None
            if rows.num_rows and self._wants_book(product, rows.column("seq")[0].as_py()):
                before = self._engine.save(self._state)
            self._state, step = self._engine.step(self._state, rows)
            steps.append(step if before is None else replace(step, book_before=before))
        return steps, StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes | None:
        # bytewax asks at the end of every epoch, also where no recovery is on: a copy of a deep book.
        return self._engine.save(self._state) if self._recoverable else None


@operator
def order_book(
    step_id: str,  # noqa: ARG001  @operator takes it
    up: KeyedStream[pa.RecordBatch],
    engine: Engine,
    feed: Feed,
    *,
    recoverable: bool = True,
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
        starts: by product, the book before its first row, where that is not the beginning of its tape.
        wants_book: before which rows a step is to hold the book.

    Returns:
        One `Step` a batch.
    """
    # A logic is not told its key, so the product travels with the rows.
    named = op.map("name", up, lambda item: (item[0], item))
    return op.stateful_batch(
        "step", named, lambda saved: _BookLogic(engine, feed, saved, recoverable, starts, wants_book)
    )


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
