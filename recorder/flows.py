"""The dataflows of the recorder: functions that build and return one. Nothing starts on import.

    source -> journal -> order_book -> seal   -> (nothing)
                                    -> filter -> show
                                    -> strategy -> rows

What is received is in the journal before anything looks at it: the book stands below it in the flow.
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

from orderbook.engine import Engine, Step
from orderbook.feeds import Feed
from orderbook.flows import Streams
from orderbook.operators import order_book
from recorder.credentials import credentials_for
from recorder.engines import ready_engine
from recorder.feeds import endpoint
from recorder.halt import Halt
from recorder.inbox import QUEUE_BYTES
from recorder.operators import attach_strategy
from recorder.options import EngineName
from recorder.reader import ReaderSettings
from recorder.sinks import TapeSink
from recorder.sources import FollowingSource
from recorder.strategies import StrategyRun
from recorder.tape.errors import TapeError
from recorder.tape.writer import TapeWriter

Item = tuple[str, pa.RecordBatch]
RowSource = Source[Item]

log = logging.getLogger(__name__)
Watch = Callable[[str, Step], None]


@dataclass(frozen=True, slots=True)
class Show:
    """Where summaries go as they happen.

    Attributes:
        threshold: what they must be above, a fraction of the ask price; None lets all pass.
        take: called with a product and summaries.
    """

    threshold: float | None
    take: Callable[[str, pa.RecordBatch], None]

    def attach(self, streams: Streams, on_error: Callable[[OSError], None]) -> None:
        """Put filter and function behind a flow; `on_error` hears where the output breaks."""
        passing = streams.summaries() if self.threshold is None else streams.signals(self.threshold)
        streams.into("show", passing, self.take, on_error)


def flow(
    products: Sequence[str],
    *,
    feed: Feed = "exchange",
    url: str | None = None,
    channel: str | None = None,
    stale_after: float = 10.0,
    queue_bytes: int = QUEUE_BYTES,
    connections: int | None = None,
    engine: Engine | EngineName = "auto",
) -> Streams:
    """Return the streams of a live feed, to put own operators behind; nothing is kept.

    Connections open only when the flow runs: with `python -m bytewax.run`, alone or as a cluster, whose
    processes share the products. There Ctrl-C is bytewax's: the process ends at once, maybe with a traceback,
    and what is in flight is lost. A refused subscription ends the flow with `FeedError`.

    Args:
        products: product ids.
        feed: `exchange` or `advanced`.
        url: where it is; None for the exchange itself.
        channel: of the book; None for the feed's usual one.
        stale_after: seconds without any frame after which a connection is made anew.
        queue_bytes: what may wait between socket and flow; more ends a connection with `overflow`.
        connections: end a product after so many; None to come back without end.
        engine: runs the books.

    Raises:
        FeedError: where the address or the channel can be none.

    Example:
        >>> streams = flow(["BTC-USD"])
        >>> streams.into("print", streams.signals(0.001), print)
    """
    chosen = endpoint(feed, url, channel)
    settings = ReaderSettings(
        chosen,
        credentials=credentials_for(chosen, os.environ),
        connections=connections,
        stale_after=stale_after,
        queue_bytes=queue_bytes,
    )
    made = Dataflow("booktape_live")
    running = ready_engine(engine)
    rows = op.input("feed", made, FollowingSource(tuple(dict.fromkeys(products)), settings))
    return Streams(made, order_book("order_book", rows, running, chosen.feed, recoverable=False))


def recording_flow(
    source: RowSource,
    writer: TapeWriter,
    sink: TapeSink,
    halt: Halt,
    *,
    engine: Engine,
    starts: Mapping[str, bytes],
    watch: Watch | None = None,
    show: Show | None = None,
    strategy_run: StrategyRun | None = None,
) -> Dataflow:
    """Return a flow that writes a tape: of a live feed or of a capture.

    Args:
        source: numbered rows by product.
        writer: the tape.
        sink: seals what the core has been through.
        halt: told where the tape cannot be written.
        engine: runs the books.
        starts: each product's book as its tape left it.
        watch: sees every step.
        show: where the summaries that pass a filter go, if anywhere.
        strategy_run: a strategy; where it fails, the recording goes on without.
    """
    flow = Dataflow("booktape_record")

    def journal(item: Item) -> list[Item]:
        product, rows = item
        if halt.failure is not None:
            return []  # what is not on the tape must not go further
        try:
            return [(product, part) for part in writer.products[product].append(rows)]
        except OSError as error:
            halt(
                TapeError(
                    f"{writer.path}: cannot write ({error.strerror}); what was recorded before is intact"
                )
            )
            return []

    received = op.input("feed", flow, source)
    rows = op.flat_map("journal", received, journal)

    def begins_segment(product: str, seq: int) -> bool:
        return writer.products[product].begins_segment(seq)

    feed = writer.manifest.feed
    steps = order_book(
        "order_book", rows, engine, feed, recoverable=False, starts=starts, wants_book=begins_segment
    )
    streams = _watched(flow, steps, watch)
    op.output("tape", streams.steps, sink)
    if show is not None:
        show.attach(streams, _go_on_unseen)
    if strategy_run is not None:
        attach_strategy(streams, strategy_run, strategy_run.go_on_without, _go_on_unseen)
    return flow


def live_flow(
    source: RowSource,
    feed: Feed,
    engine: Engine,
    watch: Watch,
    *,
    show: Show | None,
    strategy_run: StrategyRun | None,
    halt: Halt,
) -> Dataflow:
    """Return the same flow without a tape: summaries or a strategy's rows are shown and nothing is kept."""
    flow = Dataflow("booktape_live")
    rows = op.input("feed", flow, source)
    streams = _watched(flow, order_book("order_book", rows, engine, feed, recoverable=False), watch)
    if show is not None:
        show.attach(streams, halt)
    if strategy_run is not None:
        attach_strategy(streams, strategy_run, halt, halt)
    return flow


def _go_on_unseen(error: OSError) -> None:
    """A recording goes on where nobody reads what it prints."""
    log.warning("nothing more is printed (%s); the recording goes on", error.strerror)


def _watched(flow: Dataflow, steps: KeyedStream[Step], watch: Watch | None) -> Streams:
    if watch is not None:
        steps = op.inspect("watch", steps, lambda _step_id, item: watch(*item))
    return Streams(flow, steps)
