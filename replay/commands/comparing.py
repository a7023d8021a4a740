"""`booktape compare`."""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orderbook.errors import ThresholdError
from orderbook.threshold import sweep_thresholds, sweep_thresholds_log
from recorder.options import DURATION, THRESHOLD, EngineName, engine_option, json_option
from replay.commands.options import (
    HTML,
    OUTPUT,
    PRODUCTS,
    Moment,
    command_line,
    processes_option,
    window_of,
    window_options,
)

if TYPE_CHECKING:
    from replay.report.reporting import Report

_SORTS: Final = (
    *("threshold", "signals", "episodes", "time_above_s", "share", "duration_p50_s", "duration_p95_s"),
    *("duration_max_s", "mean_relative_spread", "max_relative_spread", "signals_per_hour"),
    *("episodes_per_hour", "mean_bid_size", "mean_ask_size", "mean_touch_value", "mean_net_spread_bps"),
    "net_positive_share",
)


class HorizonsType(click.ParamType[tuple[float, ...]]):
    """`1s,1m`. Becomes seconds."""

    name = "horizons"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the horizons."""
        if isinstance(value, tuple):
            return value
        horizons = tuple(DURATION.convert(text, param, ctx) for text in str(value).split(","))
        if max(horizons) > 86_400:
            self.fail(f"{value!r} has a horizon of over a day", param, ctx)
        return horizons


def threshold_options(command: Any) -> Any:
    """Add how thresholds are named."""
    for option in (
        click.option(
            "--sweep-log",
            "log_sweeps",
            nargs=3,
            multiple=True,
            metavar="MIN MAX COUNT",
            help="COUNT thresholds from MIN to MAX at equal ratios; repeatable.",
        ),
        click.option(
            "--sweep",
            "sweeps",
            nargs=3,
            multiple=True,
            metavar="MIN MAX STEP",
            help="All thresholds from MIN to MAX, MAX included; repeatable.",
        ),
        click.option(
            "--threshold",
            "thresholds",
            type=THRESHOLD,
            multiple=True,
            help="0.1%, 10bps or 0.001; repeatable.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("tapes", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="TAPE...")
@PRODUCTS
@window_options
@threshold_options
@click.option(
    "--markout",
    "markouts",
    type=HorizonsType(),
    default="100ms,1s,5s,30s",
    show_default=True,
    metavar="TIMES",
    help="Horizons after an episode's start at which the mid price's change is taken.",
)
@click.option(
    "--fee",
    type=THRESHOLD,
    help="Of each side, e.g. 5bps: also the spread less two fees, and how often above 0.",
)
@click.option(
    "--by",
    type=click.Choice(("hour", "day", "connection")),
    help="Split the numbers by UTC clock hour, UTC date or connection as well.",
)
@click.option(
    "--sort",
    default="threshold",
    show_default=True,
    metavar="COLUMN",
    help="Order of the rows within a block: a column of --json; other than threshold largest first.",
)
@click.option("--min-signals", type=click.IntRange(0), default=0, help="Leave out rows with fewer signals.")
@click.option("--min-episodes", type=click.IntRange(0), default=0, help="Leave out rows with fewer episodes.")
@OUTPUT
@engine_option
@processes_option
@HTML
@click.option(
    "--detail", type=THRESHOLD, help="With --html: whose episodes it shows; else 10 bps, or the middle one."
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV, and nothing else, on stdout.")
def compare(
    tapes: tuple[Path, ...],
    products: tuple[str, ...],
    start: Moment | None,
    end: Moment | None,
    thresholds: tuple[float, ...],
    sweeps: tuple[tuple[str, str, str], ...],
    log_sweeps: tuple[tuple[str, str, str], ...],
    markouts: tuple[float, ...],
    fee: float | None,
    by: Any,
    sort: str,
    min_signals: int,
    min_episodes: int,
    output: Path | None,
    engine: EngineName,
    processes: int,
    html: Path | None,
    detail: float | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Compare thresholds of the spread filter over TAPEs: any number of them, in one pass.

    Without --threshold and --sweep: 1 to 20 bps in steps of 1 bps. Several tapes give a block each and a
    total. -o RUN writes RUN/thresholds.parquet, and RUN/episodes of the thresholds that --threshold names (of
    all where there are 50 at most).
    """
    from recorder.terminal import print_json, stdout
    from replay.comparing import compare as start_comparing
    from replay.comparison_tables import print_comparison
    from replay.progress import showing
    from replay.sweep.episode_rows import MAX_THRESHOLDS
    from replay.sweep.results import horizon_label

    if len({tape.resolve() for tape in tapes}) < len(tapes):
        raise click.UsageError("a tape is named twice")
    if processes > 1 and html is not None:
        raise click.BadParameter("not with --html", param_hint="--processes")
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if sort not in (*_SORTS, *(f"markout_{horizon_label(round(each * 1e9))}_mean_bps" for each in markouts)):
        raise click.BadParameter(
            f"{sort!r} is no column that sorts: {', '.join(_SORTS)}", param_hint="--sort"
        )
    if len(tapes) > 1 and any(moment is not None and moment.is_offset for moment in (start, end)):
        raise click.UsageError("an offset such as +5m counts from the start of one tape, not of several")
    wanted = [
        *thresholds,
        *_swept("--sweep", sweep_thresholds, sweeps),
        *_swept("--sweep-log", sweep_thresholds_log, log_sweeps),
    ]
    if not wanted:
        wanted = sweep_thresholds("1bps", "20bps", "1bps")
    report = _report(html, detail, wanted, tapes, products)
    # Other processes tell nobody of their steps.
    with nullcontext() if processes > 1 else showing(tapes, products, "compare") as advance:
        comparison = start_comparing(
            tapes,
            wanted,
            products=products,
            window=window_of(tapes[0], start, end),
            markouts=markouts,
            fee=fee,
            by=by,
            episodes=thresholds if len(set(wanted)) > MAX_THRESHOLDS else None,
            output=output,
            command=command_line(),
            progress=advance,
            engine=engine,
            processes=processes,
            watch=None if report is None else report.of,
        )
    comparison.sort(sort)
    comparison.keep(min_signals=min_signals, min_episodes=min_episodes)
    if report is not None:
        report.write(comparison, sort)
    if as_json:
        print_json(comparison.document())
    elif as_csv:
        sys.stdout.write(comparison.csv())
    else:
        print_comparison(stdout(), comparison, sort)


def _swept(
    option: str,
    sweep: Callable[[str, str, str], list[float]],
    asked: tuple[tuple[str, str, str], ...],
) -> list[float]:
    try:
        return [value for each in asked for value in sweep(*each)]
    except ThresholdError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _report(
    html: Path | None,
    detail: float | None,
    thresholds: Sequence[float],
    tapes: Sequence[Path],
    products: tuple[str, ...],
) -> "Report | None":
    """Return the report that was asked for; None where none was."""
    if html is None:
        if detail is not None:
            raise click.BadParameter("needs --html: the report shows the episodes", param_hint="--detail")
        return None
    from recorder.tape.reader import Tape
    from replay.report.reporting import Report

    subjects = sum(len(Tape.open(tape).select(products)) for tape in tapes)
    return Report(html, thresholds, subjects, detail)
