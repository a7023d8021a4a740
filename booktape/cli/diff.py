"""`booktape diff`."""

from pathlib import Path

import click

import booktape
from booktape.cli.options import command, json_option, products_option


@command("booktape diff run-1 run-2 --ignore exchange_time")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@products_option
@click.option(
    "--ignore", multiple=True, metavar="COLUMN", help="Do not compare this column; repeatable, or a,b,c."
)
@click.option(
    "--frames", is_flag=True, help="Compare the payloads of the frames of two tapes alone, in their order."
)
@json_option
def diff(
    a: Path, b: Path, products: tuple[str, ...], ignore: tuple[str, ...], frames: bool, as_json: bool
) -> None:
    """Compare A and B, two tapes or two RUN directories, row by row by seq.

    Shows where they first diverge, with both rows and the raw frame, and counts by product. Exits with 1 if
    they differ. It does not matter how a tape is cut into files, or how a replay was batched and paced. Two
    recordings of one feed differ in every recv_time and where they reconnected: compare them with --frames.
    """
    from booktape.console.diff import print_diff
    from booktape.console.terminal import print_result

    columns = [column.strip() for each in ignore for column in each.split(",")]
    found = booktape.diff(a, b, products=products, ignore=columns, frames=frames)
    print_result(found, print_diff, as_json=as_json)
    if not found.is_equal:
        raise click.exceptions.Exit(1)
