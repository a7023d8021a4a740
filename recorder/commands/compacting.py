"""`booktape compact`."""

from pathlib import Path

import click

from recorder.options import json_option


@click.command()
@click.argument("tape", type=click.Path(path_type=Path))
@json_option
def compact(tape: Path, as_json: bool) -> None:
    """Merge the small segments of each day of TAPE into one; rows and digest stay the same.

    Safe beside a recorder, and against a crash at any moment.
    """
    from recorder import terminal
    from recorder.tape.compaction import compact as merge
    from recorder.tape.errors import TapeError

    try:
        done = merge(tape)
    except OSError as error:
        raise TapeError(f"{tape}: cannot be compacted ({error}); it is as it was") from None
    if as_json:
        products = {product: {"before": each.before, "after": each.after} for product, each in done.items()}
        terminal.print_json({"tape": str(tape), "products": products})
        return
    for product, each in done.items():
        click.echo(f"{product}: {each.before:,} segments, now {each.after:,}")
