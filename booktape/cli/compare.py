"""`booktape compare`."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import (
    by_option,
    cluster_option,
    command,
    command_line,
    csv_option,
    engine_option,
    fees_option,
    html_option,
    json_option,
    latency_option,
    open_option,
    option,
    output_option,
    paths,
    prepare_option,
    processes_option,
    products_option,
    refuse_both,
    settings_option,
    window_options,
)
from booktape.cli.param_types import WholeNumber
from booktape.cli.written_files import name_files, open_report, refuse_open
from booktape.comparing import compare as compare_tapes
from booktape.execution import Execution


@command("booktape compare sample: --sweep 1bps 20bps 1bps --by hour")
@paths("tapes", "TAPE...")
@products_option
@window_options
@click.option(
    "--threshold",
    "single",
    metavar="THRESHOLD",
    multiple=True,
    help="Threshold to compare: 10bps, 0.1% or 0.001; repeatable.",
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
    "--sweep-log",
    "log_sweeps",
    nargs=3,
    multiple=True,
    metavar="MIN MAX COUNT",
    help="COUNT thresholds from MIN to MAX at equal ratios; repeatable.",
)
@option(
    compare_tapes,
    "markouts",
    "--markout",
    metavar="TIMES",
    help="Times after an episode's start at which the change of the mid price is measured.",
)
@option(
    compare_tapes,
    "fee",
    "--fee",
    metavar="FEE",
    help="Fee of each side, e.g. 5bps: also show the spread less two fees, and how often that is above 0.",
)
@option(
    compare_tapes,
    "strategy",
    "--strategy",
    metavar="MODULE:FACTORY",
    help="Also say what each threshold earns: a strategy that trades and has a setting threshold, such as"
    " booktape.strategies:QuoteWhenWide.",
)
@settings_option
@fees_option
@latency_option
@by_option
@option(
    compare_tapes,
    "sort",
    "--sort",
    metavar="COLUMN",
    help="Column of --json that orders the rows of a block: threshold ascending, others largest first.",
)
@option(
    compare_tapes,
    "min_signals",
    "--min-signals",
    type=WholeNumber(0),
    help="Leave out rows with fewer signals.",
)
@option(
    compare_tapes,
    "min_episodes",
    "--min-episodes",
    type=WholeNumber(0),
    help="Leave out rows with fewer episodes.",
)
@output_option
@engine_option
@prepare_option
@processes_option
@cluster_option
@html_option
@open_option
@option(
    compare_tapes,
    "detail",
    "--detail",
    metavar="THRESHOLD",
    help="With --html: threshold whose episodes it shows.  [default: 10 bps, or the middle one]",
)
@json_option
@csv_option
def compare(
    tapes: tuple[Path, ...],
    products: tuple[str, ...],
    single: tuple[str, ...],
    sweeps: tuple[tuple[str, str, str], ...],
    log_sweeps: tuple[tuple[str, str, str], ...],
    sort: str,
    processes: int,
    fees: str,
    latency: str,
    as_json: bool,
    as_csv: bool,
    opens: bool,
    **options: Any,
) -> None:
    """Compare thresholds of the spread filter over TAPEs: any number of them, in one pass.

    Without --threshold and --sweep: quantiles of each product's own spread over time. Several tapes give a
    block each and a total. -o RUN writes RUN/thresholds.parquet, and RUN/episodes of the thresholds that
    --threshold names (of all if there are 50 at most).
    """
    from booktape.arguments import thresholds_of

    refuse_both(as_json=as_json, as_csv=as_csv)
    refuse_open(options["html"], opens=opens)
    values = {
        "single": list(single),
        "sweeps": [":".join(each) for each in sweeps],
        "log_sweeps": [f"{low}:{high}:x{count}" for low, high, count in log_sweeps],
    }
    for option_name, given in values.items():  # an error names the option that was typed
        if given:
            thresholds_of(given, option_name)
    thresholds = [each for given in values.values() for each in given]
    is_shared = processes > 1 or options["cluster"] is not None  # then nobody reports steps
    with nullcontext() if is_shared else _progress_bar(tapes, products) as advance:
        comparison = booktape.compare(
            tapes,
            thresholds or None,
            products=products,
            sort=sort,
            processes=processes,
            execution=Execution(fees=fees, latency=latency),
            progress=advance,
            command=command_line(),
            **options,
        )
    from booktape.console.comparison import print_comparison
    from booktape.console.terminal import print_rows

    print_rows(comparison, partial(print_comparison, sort=sort), as_json=as_json, as_csv=as_csv)
    if not (as_json or as_csv):
        name_files(output=options["output"], html=options["html"])
    open_report(options["html"], opens=opens)


def _progress_bar(tapes: tuple[Path, ...], products: tuple[str, ...]) -> AbstractContextManager[Any]:
    from booktape.console.progress import progress_bar

    return progress_bar(tapes, products, "compare")
