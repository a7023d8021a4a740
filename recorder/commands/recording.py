"""`booktape record` and `booktape live`: what listens to a feed."""

import logging
import os
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.commands.results import print_recorded
from recorder.memory import use_one_heap
from recorder.options import (
    DURATION,
    SIZE,
    THRESHOLD,
    EngineName,
    engine_option,
    feed_options,
    json_option,
    monitor_options,
    seal_options,
    strategy_option,
)

if TYPE_CHECKING:
    from orderbook.strategy import NamedFactory
    from recorder.reader import ReaderSettings
    from recorder.view import Observer


class _LongRunning(click.Command):
    """A command that runs for months: with one heap, from before its options load a strategy, and Arrow."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        use_one_heap()
        return super().parse_args(ctx, args)


@click.command(cls=_LongRunning)
@click.argument("products", nargs=-1, required=True, metavar="PRODUCT...")
@click.option("-o", "--output", "tape", type=click.Path(path_type=Path), required=True, metavar="TAPE")
@feed_options
@click.option("--threshold", type=THRESHOLD, help="Also print what passes the filter, as it happens.")
@strategy_option
@seal_options
@click.option(
    "--sync",
    type=DURATION,
    default="1s",
    show_default=True,
    help="What a power cut may take at most; a crash of the process takes nothing.",
)
@click.option(
    "--queue-bytes",
    type=SIZE,
    default="256MiB",
    show_default=True,
    help="What may wait between socket and tape; more is an interruption.",
)
@monitor_options
@engine_option
@json_option
def record(
    products: tuple[str, ...],
    tape: Path,
    feed: str,
    url: str | None,
    channel: str | None,
    duration: float | None,
    stale_after: float,
    threshold: float | None,
    strategy: "NamedFactory | None",
    segment_rows: int,
    segment_bytes: int,
    segment_time: float,
    sync: float,
    queue_bytes: int,
    log_every: float,
    log_json: bool,
    metrics_port: int | None,
    metrics_host: str,
    engine: EngineName,
    as_json: bool,
) -> None:
    """Record the order books of PRODUCT... to a tape, until stopped.

    Ctrl-C, SIGTERM and --duration drain what was received, seal it and exit 0. Recording to an
    existing tape goes on after its last row.

    --strategy prints its rows, a JSON object a line, and tells their digest at the end: that of a replay of
    the same rows. Where it fails, the recording goes on without it and ends with exit code 1.
    """
    from orderbook.threshold import DEFAULT_THRESHOLD
    from recorder.printing import printed_strategy, printed_summaries
    from recorder.record import record as start
    from recorder.tape.policy import SealPolicy
    from recorder.terminal import log_to_stderr

    log_to_stderr(as_json=log_json)
    # What a strategy prints is none of the result.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        recorded = start(
            _unique(products),
            tape,
            replace(_reader_settings(feed, url, channel, stale_after), queue_bytes=queue_bytes),
            duration=duration,
            show=None if threshold is None else printed_summaries(threshold, to_stderr=as_json),
            strategy=printed_strategy(strategy, to_stderr=as_json),
            threshold=DEFAULT_THRESHOLD if threshold is None else threshold,
            policy=SealPolicy(segment_rows, segment_bytes, segment_time, sync),
            observers=_observers(
                log_every, metrics_port, metrics_host, quiet=bool(threshold is not None or strategy)
            ),
            engine=engine,
        )
    print_recorded(recorded, as_json)
    if recorded.strategy is not None and recorded.strategy.failure is not None:
        raise recorded.strategy.failure


@click.command()
@click.argument("products", nargs=-1, required=True, metavar="PRODUCT...")
@feed_options
@click.option("--threshold", type=THRESHOLD, help="What is a signal.  [default: 0.1%; none with --strategy]")
@click.option("--all", "everything", is_flag=True, help="Print every summary, not only signals.")
@strategy_option
@engine_option
def live(
    products: tuple[str, ...],
    feed: str,
    url: str | None,
    channel: str | None,
    duration: float | None,
    stale_after: float,
    threshold: float | None,
    everything: bool,
    strategy: "NamedFactory | None",
    engine: EngineName,
) -> None:
    """Print the best bid and ask of PRODUCT... where the spread passes the filter; keeps nothing.

    --strategy prints its rows, a JSON object a line.
    """
    from orderbook.threshold import DEFAULT_THRESHOLD
    from recorder.printing import printed_strategy, printed_summaries
    from recorder.record import live as start
    from recorder.terminal import log_to_stderr

    log_to_stderr()
    if everything and threshold is not None:
        raise click.BadParameter("not with --all", param_hint="--threshold")
    show = None
    if everything or threshold is not None or strategy is None:
        passing = DEFAULT_THRESHOLD if threshold is None else threshold
        show = printed_summaries(None if everything else passing, to_stderr=False)
    run = printed_strategy(strategy, to_stderr=False)
    settings = _reader_settings(feed, url, channel, stale_after)
    start(_unique(products), settings, show, strategy=run, duration=duration, engine=engine)


def _observers(log_every: float, port: int | None, host: str, *, quiet: bool) -> "list[Observer]":
    """Return who watches a recording; no panel (`quiet`) where summaries are printed as they happen."""
    from recorder.metrics import serving
    from recorder.reporting import reporting

    observers: list[Observer] = [] if quiet else [partial(reporting, log_every=log_every)]
    if port is not None:
        if host not in ("127.0.0.1", "::1", "localhost"):
            logging.getLogger(__name__).warning("metrics are open to whoever reaches %s", host)
        observers.append(partial(serving, host=host, port=port))
    return observers


def _unique(products: tuple[str, ...]) -> tuple[str, ...]:
    """Return each product once, refusing what can be none."""
    from recorder.tape.layout import is_product_id

    for product in products:
        if not is_product_id(product):
            raise click.BadParameter(f"{product!r} is no product id such as BTC-USD", param_hint="PRODUCT...")
    return tuple(dict.fromkeys(products))


def _reader_settings(feed: Any, url: str | None, channel: str | None, stale_after: float) -> "ReaderSettings":
    from recorder.credentials import credentials_for
    from recorder.feeds import FeedError, endpoint
    from recorder.reader import ReaderSettings

    try:
        chosen = endpoint(feed, url, channel)
    except FeedError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    return ReaderSettings(chosen, credentials=credentials_for(chosen, os.environ), stale_after=stale_after)
