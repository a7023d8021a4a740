"""`booktape import`."""

from pathlib import Path
from typing import Any

import click

from orderbook.feeds import FEEDS
from recorder.commands.results import print_recorded
from recorder.options import EngineName, engine_option, json_option, seal_options


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("-o", "--output", "tape", type=click.Path(path_type=Path), required=True, metavar="TAPE")
@click.option(
    "--format",
    "capture_format",
    type=click.Choice(("jsonl", "cryptofeed", "tardis")),
    default="jsonl",
    show_default=True,
    help='jsonl: {"recv_ns": ..., "frame": "..."}; cryptofeed: <seconds>: <text>; tardis: <time> <text>.',
)
@click.option("--feed", type=click.Choice(FEEDS), help="Whose frames they are.  [default: recognised]")
@seal_options
@engine_option
@json_option
def import_(
    files: tuple[Path, ...],
    tape: Path,
    capture_format: Any,
    feed: Any,
    segment_rows: int,
    segment_bytes: int,
    segment_time: float,
    engine: EngineName,
    as_json: bool,
) -> None:
    """Make a tape of captures: plain, gzip or zstd files of received frames, in the order of their time.

    Every file begins a connection of its own. All lines are checked before anything is written.
    """
    from recorder.record import import_captures
    from recorder.tape.policy import SealPolicy
    from recorder.terminal import log_to_stderr

    log_to_stderr()
    recorded = import_captures(
        files,
        tape,
        capture_format,
        feed=feed,
        policy=SealPolicy(segment_rows, segment_bytes, segment_time),
        engine=engine,
    )
    print_recorded(recorded, as_json)
