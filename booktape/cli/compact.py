"""`booktape compact`."""

from pathlib import Path

import click

import booktape
from booktape.cli.options import command, json_option, tape_argument


@command("booktape compact tape")
@tape_argument
@json_option
def compact(tape: Path, as_json: bool) -> None:
    """Merge the small segments of each day of TAPE into one; rows and digest stay the same.

    The segments that no compaction has merged yet are checked first, as `booktape verify` does; if any is
    damaged, nothing is changed and the exit code is 1.

    Safe while the tape is being recorded, and against a crash at any moment.
    """
    from booktape.console.terminal import print_json
    from orderbook.display import plural

    done = booktape.open(tape).compact()
    if as_json:
        print_json({"tape": str(tape), "products": done})
        return
    for product, each in done.items():
        click.echo(f"{product}: {plural(each.before, 'segment')}, now {each.after:,}")
