"""`booktape backtest`."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.backtesting import backtest as backtest_tape
from booktape.cli.options import (
    by_option,
    cluster_option,
    command,
    command_line,
    csv_option,
    engine_option,
    execution_of,
    execution_options,
    html_option,
    json_option,
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
from booktape.execution import MARKOUTS
from booktape.searching import search as search_tape
from booktape.walking import walk_forward

_FLAGS = {"output": "-o", "markouts": "--markout"}
_DEFAULTS = {"sort": "product", "markouts": MARKOUTS, "processes": 1}
_OF_WHOLE = ("orders", "sort", "output", "html")


@command("booktape backtest sample: --sweep threshold=5bps,10bps --queue back,share,front")
@paths("tapes", "TAPE...")
@option(
    backtest_tape,
    "strategy",
    "--strategy",
    metavar="MODULE:FACTORY",
    help="Strategy that trades.  [default: booktape.strategies:QuoteWhenWide, at several thresholds]",
)
@settings_option
@option(
    backtest_tape,
    "sweep",
    "--sweep",
    multiple=True,
    metavar="NAME=A,B,C",
    help="Several values of a setting, or LOW:HIGH:STEP; repeatable, every combination is run. With --search"
    " also LOW..HIGH, anything between.",
)
@option(
    backtest_tape,
    "random",
    "--random",
    type=WholeNumber(1),
    metavar="N",
    help="Run N of the combinations, drawn by --seed.",
)
@click.option(
    "--search",
    type=WholeNumber(1),
    metavar="N",
    help="Search the settings of --sweep by N trials, which Optuna chooses: needs booktape[search].",
)
@option(
    search_tape,
    "study",
    "--study",
    metavar="STORAGE[#NAME]",
    help="With --search: keep the trials in a storage of Optuna, such as sqlite:///study.db, or a journal"
    " file, and go on with those that are there.",
)
@option(
    backtest_tape,
    "orders",
    "--orders",
    metavar="FILE",
    help="Send the orders of a Parquet or Arrow file in place of a strategy.",
)
@products_option
@window_options
@execution_options
@option(
    backtest_tape, "equity_every", "--equity-every", metavar="DURATION", help="How often equity is sampled."
)
@option(
    backtest_tape,
    "markouts",
    "--markout",
    metavar="DURATIONS",
    help="Times after a fill at which the mid is compared.",
)
@by_option
@option(
    backtest_tape,
    "sort",
    "--sort",
    metavar="COLUMN",
    help="Column of --csv that orders the rows: what names a lane ascending, others largest first.",
)
@click.option(
    "--walk",
    metavar="FIT:JUDGE",
    help="Choose settings on a part such as 1d, judge them on the next, such as 1h, and roll on: 1d:1h.",
)
@option(
    walk_forward,
    "choose",
    "--choose",
    metavar="COLUMN",
    help="With --walk or --search: column of --csv whose largest value chooses.",
)
@output_option
@engine_option
@prepare_option
@processes_option
@cluster_option
@html_option
@open_option
@json_option
@csv_option
def backtest(
    tapes: tuple[Path, ...],
    products: tuple[str, ...],
    processes: int,
    as_json: bool,
    as_csv: bool,
    walk: str | None,
    search: int | None,
    study: str | None,
    choose: str,
    opens: bool,
    **options: Any,
) -> None:
    """Run a strategy with simulated orders over TAPEs: queues, fills, fees and money.

    Every order is followed under three models of its queue: back is a lower bound of what would have been
    filled, front an upper bound, share an estimate. -o writes RUN/orders, RUN/fills, RUN/resting, RUN/equity,
    RUN/log (Parquet) and RUN/run.json. On each of several tapes every lane begins anew; rows are of each and
    of all.
    """
    from booktape.console.backtest import print_backtest
    from booktape.console.progress import progress_bar
    from booktape.console.terminal import print_rows

    refuse_both(as_json=as_json, as_csv=as_csv)
    if study is not None and search is None:
        raise click.UsageError("--study is only for --search")
    refuse_open(options["html"], opens=opens)
    if walk is not None:
        _exclude("--walk", options | {"search": search}, *_OF_WHOLE, "markouts", "by", "search")
        _walk(tapes, walk, choose, products, processes, options, as_json=as_json, as_csv=as_csv)
        return
    if search is not None:
        _exclude("--search", options | {"processes": processes}, *_OF_WHOLE, "random", "processes", "cluster")
        chosen = {"trials": search, "choose": choose, "study": study, "products": products}
        _search(tapes, chosen, options, as_json=as_json, as_csv=as_csv)
        return
    if choose != "net":
        raise click.UsageError("--choose is only for --walk and --search")
    # Several processes report no steps.
    is_shared = processes > 1 or options["cluster"] is not None
    with nullcontext() if is_shared else progress_bar(tapes, products, "backtest") as advance:
        result = booktape.backtest(
            tapes,
            products=products,
            keep=False,
            processes=processes,
            progress=advance,
            command=command_line(),
            **options,
        )
    print_rows(result, partial(print_backtest, sort=options["sort"]), as_json=as_json, as_csv=as_csv)
    if not (as_json or as_csv):
        name_files(output=options["output"], html=options["html"])
    open_report(options["html"], opens=opens)


def _walk(
    tapes: tuple[Path, ...],
    walk: str,
    choose: str,
    products: tuple[str, ...],
    processes: int,
    options: dict[str, Any],
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Choose settings on one part of a tape and judge them on the next."""
    from booktape.console.progress import steps_bar
    from booktape.console.terminal import print_rows
    from booktape.console.walking import print_walk

    if len(tapes) > 1:
        raise click.UsageError("--walk goes over one tape")
    execution = execution_of(options)
    for name in (*_OF_WHOLE, "markouts", "by"):
        del options[name]
    with steps_bar("walk") as progress:
        result = booktape.walk_forward(
            tapes[0],
            walk=walk,
            choose=choose,
            products=products,
            processes=processes,
            progress=progress,
            execution=execution,
            **options,
        )
    print_rows(result, print_walk, as_json=as_json, as_csv=as_csv)


def _search(
    tapes: tuple[Path, ...],
    chosen: dict[str, Any],
    options: dict[str, Any],
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Run trials that Optuna chooses, and print the best first."""
    from booktape.console.backtest import print_backtest
    from booktape.console.progress import steps_bar
    from booktape.console.terminal import print_rows

    execution = execution_of(options)
    for name in (*_OF_WHOLE, "random", "cluster"):
        del options[name]
    with steps_bar("search") as progress:
        result = booktape.search(tapes, progress=progress, execution=execution, **chosen, **options)
    result.sort(chosen["choose"])
    print_rows(result, partial(print_backtest, sort=chosen["choose"]), as_json=as_json, as_csv=as_csv)


def _exclude(flag: str, options: dict[str, Any], *names: str) -> None:
    """Refuse options that have a value other than their default beside another one."""
    for name in names:
        if options[name] != _DEFAULTS.get(name):
            other = _FLAGS.get(name, f"--{name}")
            raise click.UsageError(f"{flag} and {other} exclude each other")
