"""`booktape book`."""

from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import command, engine_option, json_option, option, tape_argument
from booktape.tape import Tape


@command("booktape book sample: -p BTC-USD --at +1m --depth 5")
@tape_argument
@option(Tape.book, "product", "-p", "--product", metavar="PRODUCT", help="Product whose book to show.")
@option(Tape.book, "at", "--at", metavar="TIME", help="Show the book at this time (inclusive).")
@option(Tape.book, "depth", "--depth", type=click.IntRange(1), help="Levels a side.")
@engine_option
@json_option
def book(tape: Path, product: str, as_json: bool, **options: Any) -> None:
    """Print the order book of a product of TAPE at a time: price, size, cumulative size."""
    from booktape.console.results import print_ladder
    from booktape.console.terminal import print_result

    ladder = booktape.open(tape).book(product, **options)
    print_result(ladder, print_ladder, as_json=as_json)
