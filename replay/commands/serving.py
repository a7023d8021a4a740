"""`booktape serve`."""

from pathlib import Path
from typing import Any

import click

from replay.commands.options import TAPE, Moment, MomentType, SpeedType, window_of
from replay.serving.faults import Fault, parse_fault


class FaultType(click.ParamType[Fault]):
    """`drop@2.5`, `stall@10`, `garbage@1`."""

    name = "fault"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        """Return the fault."""
        fault = parse_fault(str(value))
        if fault is None:
            self.fail(f"{value!r} is none of drop@SECONDS, stall@SECONDS, garbage@SECONDS", param, ctx)
        return fault


@click.command()
@TAPE
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; any other is open to the network, unencrypted.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 is any free one."
)
@click.option(
    "--speed",
    type=SpeedType(),
    default="1",
    show_default=True,
    help="1 is the original timing, 10 ten times faster; max is as fast as a client takes it.",
)
@click.option("--loop", "loops", is_flag=True, help="Begin again for a client that comes after the end.")
@click.option(
    "--from",
    "start",
    type=MomentType(),
    metavar="TIME",
    help="Begin there; what its connections sent before comes at once.",
)
@click.option("--to", "end", type=MomentType(), metavar="TIME", help="End the tape before it.")
@click.option(
    "--fault",
    "faults",
    type=FaultType(),
    multiple=True,
    metavar="KIND@SECONDS",
    help="drop, stall or garbage so long after a subscribe; each once, on the first connection that"
    " lasts so long; repeatable.",
)
def serve(
    tape: Path,
    host: str,
    port: int,
    speed: float,
    loops: bool,
    start: Moment | None,
    end: Moment | None,
    faults: tuple[Fault, ...],
) -> None:
    """Serve TAPE as the exchange: a WebSocket server for any client of the tape's feed, until stopped.

    A client subscribes as it would there (level2, level2_batch, heartbeat; Advanced: level2, heartbeats)
    and gets the recorded frames byte for byte, on a clock of its own. Where the tape's connection was closed
    or broke, its socket is closed or breaks; when it comes back it goes on with the next connection, and
    after the last it gets close 1000. Without a book it gets the recorded heartbeats alone. Clients are told
    apart by the products they ask for only: who comes goes on where one of the same products was interrupted,
    and finds the connection from its start where that one left before its end.
    """
    from recorder.terminal import log_to_stderr
    from replay.serving.server import serve_tape
    from replay.serving.stage import Stage

    log_to_stderr()
    stage = Stage(tape, speed=speed, loops=loops, window=window_of(tape, start, end), faults=faults)

    def listening(url: str) -> None:
        paced = "max" if speed == float("inf") else f"{speed:g}"
        held = ", ".join(stage.products)
        click.echo(f"serving {tape} at {url} ({stage.tape.feed}: {held}; speed {paced})")

    serve_tape(stage, host, port, listening)
