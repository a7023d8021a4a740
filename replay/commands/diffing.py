"""`booktape diff`."""

from pathlib import Path

import click

from recorder.options import json_option
from replay.commands.options import PRODUCTS


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@PRODUCTS
@click.option(
    "--ignore", "ignored", multiple=True, metavar="COLUMN", help="Do not compare it; repeatable, or a,b,c."
)
@json_option
def diff(a: Path, b: Path, products: tuple[str, ...], ignored: tuple[str, ...], as_json: bool) -> None:
    """Compare A and B, two tapes or two RUN directories, row by row by seq.

    Shows where they first diverge, with both rows and the raw frame, and counts by product. Exits 1
    where they differ. How a tape is cut into files, and how a replay was batched and paced, is of no
    account. Two recordings of one market differ in every recv_time and connection: --ignore those.
    """
    from recorder.terminal import print_json, stdout
    from replay.diff_tables import print_diff
    from replay.diffing import IgnoreError
    from replay.diffing import diff as compare

    columns = frozenset(column.strip() for each in ignored for column in each.split(","))
    try:
        found = compare(a, b, products, columns)
    except IgnoreError as error:
        raise click.BadParameter(str(error), param_hint="--ignore") from None
    if as_json:
        print_json(found.document())
    else:
        print_diff(stdout(), found)
    if not found.is_equal:
        raise click.exceptions.Exit(1)
