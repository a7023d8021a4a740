"""`booktape index`."""

from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import command, engine_option, json_option, option, tape_argument
from booktape.tape import Tape


@command("booktape index tape")
@tape_argument
@option(Tape.index, "rebuild", "--rebuild", is_flag=True, help="Write all of them again, also good ones.")
@engine_option
@json_option
def index(tape: Path, rebuild: bool, engine: Any, as_json: bool) -> None:
    """Write the sidecars of TAPE that are missing or damaged: the book before each sealed segment.

    With them `--from` and `book --at` read one segment, wherever it is. A recording writes its own.
    Safe while the tape is being recorded.
    """
    from booktape.console.terminal import print_json
    from orderbook.display import plural

    done = booktape.open(tape).index(rebuild=rebuild, engine=engine)
    if as_json:
        print_json({"tape": str(tape), "products": done})
        return
    for product, each in done.items():
        click.echo(f"{product}: {plural(each.made, 'sidecar')} made, {each.kept:,} kept")
