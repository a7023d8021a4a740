"""`booktape record`."""

import sys
from contextlib import nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import (
    command,
    engine_option,
    execution_of,
    execution_options,
    feed_options,
    json_option,
    live_strategy_option,
    option,
    say_loading,
    segment_options,
    settings_option,
)
from booktape.cli.param_types import PATH, WholeNumber
from booktape.recording import record as record_feed
from orderbook.time_input import format_duration
from recorder.runtime.memory import use_one_heap
from recorder.settings import LOG_EVERY_S


class _LongRunning(click.Command):
    """A command that runs for months: it uses one heap, from before Arrow is loaded."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        use_one_heap()
        return super().parse_args(ctx, args)


@command("booktape record BTC-USD ETH-USD -o tape --duration 1h", cls=_LongRunning)
@click.argument("products", nargs=-1, required=True, metavar="PRODUCT...")
@option(record_feed, "tape", "-o", "--output", type=PATH, metavar="TAPE", help="The tape.")
@click.option(
    "--append", is_flag=True, help="Continue a tape of another kind too: an import, or one from elsewhere."
)
@feed_options
@option(
    record_feed,
    "trades",
    "--trades/--no-trades",
    help="Whether to record the trades too, on the connection of the book.",
)
@click.option(
    "--threshold", metavar="THRESHOLD", help="Print summaries with a relative spread above this, too."
)
@live_strategy_option
@settings_option
@execution_options
@segment_options
@option(
    record_feed,
    "sync",
    "--sync",
    metavar="DURATION",
    help="Time between fsyncs: the most that a power failure can lose. A crash of the process loses nothing.",
)
@option(
    record_feed,
    "queue_bytes",
    "--queue-bytes",
    metavar="SIZE",
    help="Bytes to queue between socket and tape; more interrupts a connection.",
)
@click.option(
    "--log-every",
    metavar="DURATION",
    default=format_duration(LOG_EVERY_S),
    show_default=True,
    help="Interval between status lines when there is no terminal for the panel.",
)
@click.option("--log-json", is_flag=True, help="Write log lines as JSON objects.")
@option(
    record_feed,
    "ship",
    "--ship",
    type=PATH,
    metavar="URL",
    help="Copy sealed segments to an object store meanwhile, such as s3://bucket/tape.",
)
@option(
    record_feed,
    "keep",
    "--keep",
    metavar="DURATION",
    help="With --ship, remove older segments here once the store has them.  [default: keep all]",
)
@option(
    record_feed,
    "metrics_port",
    "--metrics-port",
    type=WholeNumber(0, 65535),
    help="Port of a Prometheus metrics server.  [default: off]",
)
@option(record_feed, "metrics_host", "--metrics-host", help="Address to bind the metrics server to.")
@engine_option
@json_option
def record(
    products: tuple[str, ...],
    tape: Path,
    threshold: str | None,
    log_every: str,
    log_json: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Record the order books of PRODUCT... to a tape, until stopped.

    Ctrl-C, SIGTERM, SIGHUP and --duration write out what was received, seal it and exit with 0. An existing
    tape is continued after its last row.

    A product that the exchange refuses for good is given up; the others go on. The exit code is 1 if a
    product was given up or no book of it was received.

    --strategy prints its rows, one JSON object a line, and their digest at the end: that of a replay of the
    same rows. If the strategy fails, the recording continues without it and ends with exit code 1.

    A strategy that trades does so on paper: its orders meet the recorded market and are sent nowhere. Their
    events are printed, and the result is that of `booktape backtest` of the same rows with the same options.
    On a tape on which it has traded before with the same settings, it goes on from there.
    """
    say_loading()
    from booktape.arguments import THRESHOLD, seconds
    from booktape.console.results import print_recorded
    from booktape.console.streams import drop_when_blocked
    from booktape.console.terminal import echo_rows, echo_summaries, log_to_stderr, print_result
    from booktape.console.watching import recording
    from recorder.runtime.signals import stops_once

    interval = seconds(log_every, "log_every")
    drop_when_blocked()
    log_to_stderr(as_json=log_json)
    # Status lines between the rows that are printed would be in the way.
    is_printing = threshold is not None or options["strategy"] is not None
    is_alone = not is_printing or not (as_json or sys.stdout.isatty())
    with stops_once():
        # What a strategy prints is not part of the result.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            recorded = booktape.record(
                products,
                tape,
                threshold=THRESHOLD if threshold is None else threshold,
                on_signals=None if threshold is None else partial(echo_summaries, to_stderr=as_json),
                on_rows=partial(echo_rows, to_stderr=as_json),
                observers=[partial(recording, log_every=interval if is_alone else None)],
                execution=execution_of(options),
                **options,
            )
        print_result(recorded, print_recorded, as_json=as_json)
    if recorded.failures:
        raise booktape.FeedError.of(recorded.failures)
    if recorded.strategy is not None and recorded.strategy.failure is not None:
        raise recorded.strategy.failure
