"""The dataflow of a replay: the recorder's core behind a tape. A function that builds and returns one."""

from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from orderbook.engine import Engine
from orderbook.feeds import Feed
from orderbook.flows import Streams
from orderbook.operators import order_book
from recorder.engines import ready_engine
from recorder.options import EngineName
from recorder.tape.reader import BATCH_ROWS, Tape
from replay.operators import reported
from replay.pacing import MAX_SPEED
from replay.sources import TapeSource, paced_source
from replay.window import WHOLE, Window


def flow(
    tape: Path | str,
    *,
    products: tuple[str, ...] = (),
    speed: float = MAX_SPEED,
    idle_limit: float | None = None,
    window: Window = WHOLE,
    batch_rows: int = BATCH_ROWS,
    engine: Engine | EngineName = "auto",
) -> Streams:
    """Return the streams of a tape, to put own operators behind; `recorder.flow` is the live counterpart.

    For a module that `python -m bytewax.run` starts, alone, as a cluster (`-i/-a`) or with recovery (`-r`).
    There Ctrl-C is bytewax's: the process ends at once, maybe with a traceback, and what is in flight is
    lost. A damaged tape ends the flow with `DamagedTapeError`. In a cluster each process paces its own
    products.

    Args:
        tape: its directory.
        products: which; all where none is named.
        speed: 1 is the original timing, 10 ten times faster, `MAX_SPEED` without a clock.
        idle_limit: seconds of recorded silence that are kept; None keeps all. Only where paced.
        window: the part that is reported.
        batch_rows: rows in a batch at most; no result depends on it.
        engine: runs the books.

    Raises:
        TapeError: where the tape cannot be read.

    Example:
        >>> streams = flow("data/sample")
        >>> streams.into("print", streams.signals(0.001), print)
    """
    opened = Tape.open(Path(tape))
    selected = opened.select(products)
    source = paced_source(opened, selected, speed, idle_limit, window=window, batch_rows=batch_rows)
    source.raises = True
    return replay_flow(source, opened.feed, engine, window)


def replay_flow(
    source: TapeSource,
    feed: Feed,
    engine: Engine | EngineName = "auto",
    window: Window = WHOLE,
    recoverable: bool = True,
    depth: int = 0,
) -> Streams:
    """Build the flow of a replay; it has no output yet.

    Args:
        source: the tape, paced or not.
        feed: the dialect of the tape.
        engine: runs the books.
        window: the part that is reported.
        recoverable: keep the books in the recovery state; False where the flow runs without recovery.
        depth: levels a side that every step gives after every summary; 0 gives none.
    """
    made = Dataflow("booktape_replay")
    rows = op.input("tape", made, source)
    steps = order_book(
        "order_book",
        rows,
        ready_engine(engine),
        feed,
        recoverable=recoverable,
        starts=source.books,
        depth=depth,
    )
    return Streams(made, steps if window.start is None else reported("window", steps, window), recoverable)
