"""Options of the command line: each is an argument of the Python API, by its name and with its default.

Values are passed on as they were typed: the API reads them, and says what is wrong with them.
"""

import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from inspect import Parameter, signature
from typing import Any, TypeVar, get_args

import click

from booktape.backtesting import backtest
from booktape.cli.param_types import PATH, WholeNumber
from booktape.execution import Execution
from booktape.recording import record
from booktape.replaying import replay
from orderbook.venues.registry import VENUE_NAMES
from recorder.settings import EngineName, PrepareName

F = TypeVar("F", bound=Callable[..., Any])


def command(
    example: str, name: str | None = None, cls: type[click.Command] = click.Command
) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a command whose help ends with an example."""

    def make(function: Callable[..., None]) -> click.Command:
        made = click.command(name, cls=cls, epilog=f"Example: {example}")(function)
        # Not by a setting: click makes that help option once, from the first context that asks.
        return click.help_option("-h", "--help")(made)

    return make


def option(function: Callable[..., Any], name: str, *flags: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option for an argument of a function of the Python API, with the default of the argument."""
    default = signature(function).parameters[name].default
    if default is Parameter.empty:
        attributes["required"] = True
    elif not attributes.get("multiple"):
        attributes["default"] = default
        attributes["show_default"] = default is not None and not attributes.get("is_flag")
    if "metavar" in attributes:
        attributes.setdefault("type", str)  # not that of the default: the API reads what was typed
    return click.option(*flags, name, **attributes)


def grouped(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several options, in the order in which the help shows them."""

    def add(function: F) -> F:
        for each in reversed(options):
            function = each(function)
        return function

    return add


def command_line() -> str:
    """Return the command as it was typed, to be named in its results."""
    return shlex.join(["booktape", *sys.argv[1:]])


def refuse_both(*, as_json: bool, as_csv: bool) -> None:
    """Refuse two forms of one output."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")


def say_loading() -> None:
    """Say at once, on a terminal, that a feed comes later: modules and an engine are loaded first."""
    if sys.stderr.isatty():
        click.echo("Loading, then connecting.", err=True)


tape_argument = click.argument("tape", type=PATH)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else, on stdout."
)
engine_option = option(
    replay,
    "engine",
    "--engine",
    type=click.Choice(get_args(EngineName)),
    envvar="BOOKTAPE_ENGINE",
    show_envvar=True,
    help="Engine that runs the books; results are the same. auto: compiled if numba is installed and the tape"
    " to read is large enough to be worth loading it.",
)
prepare_option = option(
    replay,
    "prepare",
    "--prepare",
    type=click.Choice(get_args(PrepareName)),
    help="auto: first write the rows to be read once more as integers, if they are not yet, as the command"
    " prepare does: later runs are faster.",
)
strategy_option = option(
    replay,
    "strategy",
    "--strategy",
    metavar="MODULE:FACTORY",
    help="Run your own strategy over each product's summaries.",
)
live_strategy_option = option(
    record,
    "strategy",
    "--strategy",
    metavar="MODULE:FACTORY",
    help="Run your own strategy. One that trades, as for backtest, does so on paper: nothing is sent"
    " anywhere. Any other makes rows of each product's summaries.",
)
products_option = click.option(
    "-p", "--product", "products", multiple=True, metavar="PRODUCT", help="Only this product; repeatable."
)
output_option = option(
    replay, "output", "-o", "--output", type=PATH, metavar="RUN", help="Directory to write."
)
html_option = option(
    replay,
    "html",
    "--html",
    type=PATH,
    metavar="REPORT",
    help="Write a report, too: one HTML file with figures that needs no network.",
)
open_option = click.option("--open", "opens", is_flag=True, help="With --html: open the report in a browser.")
processes_option = option(
    replay,
    "processes",
    "--processes",
    type=WholeNumber(1, 64),
    help="Number of processes that share the work: runs of segments, or products where a strategy or a clock"
    " needs all rows of one, of a backtest also its settings.",
)
cluster_option = option(
    replay,
    "cluster",
    "--cluster",
    metavar="ADDRESS",
    help="Share the work on a cluster of Dask, whose workers have the tapes at the same paths: its scheduler,"
    " such as tcp://scheduler:8786, or local:4 for four processes here.",
)
by_option = option(
    backtest,
    "by",
    "--by",
    type=click.Choice(("hour", "day", "connection")),
    help="Split the numbers by UTC clock hour, UTC date or connection as well.",
)
csv_option = click.option(
    "--csv", "as_csv", is_flag=True, help="Print the rows as CSV, and nothing else, on stdout."
)
window_options = grouped(
    option(
        replay,
        "start",
        "--from",
        metavar="TIME",
        help="Report rows from this time on, such as 2026-08-09T21:05:50 (UTC, or with a zone) or +5m after"
        " the first row; rows before it build the book.",
    ),
    option(replay, "end", "--to", metavar="TIME", help="Report only rows before this time."),
)
feed_options = grouped(
    option(record, "feed", "--feed", type=click.Choice(VENUE_NAMES), help="Feed to connect to."),
    option(record, "url", "--url", help="Address of the feed, wss://... or ws:// on this machine."),
    option(record, "channel", "--channel", help="Channel of the book.  [default: that of the feed]"),
    option(
        record,
        "duration",
        "--duration",
        metavar="DURATION",
        help="Stop after this time, such as 90s, 5m or 1h.  [default: never]",
    ),
    option(
        record,
        "stale_after",
        "--stale-after",
        metavar="DURATION",
        help="Connect again when no whole frame, no snapshot or no overdue update came for this long.",
    ),
)
settings_option = option(
    backtest,
    "settings",
    "--set",
    multiple=True,
    metavar="NAME=VALUE",
    help="Setting of the strategy; repeatable.",
)
fees_option = option(
    Execution,
    "fees",
    "--fees",
    metavar="MAKER/TAKER",
    help="Fees in bps, or a tier such as coinbase:1M (Coinbase Exchange up to a volume of 1M in 30 days).",
)
latency_option = option(
    Execution,
    "latency",
    "--latency",
    metavar="LATENCY",
    help="From a request to its effect on the book: 100ms, uniform:20ms:80ms, feed:40ms:1, or file:PATH"
    " with a duration a line. backtest takes several, 20ms,50ms,100ms, and names the best setting at the"
    " largest.",
)
execution_options = grouped(
    fees_option,
    latency_option,
    option(Execution, "report", "--report", metavar="DURATION", help="From an event to its report."),
    option(
        Execution,
        "queue",
        "--queue",
        metavar="MODEL[,MODEL...]",
        help="Queue models, back, share, front: lower bound, estimate and upper bound of what is filled.",
    ),
    option(Execution, "seed", "--seed", type=WholeNumber(0), help="Seed of random latencies and draws."),
    option(
        Execution,
        "impact",
        "--impact",
        type=click.Choice(["taken", "none"]),
        help="Whether what was taken of a level stays taken, or is offered again at once.",
    ),
    option(
        Execution,
        "on_break",
        "--on-break",
        type=click.Choice(["end", "keep"]),
        help="Whether an interruption ends resting orders, or keeps them at the back.",
    ),
    option(
        Execution,
        "tick",
        "--tick",
        metavar="PRICE",
        help="Smallest step of prices, or by product: BTC-USD=0.01,ETH-USD=0.001."
        "  [default: that of the first book]",
    ),
    option(
        Execution,
        "lot",
        "--lot",
        metavar="SIZE",
        help="Smallest step of sizes, or by product, as of --tick.  [default: 0.00000001]",
    ),
    option(Execution, "cash", "--cash", metavar="AMOUNT", help="Money at the start.  [default: no limit]"),
    option(
        Execution, "base", "--base", metavar="SIZE", help="Size held at first.  [default: none, no limit]"
    ),
)


def execution_of(options: dict[str, Any]) -> Execution:
    """Take the values of `execution_options` out of the options of a command."""
    return Execution(**{each.name: options.pop(each.name) for each in fields(Execution)})


segment_options = grouped(
    option(record, "segment_rows", "--segment-rows", type=WholeNumber(1), help="Maximum rows in a segment."),
    option(
        record,
        "segment_bytes",
        "--segment-bytes",
        metavar="SIZE",
        help="Maximum bytes of frames in a segment.",
    ),
    option(record, "segment_time", "--segment-time", metavar="DURATION", help="Maximum time in a segment."),
)


def paths(name: str, metavar: str) -> Callable[[F], F]:
    """Return an argument for one path or several."""
    return click.argument(name, nargs=-1, required=True, type=PATH, metavar=metavar)


def param_of(command: click.Command, name: str) -> click.Parameter | None:
    """Return the option or argument of a command that passes an argument of the API."""
    return next((each for each in command.params if each.name == name), None)
