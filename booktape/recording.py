"""`record`: check the arguments, make one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from booktape import arguments
from booktape.arguments import ProductsLike, SizeLike
from booktape.execution import PAPER, Execution
from booktape.feed_arguments import connection_settings, live_strategy, product_ids, seal_policy
from booktape.paths import PathLike, output_path, shipping_url
from booktape.shipping import kept_for
from orderbook.thresholds import ThresholdLike
from orderbook.time_input import DurationLike, format_duration
from recorder.settings import (
    CONNECTION,
    LIVE,
    METRICS_HOST,
    SEAL,
    EngineName,
    RecordSettings,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from orderbook.engine import Engine
    from orderbook.strategy import StrategyFactory
    from recorder.monitor.status import Observer
    from recorder.results import Recorded
    from recorder.tape.store.paths import RemotePath
    from replay.simulation.settings import TraderFactory

log = logging.getLogger(__name__)


def record(
    products: ProductsLike,
    tape: PathLike,
    *,
    feed: str = CONNECTION.feed,
    url: str | None = None,
    channel: str | None = None,
    append: bool = False,
    trades: bool = CONNECTION.trades,
    duration: DurationLike | None = None,
    stale_after: DurationLike = format_duration(CONNECTION.stale_after),
    threshold: ThresholdLike = arguments.THRESHOLD,
    strategy: StrategyFactory | TraderFactory | str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    execution: Execution = PAPER,
    segment_rows: int = SEAL.rows,
    segment_bytes: SizeLike = arguments.format_size(SEAL.bytes),
    segment_time: DurationLike = format_duration(SEAL.seconds),
    sync: DurationLike = format_duration(SEAL.sync_s),
    queue_bytes: SizeLike = arguments.format_size(CONNECTION.queue_bytes),
    metrics_port: int | None = None,
    metrics_host: str = METRICS_HOST,
    engine: Engine | EngineName = LIVE.engine,
    on_signals: Callable[[str, pa.RecordBatch], None] | None = None,
    on_rows: Callable[[str, pa.RecordBatch], None] | None = None,
    observers: Sequence[Observer] = (),
    ship: PathLike | None = None,
    keep: DurationLike | None = None,
) -> Recorded:
    """Record the order books of products to a tape, until Ctrl-C, SIGTERM, SIGHUP or the end of `duration`.

    Args:
        products: product ids.
        tape: the tape's directory; an existing tape is continued after its last row.
        feed: `exchange` or `advanced`.
        url: address of the feed, wss://... or ws:// on this machine; None for the exchange itself.
        channel: channel of the book; None for the feed's usual one.
        append: continue a tape of another kind too: an import, or a recording from elsewhere.
        trades: record the trades too, on the connection of the book.
        duration: stop after this time; None to record until stopped.
        stale_after: connect again when no frame, no snapshot or no overdue update came for this long.
        threshold: a signal is a summary whose relative spread is above it.
        strategy: makes a strategy for each product: a callable, or `module:factory`. One with `on_event`
            trades on paper, which sends nothing anywhere; any other makes rows of the summaries.
        settings: settings of a strategy that trades, by name, or texts such as `size=0.01`.
        execution: how its orders are simulated.
        segment_rows: rows in a segment at most.
        segment_bytes: bytes of frames in a segment at most.
        segment_time: time in a segment at most.
        sync: time between fsyncs: the most that a power failure can lose.
        queue_bytes: bytes to queue between socket and tape; more interrupts a connection.
        metrics_port: port of a Prometheus metrics server; None for none.
        metrics_host: address to bind the metrics server to.
        engine: what runs the books; all give the same results.
        on_signals: called with the product and each batch of signals as they happen.
        on_rows: called with the product and each batch of the strategy's rows, or of the events of its
            orders, on a thread of the strategy.
        observers: context managers that are given a view of the recording and entered while it runs.
        ship: where in an object store to copy the sealed segments, such as `s3://bucket/tape`; the recording
            does not wait for that, and goes on if the store fails.
        keep: with `ship`, remove segments here that are older than this, such as `2d`, once the store was
            seen to have them: from the first one on, back to a saved book. None removes nothing.

    Raises:
        OptionError: if an argument cannot be used.
        FeedError: if no product is left or had a book, as when the exchange refuses each of them; what was
            received is kept. `Recorded.failures` names single products.
        TapeError: if the tape cannot be written; what was recorded before is intact.
        MetricsError: if the metrics cannot be served at that address.
        StoreError: if what stores need is not installed.
    """
    from recorder.api import record as run
    from recorder.dataflow.flows import SummaryOutput

    names = product_ids(products)
    checked = record_settings(
        feed=feed,
        url=url,
        channel=channel,
        append=append,
        trades=trades,
        duration=duration,
        stale_after=stale_after,
        threshold=threshold,
        segment_rows=segment_rows,
        segment_bytes=segment_bytes,
        segment_time=segment_time,
        sync=sync,
        queue_bytes=queue_bytes,
        engine=engine,
    )
    arguments.optional_function(on_signals, "on_signals")
    with arguments.naming("observers", observers, "a list of functions"):
        watching = [arguments.function_of(each, "observers") for each in observers]
    if metrics_port is not None:
        from recorder.monitor.metrics import serving

        port = arguments.whole_number(metrics_port, "metrics_port", 0, 65535)
        arguments.host_of(metrics_host, "metrics_host")
        if metrics_host not in ("127.0.0.1", "::1", "localhost"):
            log.warning("metrics are open to everyone who can reach %s", metrics_host)
        watching.append(partial(serving, port=port, host=metrics_host))
    return run(
        names,
        output_path(tape, "tape"),
        checked,
        output=None if on_signals is None else SummaryOutput(checked.threshold, on_signals),
        strategy=live_strategy(strategy, settings, execution, names, on_rows),
        observers=watching,
        ship=None if ship is None else _store(ship),
        keep=kept_for(keep, ship),
    )


def _store(url: PathLike) -> RemotePath:
    """Return where to ship to; what stores need has to be installed, or it would be tried for ever."""
    from recorder.tape.store.objects import client

    place = shipping_url(url)
    client(place.bucket)
    return place


def record_settings(
    *,
    feed: str,
    url: str | None,
    channel: str | None,
    append: bool,
    trades: bool,
    duration: DurationLike | None,
    stale_after: DurationLike,
    threshold: ThresholdLike,
    segment_rows: int,
    segment_bytes: SizeLike,
    segment_time: DurationLike,
    sync: DurationLike,
    queue_bytes: SizeLike,
    engine: Engine | EngineName,
) -> RecordSettings:
    """Return the arguments of `record` that say how is recorded, checked.

    Raises:
        OptionError: if one cannot be used.
    """
    return RecordSettings(
        connection_settings(
            feed,
            url,
            channel,
            stale_after,
            trades=arguments.flag(trades, "trades"),
            queue_bytes=arguments.size(queue_bytes, "queue_bytes"),
        ),
        seal_policy(segment_rows, segment_bytes, segment_time, sync),
        arguments.threshold(threshold),
        arguments.optional_seconds(duration, "duration"),
        arguments.engine_of(engine),
        arguments.flag(append, "append"),
    )
