"""`booktape replay`."""

import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recorder.options import DURATION, THRESHOLD, EngineName, engine_option, json_option, strategy_option
from replay.commands.options import (
    HTML,
    OUTPUT,
    PRODUCTS,
    TAPE,
    Moment,
    SpeedType,
    command_line,
    processes_option,
    window_of,
    window_options,
)

if TYPE_CHECKING:
    from orderbook.engine import Step
    from orderbook.strategy import NamedFactory
    from replay.progress import Advance


def _printing(threshold: float, *, to_stderr: bool) -> "Advance":
    """Return what prints the signals of a step as they happen."""
    from orderbook.spread_filter import above
    from recorder.printing import echo_summaries

    def show(product: str, step: "Step") -> None:
        echo_summaries(product, above(step.summaries, threshold), to_stderr=to_stderr)

    return show


@click.command()
@TAPE
@PRODUCTS
@window_options
@click.option(
    "--speed",
    type=SpeedType(),
    default="max",
    show_default=True,
    help="1 is the original timing, 10 ten times faster.",
)
@click.option("--idle-limit", type=DURATION, help="Cut recorded silences down to so long; with --speed.")
@click.option("--precise", is_flag=True, help="Spin before each deadline; takes a part of a processor.")
@click.option(
    "--follow",
    is_flag=True,
    help="Go on with what is being recorded, printing signals, until Ctrl-C. With --speed a row is late from"
    " when it was due and could be read.",
)
@processes_option
@click.option("--threshold", type=THRESHOLD, default="0.1%", show_default=True, help="What is a signal.")
@strategy_option
@OUTPUT
# Four columns a level: Parquet with more of them is slow to open.
@click.option("--depth", type=click.IntRange(1, 1000), help="With -o: RUN/depth too, the best levels a side.")
@engine_option
@HTML
@json_option
def replay(
    tape: Path,
    products: tuple[str, ...],
    start: Moment | None,
    end: Moment | None,
    speed: float,
    idle_limit: float | None,
    precise: bool,
    follow: bool,
    processes: int,
    threshold: float,
    strategy: "NamedFactory | None",
    output: Path | None,
    depth: int | None,
    engine: EngineName,
    html: Path | None,
    as_json: bool,
) -> None:
    """Push TAPE back through the same book and filter as a live feed.

    -o writes RUN/summaries, RUN/signals, RUN/anomalies, RUN/strategy (Parquet) and RUN/run.json. With --depth
    also RUN/depth: bid_price_1, bid_size_1, ask_price_1, ask_size_1 to N after every summary, 1 the best.
    """
    from recorder.terminal import print_json, stdout
    from replay.progress import both, showing
    from replay.replayed import ReplaySettings
    from replay.running import run
    from replay.tables import print_run

    if idle_limit is not None and speed == float("inf"):
        raise click.BadParameter("needs --speed: at max there is no silence", param_hint="--idle-limit")
    if depth is not None and output is None:
        raise click.BadParameter("needs -o: the levels are written to RUN/depth", param_hint="--depth")
    if processes > 1 and (follow or html is not None or idle_limit is not None):
        raise click.BadParameter("not with --follow, --html or --idle-limit", param_hint="--processes")
    if precise and speed == float("inf"):
        raise click.BadParameter("needs --speed: at max nothing has a deadline", param_hint="--precise")
    settings = ReplaySettings(
        products,
        speed,
        idle_limit,
        threshold,
        window_of(tape, start, end),
        depth=depth or 0,
        precise=precise,
        follow=follow,
        processes=processes,
    )
    report = None
    if html is not None:
        from recorder.tape.reader import Tape
        from replay.report.replayed import ReplayReport

        report = ReplayReport(html, tape, threshold, len(Tape.open(tape).select(products)))
    watching: AbstractContextManager[Advance | None] = showing(tape, products, "replay")
    if processes > 1:  # they tell nobody of their steps
        watching = nullcontext()
    if follow:
        watching = nullcontext(_printing(threshold, to_stderr=as_json))
    # What a strategy prints is none of the result.
    with watching as advance, redirect_stdout(sys.stderr) if as_json else nullcontext():
        told = both(advance, report)
        result = run(
            tape, settings, output=output, keep=False, progress=told, engine=engine, strategy=strategy
        )
    if report is not None:
        report.write(result, command_line())
    if as_json:
        print_json(result.document())
    else:
        print_run(stdout(), result)
