"""The dataflows of the recorder: functions that build and return one. Nothing starts on import.

    source -> order_book -> tape      (seals segments)
                         -> filter   -> output
                         -> strategy -> rows

Rows come from the journal: `recorder.live.journaling` writes those of a live feed, `CaptureSource` those of a
capture.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream

from orderbook.dataflow.operators import order_book
from orderbook.dataflow.streams import Streams
from orderbook.dataflow.workers import balanced_keys, product_of, with_keys
from orderbook.engine import Engine, Step, Watch
from orderbook.errors import reason_of
from recorder.dataflow.running import FirstFailure
from recorder.dataflow.sinks import TapeSink
from recorder.dataflow.sources import LiveSource
from recorder.live.credentials import credentials_for
from recorder.live.endpoint import endpoint
from recorder.runtime.loading import load_engine
from recorder.runtime.strategy_thread import StrategyThread
from recorder.settings import CONNECTION, LIVE, ConnectionSettings, EngineName
from recorder.tape.writer import TapeWriter

Item = tuple[str, pa.RecordBatch]
RowSource = Source[Item]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SummaryOutput:
    """A function that is called with summaries as they happen.

    Attributes:
        threshold: relative spread that they must exceed, fraction of the ask price; None for all summaries.
        write: called with a product and summaries.
    """

    threshold: float | None
    write: Callable[[str, pa.RecordBatch], None]

    def attach(self, streams: Streams, on_error: Callable[[OSError], None]) -> None:
        """Add the filter and the function to a flow; `on_error` is called if the function raises OSError."""
        passing = streams.summaries() if self.threshold is None else streams.signals(self.threshold)
        streams.into("show", passing, self.write, on_error)


def flow(
    products: Sequence[str],
    *,
    feed: str = CONNECTION.feed,
    url: str | None = None,
    channel: str | None = None,
    stale_after: float = CONNECTION.stale_after,
    queue_bytes: int = CONNECTION.queue_bytes,
    connections: int | None = None,
    engine: Engine | EngineName = LIVE.engine,
    workers: int = 1,
) -> Streams:
    """Return the streams of a live feed, to attach operators to; nothing is stored.

    Connections open only when the flow runs: with `python -m bytewax.run`, alone or as a cluster, whose
    processes share the products. There bytewax handles Ctrl-C: the process ends at once, maybe with a
    traceback, and items in flight are lost. The flow ends with `FeedError` if all products are refused.

    Args:
        products: product ids.
        feed: name of the venue, see `orderbook.venues.registry`.
        url: address of the feed; None for the exchange's own.
        channel: channel of the book; None for the feed's usual one.
        stale_after: seconds after which a connection is replaced: without a frame, without a snapshot, or
            without an update that is overdue.
        queue_bytes: limit of the payload queued between socket and flow; more ends a connection with
            `overflow`.
        connections: number of connections after which a product ends; None to reconnect without end.
        engine: name of the engine that keeps the books, or an engine.
        workers: in a cluster, how many workers it has in all: the products are spread evenly over them, and
            a book is kept where its connection is, which a snapshot for a book that has diverged needs. Keys
            of the streams are then `BTC-USD#3`, see `orderbook.dataflow.workers.product_of`.

    Raises:
        FeedError: if the address or the channel is invalid, or an API key is missing.

    Example:
        >>> streams = flow(["BTC-USD"])
        >>> streams.into("print", streams.signals(0.001), print)
    """
    chosen = endpoint(feed, url, channel)
    settings = ConnectionSettings(
        feed,
        url,
        channel,
        trades=False,  # the streams are of the book
        stale_after=stale_after,
        queue_bytes=queue_bytes,
        connections=connections,
        credentials=credentials_for(chosen, os.environ),
    )
    live = Dataflow("booktape_live")
    source = LiveSource(tuple(dict.fromkeys(products)), settings)
    rows = with_keys("key", op.input("feed", live, source), balanced_keys(products, workers))
    steps = order_book("order_book", rows, load_engine(engine), feed, recoverable=False)
    return _watched(live, steps, source.resync)


def recording_flow(
    source: RowSource,
    writer: TapeWriter,
    sink: TapeSink,
    *,
    engine: Engine,
    starts: Mapping[str, bytes],
    watch: Watch | None = None,
    output: SummaryOutput | None = None,
    strategy: StrategyThread | None = None,
) -> Dataflow:
    """Return a flow that writes a tape: of a live feed or of a capture.

    Args:
        source: numbered rows by product, which are in the journal.
        writer: the tape.
        sink: seals the segments.
        engine: keeps the books.
        starts: book of each product at the end of its tape.
        watch: called with every step.
        output: called with summaries.
        strategy: takes what a strategy reads.
    """
    flow = Dataflow("booktape_record")

    def begins_segment(product: str, seq: int) -> bool:
        return writer.products[product].begins_segment(seq)

    rows = _shown(op.input("feed", flow, source), strategy, begins_segment)
    feed = writer.manifest.feed
    steps = order_book(
        "order_book",
        rows,
        engine,
        feed,
        recoverable=False,
        trades=_reads_trades(strategy),
        starts=starts,
        wants_book=lambda product, seq: writer.products[product].needs_book(seq),
    )
    streams = _watched(flow, steps, watch)
    op.output("tape", streams.steps, sink)
    if output is not None:
        output.attach(streams, log_lost_output)
    if strategy is not None and not strategy.strategy.reads_rows:
        streams.into("strategy", streams.steps, strategy.put)
    return flow


def live_flow(
    source: RowSource,
    feed: str,
    engine: Engine,
    watch: Watch,
    *,
    output: SummaryOutput | None,
    strategy: StrategyThread | None,
    failure: FirstFailure,
) -> Dataflow:
    """Return the same flow without a tape; a failure of the output ends it."""
    flow = Dataflow("booktape_live")
    rows = _shown(op.input("feed", flow, source), strategy)
    streams = _watched(
        flow,
        order_book("order_book", rows, engine, feed, recoverable=False, trades=_reads_trades(strategy)),
        watch,
    )
    if output is not None:
        output.attach(streams, failure.report)
    if strategy is not None and not strategy.strategy.reads_rows:
        streams.into("strategy", streams.steps, strategy.put)
    return flow


def log_lost_output(error: OSError) -> None:
    """Log that nothing more is printed."""
    log.warning("nothing more is printed (%s); the recording goes on", reason_of(error))


def _reads_trades(strategy: StrategyThread | None) -> bool:
    return strategy is not None and strategy.strategy.reads_trades


def _shown(
    rows: KeyedStream[pa.RecordBatch],
    strategy: StrategyThread | None,
    begins_segment: Callable[[str, int], bool] = lambda _product, _seq: False,
) -> KeyedStream[pa.RecordBatch]:
    """Hand the rows to a strategy that reads rows, before the book has them: only until then a seal waits."""
    if strategy is None or not strategy.strategy.reads_rows:
        return rows

    def put(_step_id: str, item: Item) -> None:
        product, batch = item
        if batch.num_rows:
            strategy.put(product, batch, begins_segment(product, batch.column("seq")[0].as_py()))

    return op.inspect("strategy_rows", rows, put)


def _watched(flow: Dataflow, steps: KeyedStream[Step], watch: Watch | None) -> Streams:
    if watch is not None:
        steps = op.inspect("watch", steps, lambda _step_id, item: watch(product_of(item[0]), item[1]))
    return Streams(flow, steps)
