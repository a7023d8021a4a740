"""The dataflows of the recorder: functions that build and return one. Nothing starts on import.

    source -> journal -> order_book -> seal   -> (nothing)
                                    -> filter -> show

What is received is in the journal before anything looks at it: the book stands below it in the flow.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream
from bytewax.testing import run_main

from orderbook.engine import Engine, Step
from orderbook.feeds import Feed
from orderbook.operators import order_book, spread_filter, summaries
from recorder.halt import Halt
from recorder.sinks import CallSink, TapeSink
from recorder.tape.errors import TapeError
from recorder.tape.writer import TapeWriter

Item = tuple[str, pa.RecordBatch]
RowSource = Source[Item]

log = logging.getLogger(__name__)
Watch = Callable[[str, Step], None]

EPOCH_S: Final = 1.0
"""Length of an epoch: so often a recording makes its journal durable."""


def recording_flow(
    source: RowSource,
    writer: TapeWriter,
    sink: TapeSink,
    halt: Halt,
    *,
    engine: Engine,
    starts: Mapping[str, bytes],
    watch: Watch | None = None,
    show: "Show | None" = None,
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
    steps = _watched(steps, watch)
    op.output("tape", steps, sink)
    if show is not None:
        show.attach(steps, _go_on_unseen)
    return flow


def live_flow(
    source: RowSource, feed: Feed, engine: Engine, watch: Watch, show: "Show", halt: Halt
) -> Dataflow:
    """Return the same flow without a tape: what passes the filter is shown and nothing is kept."""
    flow = Dataflow("booktape_live")
    rows = op.input("feed", flow, source)
    show.attach(_watched(order_book("order_book", rows, engine, feed, recoverable=False), watch), halt)
    return flow


def _go_on_unseen(error: OSError) -> None:
    """A recording goes on where nobody reads what it prints."""
    log.warning("nothing more is printed (%s); the recording goes on", error.strerror)


def _watched(steps: KeyedStream[Step], watch: Watch | None) -> KeyedStream[Step]:
    return steps if watch is None else op.inspect("watch", steps, lambda _step_id, item: watch(*item))


class Show:
    """Where summaries go as they happen: through a filter (`threshold`; None lets all pass) to a function."""

    def __init__(self, threshold: float | None, take: Callable[[str, pa.RecordBatch], None]) -> None:
        self._threshold = threshold
        self._take = take

    def attach(self, steps: KeyedStream[Step], on_error: Callable[[OSError], None]) -> None:
        """Put filter and function behind a stream of steps; `on_error` hears where the output breaks."""
        passing = summaries("summaries", steps)
        if self._threshold is not None:
            passing = spread_filter("spread_filter", passing, self._threshold)
        op.output("show", passing, CallSink(self._take, on_error))


def run_to_end(flow: Dataflow, halt: Halt, epoch_s: float = EPOCH_S) -> None:
    """Run a flow to its end, then raise what halted it.

    `run_main` is bytewax's one-worker runner; of its runners it is the one that leaves signals to us.

    Raises:
        Exception: the failure that a step reported to `halt`.
    """
    run_main(flow, epoch_interval=timedelta(seconds=epoch_s))  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    halt.raise_failure()
