"""The dataflow of a replay: the recorder's core behind a tape. Its functions build a flow and return it."""

from dataclasses import replace

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from orderbook.dataflow.operators import order_book
from orderbook.dataflow.streams import Streams
from orderbook.dataflow.workers import balanced_keys, with_keys
from orderbook.engine import Engine, Step, Watch
from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from replay.dataflow.sources import TapeSource, paced_source
from replay.running.settings import REPLAY, ReplaySettings
from replay.running.window import WHOLE, Window


def flow(
    tape: TapeLike,
    settings: ReplaySettings = REPLAY,
    engine: Engine | EngineName = "auto",
    *,
    workers: int = 1,
) -> Streams:
    """Return the streams of a tape, for your own operators; `recorder.flow` is the live counterpart.

    Run it in a module with `python -m bytewax.run`: alone, as a cluster (`-i/-a`) or with recovery (`-r`).
    bytewax handles Ctrl-C there: the process ends at once, possibly with a traceback, and rows in flight are
    lost. A damaged tape ends the flow with `DamagedTapeError`. In a cluster each process paces its own
    products.

    Args:
        tape: the tape, or its path.
        settings: the part of the tape to replay, and its timing.
        engine: runs the books.
        workers: in a cluster, how many workers it has in all: the products are spread evenly over them.
            Keys of the streams are then `BTC-USD#3`, see `orderbook.dataflow.workers.product_of`. A flow that
            resumes needs the number, and the products, that it had.

    Raises:
        TapeError: if the tape cannot be read or has no such product.

    Example:
        >>> streams = flow("data/sample")
        >>> streams.into("print", streams.signals(0.001), print)
    """
    opened = Tape.open(tape)
    settings = replace(settings, products=opened.select(settings.products))
    source = paced_source(opened, settings)
    source.raises = True
    source.keys = balanced_keys(settings.products, workers)
    return replay_flow(source, opened.feed, engine, settings.window)


def replay_flow(
    source: TapeSource,
    feed: str,
    engine: Engine | EngineName = "auto",
    window: Window = WHOLE,
    *,
    recoverable: bool = True,
    depth: int = 0,
    trades: bool = False,
    market: bool = False,
    prepare: Watch | None = None,
) -> Streams:
    """Build the flow of a replay; it has no output yet.

    Args:
        source: the tape, paced or not.
        feed: the name of the venue of the tape.
        engine: runs the books.
        window: the part to report; the source cuts batches at its edges.
        recoverable: keep the books in the recovery state; False for a flow that runs without recovery.
        depth: best levels a side that a step has after every summary; 0 for none.
        trades: whether a step has the trades; not with `recoverable`.
        market: whether a step has the rows as the exchange reads them; likewise.
        prepare: called with each product and step before the window, which build the book.
    """
    dataflow = Dataflow("booktape_replay")
    rows = with_keys("key", op.input("tape", dataflow, source), source.keys)
    engine, starts = load_engine(engine), source.books
    steps = order_book(
        "order_book",
        rows,
        engine,
        feed,
        recoverable=recoverable,
        depth=depth,
        trades=trades,
        market=market,
        starts=starts,
    )
    if window.start is not None:

        def is_reported(item: tuple[str, Step]) -> bool:
            if window.is_reported(item[1].span.first_time):
                return True
            if prepare is not None:
                prepare(*item)
            return False

        steps = op.filter("window", steps, is_reported)
    return Streams(dataflow, steps, recoverable)
