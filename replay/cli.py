"""The replay side's commands: check the options, make one call, print."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orderbook.errors import ThresholdError
from recorder.options import DURATION, THRESHOLD, json_option

if TYPE_CHECKING:
    from replay.window import Window

TAPE = click.argument("tape", type=click.Path(path_type=Path))
PRODUCTS = click.option(
    "-p", "--product", "products", multiple=True, metavar="PRODUCT", help="Only this; repeatable."
)
OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="RUN", help="Directory to make."
)


class SpeedType(click.ParamType[float]):
    """`1`, `0.5`, `20` or `max`. Becomes a factor above 0; max is infinite."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor."""
        if value == "max":
            return float("inf")
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0 < speed <= 1e9:
            self.fail(f"{value!r} is no speed: a number above 0, or max", param, ctx)
        return speed


class InstantType(click.ParamType[int]):
    """`2026-08-09T21:05:50Z`: ISO time, UTC. Becomes nanoseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return nanoseconds."""
        from orderbook.times import parse_time

        time = parse_time(str(value))
        if time is None:
            self.fail(f"{value!r} is no UTC time such as 2026-08-09T21:05:50Z", param, ctx)
        return time


def _window_options(command: Any) -> Any:
    for option in (
        click.option("--to", "end", type=InstantType(), metavar="TIME", help="Report rows before it only."),
        click.option(
            "--from",
            "start",
            type=InstantType(),
            metavar="TIME",
            help="Report rows from it on; those before build the book.",
        ),
    ):
        command = option(command)
    return command


def _window(start: int | None, end: int | None) -> "Window":
    from replay.window import Window

    if start is not None and end is not None and start >= end:
        raise click.BadParameter("--from is not before --to", param_hint="--from")
    return Window(start, end)


@click.command()
@TAPE
@PRODUCTS
@_window_options
@click.option(
    "--speed",
    type=SpeedType(),
    default="max",
    show_default=True,
    help="1 is the original timing, 10 ten times faster.",
)
@click.option("--idle-limit", type=DURATION, help="Cut recorded silences down to so long; with --speed.")
@click.option("--threshold", type=THRESHOLD, default="0.1%", show_default=True, help="What is a signal.")
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
    output: Path | None,
    as_json: bool,
) -> None:
    """Push TAPE back through the same book and filter as a live feed.

    -o writes RUN/summaries, RUN/signals, RUN/anomalies (Parquet) and RUN/run.json.
    """
    from recorder.terminal import print_json, stdout
    from replay.progress import showing
    from replay.running import ReplaySettings, run
    from replay.tables import print_run

    if idle_limit is not None and speed == float("inf"):
        raise click.BadParameter("needs --speed: at max there is no silence", param_hint="--idle-limit")
    settings = ReplaySettings(products, speed, idle_limit, threshold, _window(start, end))
    with showing(tape, products, "replay") as advance:
        result = run(tape, settings, output=output, keep=False, progress=advance)
    if as_json:
        print_json(result.document())
    else:
        print_run(stdout(), result)


@click.command()
@TAPE
@PRODUCTS
@_window_options
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
@json_option
def compare(
    tape: Path,
    products: tuple[str, ...],
    start: int | None,
    end: int | None,
    thresholds: tuple[float, ...],
    sweeps: tuple[tuple[str, str, str], ...],
    sort: str,
    output: Path | None,
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
            tape, wanted, products=products, window=_window(start, end), output=output, progress=advance
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


@click.command()
@TAPE
@json_option
def inspect(tape: Path, as_json: bool) -> None:
    """Show what TAPE holds: products, time span, rows, connections, segments, bytes, interruptions."""
    from recorder.terminal import print_json, stdout
    from replay.inspection import inspect as look
    from replay.tables import print_inspection

    found = look(tape)
    if as_json:
        print_json(found.document())
    else:
        print_inspection(stdout(), found)


@click.command()
@TAPE
@click.option("-p", "--product", required=True, metavar="PRODUCT", help="Whose book.")
@click.option("--at", type=InstantType(), required=True, metavar="TIME", help="Rows up to and at it count.")
@click.option("--depth", type=click.IntRange(1), default=10, show_default=True, help="Levels a side.")
@json_option
def book(tape: Path, product: str, at: int, depth: int, as_json: bool) -> None:
    """Print the book of a product of TAPE as it stood at a time: price, size, cumulative size."""
    from recorder.terminal import print_json, stdout
    from replay.ladder import book_at
    from replay.tables import print_ladder

    ladder = book_at(tape, product, at, depth)
    if as_json:
        print_json(ladder.document())
    else:
        print_ladder(stdout(), ladder)


@click.command()
@TAPE
@click.option("--strict", is_flag=True, help="Fail also on what the feed itself did wrong.")
@json_option
def verify(tape: Path, strict: bool, as_json: bool) -> None:
    """Check TAPE: checksums, numbering, order of time, sequence numbers, live digest = replay digest.

    Exits 1 where the tape is damaged or its replay differs from live.
    """
    from recorder.terminal import print_json, stdout
    from replay.tables import print_verification
    from replay.verifying import verify as check

    found = check(tape)
    if as_json:
        print_json(found.document())
    else:
        print_verification(stdout(), found, strict=strict)
    if not found.passes(strict=strict):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of the synthetic market.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="TAPE", help="Keep the tape here.")
def demo(seed: int, output: Path | None) -> None:
    """Show all of it, offline, in under a minute: record, verify, replay, compare.

    A small exchange of our own on this machine serves a synthetic market; nothing of it is real.
    """
    from replay.demo import run_demo

    run_demo(seed, output)


COMMANDS = (replay, compare, inspect, book, verify, demo)
