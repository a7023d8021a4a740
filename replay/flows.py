"""The dataflow of a replay: the recorder's core behind a tape. A function that builds and returns one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream

from orderbook.engine import Engine, PlainEngine, Step
from orderbook.feeds import Feed
from orderbook.operators import anomalies, order_book, spread_filter, summaries
from recorder.sinks import CallSink
from replay.operators import Adds, reported, total
from replay.sources import TapeSource
from replay.window import WHOLE, Window

A = TypeVar("A", bound=Adds)

PLAIN = PlainEngine()


@dataclass(frozen=True)
class ReplayStreams:
    """A flow, and its streams to put own steps behind.

    Attributes:
        flow: run it with `bytewax.run` once it has an output.
        steps: (product, Step), one for each batch of rows.
    """

    flow: Dataflow
    steps: KeyedStream[Step]

    def summaries(self) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of summaries, batches of `FLOW_SUMMARY_SCHEMA`."""
        return summaries("summaries", self.steps)

    def anomalies(self) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of anomalies, batches of `FLOW_ANOMALY_SCHEMA`."""
        return anomalies("anomalies", self.steps)

    def signals(self, threshold: float) -> KeyedStream[pa.RecordBatch]:
        """Return the stream of summaries above a threshold (a fraction of the ask price)."""
        return spread_filter("spread_filter", summaries("to_filter", self.steps), threshold)

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
        """Return the stream of one total a product, at the end of the tape."""
        return total(name, self.steps, start)


def replay_flow(
    source: TapeSource,
    feed: Feed,
    engine: Engine = PLAIN,
    window: Window = WHOLE,
    recoverable: bool = True,
) -> ReplayStreams:
    """Build the flow of a replay; it has no output yet.

    Args:
        source: the tape, paced or not.
        feed: the dialect of the tape.
        engine: runs the books.
        window: the part that is reported.
        recoverable: keep the books in the recovery state; False where the flow runs without recovery.
    """
    flow = Dataflow("booktape_replay")
    rows = op.input("tape", flow, source)
    steps = order_book("order_book", rows, engine, feed, recoverable=recoverable, starts=source.books)
    return ReplayStreams(flow, steps if window.start is None else reported("window", steps, window))
