"""`booktape ship`."""

from pathlib import Path

import click

import booktape
from booktape.cli.options import command, json_option, tape_argument
from booktape.cli.param_types import PATH


@command("booktape ship tape s3://bucket/tape")
@tape_argument
@click.argument("url", type=PATH, metavar="URL")
@click.option("--follow", is_flag=True, help="Go on shipping what is sealed, until stopped.")
@click.option(
    "--keep",
    metavar="DURATION",
    help="Remove segments here that are older, such as 2d, once the store has them.  [default: keep all]",
)
@json_option
def ship(tape: Path, url: Path, follow: bool, keep: str | None, as_json: bool) -> None:
    """Copy the sealed segments of TAPE to URL in an object store, s3://, gs:// or az://.

    It goes on where an earlier run ended, also one that was killed, and ships what is not there yet. Nothing
    in the store is overwritten: if there is something else, it stops. TAPE may be being recorded; to ship
    from the recorder itself, use `booktape record --ship URL`. TAPE stays as it is without --keep.
    """
    from booktape.console.terminal import log_to_stderr, print_json
    from orderbook.display import plural, size
    from recorder.runtime.signals import stops_once

    log_to_stderr()
    with stops_once():
        done = booktape.open(tape).ship(url, follow=follow, keep=keep)
        if as_json:
            print_json({"tape": str(tape), "url": str(url), "products": done})
            return
        for product, each in done.items():
            shipped = f"{plural(each.segments, 'segment')} ({size(each.bytes)}) shipped"
            removed = f", {plural(each.removed, 'segment')} removed here" if each.removed else ""
            click.echo(f"{product}: {shipped}, {plural(each.rows, 'row')} at {url}{removed}")
