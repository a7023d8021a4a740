"""`inspect`, `book`, `verify`, `diff` look at tapes; `compact`, `index`, `prepare` keep them in order."""

from functools import partial
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import (
    cluster_option,
    command,
    engine_option,
    json_option,
    option,
    processes_option,
    products_option,
    tape_argument,
)
from booktape.cli.param_types import PATH, WholeNumber
from booktape.tape import Tape


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


@command("booktape book sample: -p BTC-USD --at +1m --depth 5")
@tape_argument
@option(Tape.book, "product", "-p", "--product", metavar="PRODUCT", help="Product whose book to show.")
@option(Tape.book, "at", "--at", metavar="TIME", help="Show the book at this time (inclusive).")
@option(Tape.book, "depth", "--depth", type=WholeNumber(1), help="Levels a side.")
@engine_option
@json_option
def book(tape: Path, product: str, as_json: bool, **options: Any) -> None:
    """Print the order book of a product of TAPE at a time: price, size, cumulative size."""
    from booktape.console.results import print_ladder
    from booktape.console.terminal import print_result

    ladder = booktape.open(tape).book(product, **options)
    print_result(ladder, print_ladder, as_json=as_json)


@command("booktape verify sample:")
@tape_argument
@click.option("--strict", is_flag=True, help="Fail on faults of the feed, too.")
@click.option(
    "--strategy",
    metavar="MODULE:FACTORY",
    help="Run a strategy again that has traded while TAPE was recorded, and compare its orders.",
)
@processes_option
@cluster_option
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


@command("booktape diff run-1 run-2 --ignore exchange_time")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
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


@command("booktape index tape")
@tape_argument
@option(Tape.index, "rebuild", "--rebuild", is_flag=True, help="Write all of them again, also good ones.")
@engine_option
@json_option
def index(tape: Path, rebuild: bool, engine: Any, as_json: bool) -> None:
    """Write the sidecars of TAPE that are missing or damaged: the book at the first segment of each hour.

    With them `--from` and `book --at` read an hour at most, wherever it is. A recording writes its own.
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


@command("booktape prepare tape")
@tape_argument
@option(Tape.prepare, "rebuild", "--rebuild", is_flag=True, help="Write all of them again, also good ones.")
@json_option
def prepare(tape: Path, rebuild: bool, as_json: bool) -> None:
    """Write the rows of TAPE once more as integers: later replays, comparisons and backtests are faster.

    They are in the directory _columns/ of each product, about as large as the segments; results stay the
    same. What is missing, damaged or outdated there is read from the frames; run this again to renew it.
    It can be deleted at any time.

    Safe while the tape is being recorded: what is sealed later is not prepared.
    """
    from booktape.console.terminal import print_json
    from orderbook.display import plural, size

    done = booktape.open(tape).prepare(rebuild=rebuild)
    if as_json:
        print_json({"tape": str(tape), "products": done})
        return
    for product, each in done.items():
        sizes = f"{size(each.bytes)} beside {size(each.sealed_bytes)} of frames"
        click.echo(f"{product}: {plural(each.made, 'segment')} prepared, {each.kept:,} kept; {sizes}")
