"""`live` and `flow`: a live feed without a tape; check the arguments, make one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from booktape import arguments
from booktape.arguments import ProductsLike, SizeLike
from booktape.execution import PAPER, Execution
from booktape.feed_arguments import connection_settings, live_strategy, product_ids
from orderbook.errors import OptionError
from orderbook.thresholds import ThresholdLike, format_threshold
from orderbook.time_input import DurationLike, format_duration
from recorder.settings import CONNECTION, LIVE, EngineName, LiveSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from orderbook.dataflow.streams import Streams
    from orderbook.engine import Engine
    from orderbook.strategy import StrategyFactory
    from recorder.monitor.status import FeedObserver
    from replay.simulation.results import Backtest
    from replay.simulation.settings import TraderFactory

log = logging.getLogger(__name__)


def live(
    products: ProductsLike,
    *,
    feed: str = CONNECTION.feed,
    url: str | None = None,
    channel: str | None = None,
    duration: DurationLike | None = None,
    stale_after: DurationLike = format_duration(CONNECTION.stale_after),
    threshold: ThresholdLike | None = arguments.THRESHOLD,
    strategy: StrategyFactory | TraderFactory | str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    execution: Execution = PAPER,
    engine: Engine | EngineName = LIVE.engine,
    on_signals: Callable[[str, pa.RecordBatch], None] | None = None,
    on_rows: Callable[[str, pa.RecordBatch], None] | None = None,
    observers: Sequence[FeedObserver] = (),
) -> Backtest | None:
    """Watch a live feed without keeping anything, until Ctrl-C, SIGTERM, SIGHUP or the end of `duration`.

    Args:
        products: product ids.
        feed: `exchange` or `advanced`.
        url: address of the feed, wss://... or ws:// on this machine; None for the exchange itself.
        channel: channel of the book; None for the feed's usual one.
        duration: stop after this time; None to watch until stopped.
        stale_after: connect again when no frame, no snapshot or no overdue update came for this long.
        threshold: a signal is a summary whose relative spread is above it; None for every summary.
        strategy: makes a strategy for each product: a callable, or `module:factory`. One with `on_event`
            trades on paper, which sends nothing anywhere; any other makes rows of the summaries.
        settings: settings of a strategy that trades, by name, or texts such as `size=0.01`.
        execution: how its orders are simulated.
        engine: what runs the books; all give the same results.
        on_signals: called with the product and each batch of signals as they happen.
        on_rows: called with the product and each batch of the strategy's rows, or of the events of its
            orders, on a thread of the strategy.
        observers: context managers that are given a view of the feed and entered while it runs.

    Returns:
        The numbers of a strategy that trades; None without one.

    Raises:
        OptionError: if an argument cannot be used, or there is neither `on_signals` nor a strategy.
        FeedError: at the end if a product was refused or had no book.
        StrategyError: if the strategy fails.
    """
    from recorder.api import live as run
    from recorder.dataflow.flows import SummaryOutput

    if on_signals is None and strategy is None:
        raise OptionError("needs a function to call with the signals, or a strategy", option="on_signals")
    arguments.optional_function(on_signals, "on_signals")
    passing = None if threshold is None else arguments.threshold(threshold)
    names = product_ids(products)
    running = live_strategy(strategy, settings, execution, names, on_rows)
    wants_trades = running is not None and (running.reads_rows or running.reads_trades)
    live_settings = LiveSettings(
        # A live feed keeps nothing, so trades are for who reads them.
        connection_settings(feed, url, channel, stale_after, trades=wants_trades),
        arguments.optional_seconds(duration, "duration"),
        arguments.engine_of(engine),
        threshold=LIVE.threshold if passing is None else passing,
    )
    with arguments.naming("observers", observers, "a list of functions"):
        watching = [arguments.function_of(each, "observers") for each in observers]
    wanted = "the first book" if passing is None else f"a spread above {format_threshold(passing)}"
    log.info("waiting for %s of %s", wanted if on_signals else "rows of the strategy", ", ".join(names))
    run(
        names,
        live_settings,
        output=None if on_signals is None else SummaryOutput(passing, on_signals),
        strategy=running,
        observers=watching,
    )
    return None if running is None else cast("Backtest | None", running.execution)


def flow(
    products: ProductsLike,
    *,
    feed: str = CONNECTION.feed,
    url: str | None = None,
    channel: str | None = None,
    stale_after: DurationLike = format_duration(CONNECTION.stale_after),
    queue_bytes: SizeLike = arguments.format_size(CONNECTION.queue_bytes),
    connections: int | None = None,
    engine: Engine | EngineName = LIVE.engine,
    workers: int = 1,
) -> Streams:
    """Return the streams of a live feed as a Bytewax dataflow, to put your own operators behind.

    Nothing is kept, and nothing connects before the flow runs: `python -m bytewax.run module:flow`.
    `Tape.flow` is its counterpart for a tape.

    Args:
        products: product ids.
        feed: `exchange` or `advanced`.
        url: address of the feed, wss://... or ws:// on this machine; None for the exchange itself.
        channel: channel of the book; None for the feed's usual one.
        stale_after: connect again when no frame, no snapshot or no overdue update came for this long.
        queue_bytes: bytes to queue between socket and flow; more interrupts a connection.
        connections: end a product after this many connections; None to reconnect without end.
        engine: what runs the books; all give the same results.
        workers: of a cluster of Bytewax (`-i/-a`, `-w`), how many it has in all: the products are spread
            evenly over them. Keys of the streams are then the product and a number, `BTC-USD#3`.

    Raises:
        OptionError: if an argument cannot be used.
    """
    from recorder.dataflow.flows import flow as run

    if connections is not None:
        arguments.whole_number(connections, "connections", 1)
    names = product_ids(products)
    settings = connection_settings(
        feed, url, channel, stale_after, queue_bytes=arguments.size(queue_bytes, "queue_bytes")
    )
    return run(
        names,
        feed=settings.feed,
        url=settings.url,
        channel=settings.channel,
        stale_after=settings.stale_after,
        queue_bytes=settings.queue_bytes,
        connections=connections,
        engine=arguments.engine_of(engine),
        workers=arguments.cluster_workers(workers),
    )
