"""`booktape inspect`."""

from pathlib import Path

import click

import booktape
from booktape.cli.options import command, json_option, tape_argument


@command("booktape inspect sample:")
@tape_argument
@click.option(
    "--trades",
    is_flag=True,
    help="Read the frames, too: count the trades, and the places at which some are missing.",
)
@json_option
def inspect(tape: Path, trades: bool, as_json: bool) -> None:
    """Show what TAPE holds: products, time span, rows, connections, segments, bytes, interruptions."""
    from booktape.console.results import print_inspection
    from booktape.console.terminal import print_result

    found = booktape.open(tape).inspect(trades=trades)
    print_result(found, print_inspection, as_json=as_json)
