"""The streams of a flow behind the books: the same for a tape and for a live feed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream

from orderbook.engine import Step
from orderbook.operators import Adds, anomalies, spread_filter, strategy, summaries, total
from orderbook.sinks import CallSink
from orderbook.strategy import CheckedStrategy, StrategyFactory

A = TypeVar("A", bound=Adds)


@dataclass(frozen=True)
class Streams:
    """A flow, and its streams to put own steps behind; the same for a tape and for a live feed.

    Attributes:
        flow: run it with `bytewax.run` once it has an output.
        steps: (product, Step), one for each batch of rows.
        recoverable: whether the flow keeps recovery state.
    """

    flow: Dataflow
    steps: KeyedStream[Step]
    recoverable: bool = False

    def summaries(self) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of summaries, batches of `FLOW_SUMMARY_SCHEMA`."""
        return summaries("summaries", self.steps)

    def anomalies(self) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of anomalies, batches of `FLOW_ANOMALY_SCHEMA`."""
        return anomalies("anomalies", self.steps)

    def signals(self, threshold: float) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of summaries above a threshold (a fraction of the ask price)."""
        return spread_filter("spread_filter", summaries("to_filter", self.steps), threshold)

    def strategy(self, factory: StrategyFactory) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of a strategy's rows; where it fails, the flow does."""
        return strategy("strategy", self.steps, partial(CheckedStrategy, factory), None, self.recoverable)

    def into(
        self,
        name: str,
        stream: KeyedStream[Any],
        take: Callable[[str, Any], None],
        on_error: Callable[[OSError], None] | None = None,
    ) -> None:
        """End a stream in a function of this process, called with (product, value); see `CallSink`."""
        op.output(name, stream, CallSink(take, on_error))

    def total(self, name: str, start: Callable[[], A]) -> KeyedStream[A]:
        """Return the stream of one total a product, at the end."""
        return total(name, self.steps, start, recoverable=self.recoverable)
