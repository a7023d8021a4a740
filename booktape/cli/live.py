"""`booktape live`."""

from functools import partial
from typing import Any

import click

import booktape
from booktape.cli.options import (
    command,
    engine_option,
    execution_of,
    execution_options,
    feed_options,
    live_strategy_option,
    say_loading,
    settings_option,
)


@command("booktape live BTC-USD --threshold 2bps")
@click.argument("products", nargs=-1, required=True, metavar="PRODUCT...")
@feed_options
@click.option(
    "--threshold",
    metavar="THRESHOLD",
    help="Print summaries with a relative spread above this.  [default: 0.1%; none with --strategy]",
)
@click.option("--all", "everything", is_flag=True, help="Print every summary, not only signals.")
@live_strategy_option
@settings_option
@execution_options
@engine_option
def live(products: tuple[str, ...], threshold: str | None, everything: bool, **options: Any) -> None:
    """Print the best bid and ask of PRODUCT... when the spread passes the filter; nothing is kept.

    --strategy prints its rows, one JSON object a line. One that trades does so on paper, and the events of
    its orders are printed, and at the end its result on stderr: nothing is sent anywhere.
    """
    say_loading()
    from booktape.arguments import THRESHOLD
    from booktape.console import watching
    from booktape.console.streams import drop_when_blocked
    from booktape.console.terminal import echo_rows, echo_summaries, log_to_stderr, stderr
    from recorder.runtime.signals import stops_once

    drop_when_blocked()
    log_to_stderr()
    if everything and threshold is not None:
        raise click.BadParameter("not with --all", param_hint="--threshold")
    is_printing = everything or threshold is not None or options["strategy"] is None
    with stops_once():
        result = booktape.live(
            products,
            threshold=None if everything else threshold or THRESHOLD,
            on_signals=partial(echo_summaries, to_stderr=False) if is_printing else None,
            on_rows=partial(echo_rows, to_stderr=False),
            execution=execution_of(options),
            observers=[watching.live],
            **options,
        )
    if result is not None:
        from booktape.console.backtest import print_backtest

        print_backtest(stderr(), result)
