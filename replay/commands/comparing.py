"""`booktape compare`."""

from pathlib import Path

import click

from orderbook.errors import ThresholdError
from recorder.options import THRESHOLD, EngineName, engine_option, json_option
from replay.commands.options import OUTPUT, PRODUCTS, TAPE, Moment, window_of, window_options


@click.command()
@TAPE
@PRODUCTS
@window_options
@click.option(
    "--threshold", "thresholds", type=THRESHOLD, multiple=True, help="0.1%, 10bps or 0.001; repeatable."
)
@click.option(
    "--sweep",
    "sweeps",
    nargs=3,
    multiple=True,
    metavar="MIN MAX STEP",
    help="All thresholds from MIN to MAX, MAX included; repeatable.",
)
@click.option(
    "--sort",
    type=click.Choice(("threshold", "signals", "episodes", "time_above_s", "share", "mean_relative_spread")),
    default="threshold",
    show_default=True,
    help="Order of the rows within a product; other than threshold: largest first.",
)
@OUTPUT
@engine_option
@json_option
def compare(
    tape: Path,
    products: tuple[str, ...],
    start: Moment | None,
    end: Moment | None,
    thresholds: tuple[float, ...],
    sweeps: tuple[tuple[str, str, str], ...],
    sort: str,
    output: Path | None,
    engine: EngineName,
    as_json: bool,
) -> None:
    """Compare thresholds of the spread filter over TAPE: any number of them, in one pass.

    Without --threshold and --sweep: 1 to 20 bps in steps of 1 bps.
    """
    from recorder.terminal import print_json, stdout
    from replay.comparing import compare as start_comparing
    from replay.progress import showing
    from replay.tables import print_comparison

    wanted = [*thresholds, *(value for sweep in sweeps for value in _swept(sweep))]
    if not wanted:
        wanted = _swept(("1bps", "20bps", "1bps"))
    with showing(tape, products, "compare") as advance:
        comparison = start_comparing(
            tape,
            wanted,
            products=products,
            window=window_of(tape, start, end),
            output=output,
            progress=advance,
            engine=engine,
        )
    comparison.sort(sort)
    if as_json:
        print_json(comparison.document())
    else:
        print_comparison(stdout(), comparison, sort)


def _swept(sweep: tuple[str, str, str]) -> list[float]:
    from orderbook.threshold import sweep_thresholds

    try:
        return sweep_thresholds(*sweep)
    except ThresholdError as error:
        raise click.BadParameter(str(error), param_hint="--sweep") from None
