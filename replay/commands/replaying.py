"""`booktape replay`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from recorder.options import DURATION, THRESHOLD, json_option, strategy_option
from replay.commands.options import OUTPUT, PRODUCTS, TAPE, SpeedType, window_of, window_options

if TYPE_CHECKING:
    from orderbook.strategy import NamedFactory


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
@click.option("--threshold", type=THRESHOLD, default="0.1%", show_default=True, help="What is a signal.")
@strategy_option
@OUTPUT
@json_option
def replay(
    tape: Path,
    products: tuple[str, ...],
    start: int | None,
    end: int | None,
    speed: float,
    idle_limit: float | None,
    threshold: float,
    strategy: "NamedFactory | None",
    output: Path | None,
    as_json: bool,
) -> None:
    """Push TAPE back through the same book and filter as a live feed.

    -o writes RUN/summaries, RUN/signals, RUN/anomalies, RUN/strategy (Parquet) and RUN/run.json.
    """
    from recorder.terminal import print_json, stdout
    from replay.progress import showing
    from replay.running import ReplaySettings, run
    from replay.tables import print_run

    if idle_limit is not None and speed == float("inf"):
        raise click.BadParameter("needs --speed: at max there is no silence", param_hint="--idle-limit")
    settings = ReplaySettings(products, speed, idle_limit, threshold, window_of(start, end))
    with showing(tape, products, "replay") as advance:
        result = run(tape, settings, output=output, keep=False, progress=advance, strategy=strategy)
    if as_json:
        print_json(result.document())
    else:
        print_run(stdout(), result)
