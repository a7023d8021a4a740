"""The streams of a flow after the books, and the sink in which they end in a function of this process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from orderbook.dataflow.operators import Accumulator, anomalies, spread_filter, strategy, summaries, total
from orderbook.dataflow.workers import product_of
from orderbook.engine import Step
from orderbook.errors import OptionError
from orderbook.strategy import CheckedStrategy, StrategyFactory
from orderbook.thresholds import ThresholdLike, parse_threshold

A = TypeVar("A", bound=Accumulator)


class CallSink(DynamicSink[tuple[str, Any]]):
    """Calls a function of this process with every (product, value).

    Args:
        take: the function.
        on_error: called with the first OSError that `take` raises; `take` is not called again.
    """

    def __init__(
        self, take: Callable[[str, Any], None], on_error: Callable[[OSError], None] | None = None
    ) -> None:
        self._take = take
        self._on_error = on_error

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_CallPartition":  # noqa: ARG002  bytewax
        """Return the sink of a worker."""
        return _CallPartition(self._take, self._on_error)


class _CallPartition(StatelessSinkPartition[tuple[str, Any]]):
    def __init__(self, take: Callable[[str, Any], None], on_error: Callable[[OSError], None] | None) -> None:
        self._take = take
        self._on_error = on_error
        self._is_broken = False

    def write_batch(self, items: list[tuple[str, Any]]) -> None:
        for key, value in items:
            if self._is_broken:
                return
            try:
                self._take(product_of(key), value)
            except OSError as error:
                if self._on_error is None:
                    raise
                self._is_broken = True
                self._on_error(error)


@dataclass(frozen=True, repr=False)
class Streams:
    """A flow and its streams, to append steps to; the same for a tape and for a live feed.

    Attributes:
        flow: run it with `bytewax.run` once it has an output.
        steps: (product, Step), one for each batch of rows.
        recoverable: whether the flow keeps recovery state.
    """

    flow: Dataflow
    steps: KeyedStream[Step]
    recoverable: bool = False

    def __repr__(self) -> str:
        return f"<Streams of the flow {self.flow.flow_id}>"

    def summaries(self) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of summaries, batches of `FLOW_SUMMARY_SCHEMA`."""
        return summaries("summaries", self.steps)

    def anomalies(self) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of anomalies, batches of `FLOW_ANOMALY_SCHEMA`."""
        return anomalies("anomalies", self.steps)

    def signals(self, threshold: ThresholdLike) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of summaries above a threshold of the relative spread, such as `10bps`.

        Raises:
            ThresholdError: if it is not a threshold.
        """
        limit = parse_threshold(threshold)
        return spread_filter("spread_filter", summaries("to_filter", self.steps), limit)

    def strategy(self, factory: StrategyFactory) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of a strategy's rows; if the strategy fails, the flow fails.

        Raises:
            OptionError: if the factory is not a function.
        """
        given: object = factory
        if not callable(given):
            reason = f"{factory!r} is not a function that makes a strategy for a product"
            raise OptionError(reason, option="factory", value=factory)
        return strategy("strategy", self.steps, partial(CheckedStrategy, factory), self.recoverable)

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
        """Return a stream of one total for each product, at the end."""
        return total(name, self.steps, start, recoverable=self.recoverable)
