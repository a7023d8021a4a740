"""`booktape verify`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import command, engine_option, json_option, tape_argument


@command("booktape verify sample:")
@tape_argument
@click.option("--strict", is_flag=True, help="Fail on faults of the feed, too.")
@click.option(
    "--strategy",
    metavar="MODULE:FACTORY",
    help="Run a strategy again that has traded while TAPE was recorded, and compare its orders.",
)
@engine_option
@json_option
def verify(tape: Path, strict: bool, as_json: bool, **options: Any) -> None:
    """Check TAPE: checksums, numbering, order of time, sequence numbers, live digest = replay digest.

    Exits with 1 if the tape is damaged or its replay differs from what was seen live. What strategies have
    traded is compared if they are named: no code is run because a tape names it.
    """
    from booktape.console.results import print_verification
    from booktape.console.terminal import print_result

    found = booktape.open(tape).verify(**options)
    print_result(found, partial(print_verification, strict=strict), as_json=as_json)
    if not found.passes(strict=strict):
        raise click.exceptions.Exit(1)
