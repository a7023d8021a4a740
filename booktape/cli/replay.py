"""`booktape replay`."""

import logging
import math
import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import booktape
from booktape.cli.options import (
    cluster_option,
    command,
    command_line,
    engine_option,
    html_option,
    json_option,
    open_option,
    option,
    output_option,
    prepare_option,
    processes_option,
    products_option,
    strategy_option,
    tape_argument,
    window_options,
)
from booktape.cli.param_types import WholeNumber
from booktape.cli.written_files import name_files, open_report, refuse_open
from booktape.replaying import replay as replay_tape


@command("booktape replay sample: --from +30s --threshold 10bps")
@tape_argument
@products_option
@window_options
@option(
    replay_tape,
    "speed",
    "--speed",
    metavar="SPEED",
    help="1 is the original timing, 10 ten times faster; max is as fast as possible.",
)
@option(
    replay_tape,
    "idle_limit",
    "--idle-limit",
    metavar="DURATION",
    help="Shorten recorded silences to this duration; with --speed.",
)
@option(
    replay_tape,
    "precise",
    "--precise",
    is_flag=True,
    help="Spin before each deadline instead of sleeping, which takes part of a processor; with --speed.",
)
@option(
    replay_tape,
    "follow",
    "--follow",
    is_flag=True,
    help="Wait for rows that are still being recorded and print signals, until Ctrl-C. With --speed, lateness"
    " counts from when a row was due and could be read.",
)
@processes_option
@cluster_option
@option(
    replay_tape,
    "threshold",
    "--threshold",
    metavar="THRESHOLD",
    help="A signal is a summary with a relative spread above this: 10bps, 0.1% or 0.001.",
)
@strategy_option
@output_option
# Four columns a level: Parquet with more of them is slow to open.
@option(
    replay_tape,
    "depth",
    "--depth",
    type=WholeNumber(1, 1000),
    help="Best levels a side to write to RUN/depth; with -o.",
)
@option(
    replay_tape,
    "trades",
    "--trades",
    is_flag=True,
    help="Read the trades too: counts, digest and, with -o, RUN/trades.",
)
@engine_option
@prepare_option
@html_option
@open_option
@json_option
def replay(
    tape: Path,
    products: tuple[str, ...],
    follow: bool,
    processes: int,
    opens: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Replay TAPE through the same book and filter as a live feed.

    -o writes RUN/summaries, RUN/signals, RUN/anomalies (Parquet) and RUN/run.json. With --strategy also
    RUN/strategy, with --depth RUN/depth: after every summary bid_price_1, bid_size_1, ask_price_1, ask_size_1
    to N, 1 the best; with --trades RUN/trades. What has no rows has no directory.
    """
    from booktape import arguments
    from booktape.console.terminal import echo_summaries, log_to_stderr, print_result

    refuse_open(options["html"], opens=opens)
    opened = booktape.open(tape)
    log_to_stderr(logging.WARNING if as_json else logging.INFO)
    shown: AbstractContextManager[Any] = nullcontext()  # several processes report no steps
    speed = arguments.speed_of(options["speed"])
    if follow or (processes == 1 and math.isfinite(speed)):
        from booktape.console import watching

        above = arguments.threshold(options["threshold"])
        shown = watching.replay(opened.path, products, speed, above, is_followed=follow)
        options["progress_trades"] = watching.has_panel()
    elif processes == 1 and options["cluster"] is None:
        from booktape.console.progress import progress_bar

        shown = progress_bar(opened.path, products, "replay")
    # What a strategy prints is not part of the result.
    with shown as advance, redirect_stdout(sys.stderr) if as_json else nullcontext():
        result = opened.replay(
            products=products,
            follow=follow,
            processes=processes,
            keep=False,
            on_signals=partial(echo_summaries, to_stderr=as_json) if follow else None,
            progress=advance,
            command=command_line(),
            **options,
        )
    from booktape.console.results import print_run  # not before: processes start, which need the time

    print_result(result, print_run, as_json=as_json)
    if not as_json:
        name_files(output=options["output"], html=options["html"])
    open_report(options["html"], opens=opens)
