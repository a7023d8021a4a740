"""Commands on a tape as it is: `inspect`, `verify`, `book`, `index`."""

from pathlib import Path

import click

from recorder.options import EngineName, engine_option, json_option
from replay.commands.options import TAPE, Moment, MomentType


@click.command()
@TAPE
@json_option
def inspect(tape: Path, as_json: bool) -> None:
    """Show what TAPE holds: products, time span, rows, connections, segments, bytes, interruptions."""
    from recorder.terminal import print_json, stdout
    from replay.inspection import inspect as look
    from replay.tables import print_inspection

    found = look(tape)
    if as_json:
        print_json(found.document())
    else:
        print_inspection(stdout(), found)


@click.command()
@TAPE
@click.option("--strict", is_flag=True, help="Fail also on what the feed itself did wrong.")
@engine_option
@json_option
def verify(tape: Path, strict: bool, engine: EngineName, as_json: bool) -> None:
    """Check TAPE: checksums, numbering, order of time, sequence numbers, live digest = replay digest.

    Exits 1 where the tape is damaged or its replay differs from live.
    """
    from recorder.terminal import print_json, stdout
    from replay.tables import print_verification
    from replay.verifying import verify as check

    found = check(tape, engine)
    if as_json:
        print_json(found.document())
    else:
        print_verification(stdout(), found, strict=strict)
    if not found.passes(strict=strict):
        raise click.exceptions.Exit(1)


@click.command()
@TAPE
@click.option("-p", "--product", required=True, metavar="PRODUCT", help="Whose book.")
@click.option("--at", type=MomentType(), required=True, metavar="TIME", help="Rows up to and at it count.")
@click.option("--depth", type=click.IntRange(1), default=10, show_default=True, help="Levels a side.")
@engine_option
@json_option
def book(tape: Path, product: str, at: Moment, depth: int, engine: EngineName, as_json: bool) -> None:
    """Print the book of a product of TAPE as it stood at a time: price, size, cumulative size."""
    from recorder.terminal import print_json, stdout
    from replay.ladder import book_at
    from replay.tables import print_ladder

    ladder = book_at(tape, product, at.on(tape), depth, engine)
    if as_json:
        print_json(ladder.document())
    else:
        print_ladder(stdout(), ladder)


@click.command()
@TAPE
@click.option("--rebuild", is_flag=True, help="Make all of them again, also those that look good.")
@engine_option
@json_option
def index(tape: Path, rebuild: bool, engine: EngineName, as_json: bool) -> None:
    """Make the sidecars of TAPE that are missing or damaged: the book before each sealed segment.

    With them `--from` and `book --at` read one segment, wherever it is. A recording writes its own.
    Safe beside a recorder.
    """
    from recorder.tape.errors import TapeError
    from recorder.terminal import plural, print_json
    from replay.indexing import index as make

    try:
        done = make(tape, rebuild=rebuild, engine=engine)
    except OSError as error:
        raise TapeError(f"{tape}: cannot be indexed ({error})") from None
    if as_json:
        products = {product: {"kept": each.kept, "made": each.made} for product, each in done.items()}
        print_json({"tape": str(tape), "products": products})
        return
    for product, each in done.items():
        click.echo(f"{product}: {plural(each.made, 'sidecar')} made, {each.kept:,} kept")
