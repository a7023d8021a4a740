"""`booktape serve`."""

from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import command, option, tape_argument
from booktape.cli.param_types import WholeNumber
from booktape.tape import Tape


@command("booktape serve sample: --speed 10 --fault drop@5")
@tape_argument
@option(
    Tape.serve,
    "host",
    "--host",
    help="Address to listen on; any but this machine's own is open to the network, unencrypted.",
)
@option(
    Tape.serve, "port", "--port", type=WholeNumber(0, 65535), help="Port to listen on; 0 for any free one."
)
@option(
    Tape.serve,
    "speed",
    "--speed",
    metavar="SPEED",
    help="1 is the original timing, 10 ten times faster; max is as fast as a client reads.",
)
@option(Tape.serve, "loop", "--loop", is_flag=True, help="Start again for a client that comes after the end.")
@option(
    Tape.serve,
    "start",
    "--from",
    metavar="TIME",
    help="Start here; what the connections sent before comes at once.",
)
@option(Tape.serve, "end", "--to", metavar="TIME", help="End the tape before this time.")
@option(
    Tape.serve,
    "faults",
    "--fault",
    multiple=True,
    metavar="KIND@SECONDS",
    help="drop, stall or garbage, and the seconds after a subscribe; happens once, on the first connection"
    " that lasts that long; repeatable.",
)
def serve(tape: Path, speed: str, **options: Any) -> None:
    """Serve TAPE as the exchange: a WebSocket server for any client of the tape's feed, until stopped.

    A client subscribes as it would at the exchange (level2_batch, level2_50, level2, heartbeat, matches;
    Advanced: level2, heartbeats, market_trades) and gets the recorded frames byte for byte, on a clock of its
    own; trades only if it subscribes to them. When the tape's connection was closed or broke, the client's
    socket is closed or breaks; when it comes back it gets the next connection, and after the last one close
    code 1000. Without a book it gets only the recorded heartbeats and trades.
    Clients are distinguished only by the products they subscribe to: a new client continues where one with
    the same products was interrupted, and gets the connection from its start if that client left before its
    end.
    """
    from booktape.console.terminal import log_to_stderr
    from orderbook.display import products_title

    log_to_stderr()
    opened = booktape.open(tape)

    def announce(url: str) -> None:
        products = products_title(opened.products)
        click.echo(f"serving {tape} at {url} ({opened.feed}: {products}; speed {speed})")

    opened.serve(speed=speed, on_listening=announce, **options)
