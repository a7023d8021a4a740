"""`booktape view`."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import command, engine_option, option
from booktape.cli.param_types import PATH, WholeNumber

_NICENESS = 5  # a recording goes first, and a backtest on all cores leaves enough for a page


@command("booktape view sample:")
@click.argument("tape", type=PATH, metavar="TAPE|RUN")
@option(
    booktape.view,
    "port",
    "--port",
    type=WholeNumber(0, 65535),
    help="Port of 127.0.0.1 to listen on; 0 for any free one.",
)
@option(
    booktape.view,
    "threshold",
    "--threshold",
    metavar="THRESHOLD",
    help="Relative spread to mark.  [default: that of the RUN, or 0.1%]",
)
@click.option("--open", "opens", is_flag=True, help="Also open the page in a browser.")
@engine_option
def view(tape: Path, opens: bool, **options: Any) -> None:
    """Show TAPE, or a RUN and its tape, on a web page of this machine, until stopped.

    The page shows the depth of the book, best bid and ask, spread, trades and interruptions around a moment,
    and the book at it; of a backtest's RUN also its orders and fills. Scrub with the mouse or the arrow keys,
    or let it play. The moment is in the address, so whoever opens it sees the same.

    Only who has the printed address can open the page. It only reads, at a low priority: a recording beside
    it is not disturbed, and the page can follow it.
    """
    import webbrowser

    with suppress(OSError):
        os.nice(_NICENESS)

    def announce(url: str) -> None:
        click.echo(url)
        is_open = opens and webbrowser.open(url)
        hint = "Ctrl-C stops." if is_open else "Open this address in a browser on this machine; Ctrl-C stops."
        click.echo(hint, err=True)

    booktape.view(tape, on_listening=announce, **options)
