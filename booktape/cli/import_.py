"""`booktape import`."""

from pathlib import Path
from typing import Any, get_args

import click

import booktape
from booktape.cli.options import command, engine_option, json_option, option, paths, segment_options
from booktape.cli.param_types import PATH
from booktape.importing import import_ as import_captures
from orderbook.venues.registry import VENUE_NAMES
from recorder.settings import CaptureFormat


@command("booktape import day-1.jsonl.gz day-2.jsonl.gz -o tape", name="import")
@paths("files", "FILE...")
@option(
    import_captures,
    "tape",
    "-o",
    "--output",
    type=PATH,
    metavar="TAPE",
    help="The tape.",
)
@option(
    import_captures,
    "format",
    "--format",
    type=click.Choice(get_args(CaptureFormat)),
    help='jsonl: {"recv_ns": ..., "frame": "..."}; cryptofeed: <seconds>: <text>; tardis: <time> <text>;'
    " json: objects with a time and a frame, on lines, in an array or pretty-printed;"
    " tardis-csv: incremental_book_L2 and trades.",
)
@option(
    import_captures,
    "time_field",
    "--time-field",
    metavar="NAME",
    help="Of JSON objects: the field of the time, ISO or in s, ms, us or ns, which is recognised.",
)
@option(
    import_captures,
    "frame_field",
    "--frame-field",
    metavar="NAME",
    help="Of JSON objects: the field of the frame, a text or an object.",
)
@option(
    import_captures,
    "feed",
    "--feed",
    type=click.Choice(VENUE_NAMES),
    help="Feed that sent the frames.  [default: recognised]",
)
@click.option(
    "--as-given", is_flag=True, help="Keep the order of the files; else they are sorted by their first time."
)
@click.option(
    "--clamp",
    is_flag=True,
    help="Take times that go back by over 5 s: such rows get the time of the row before.",
)
@click.option(
    "--torn-end", is_flag=True, help="Leave out the incomplete end of a capture whose recorder died."
)
@segment_options
@engine_option
@json_option
def import_(files: tuple[Path, ...], tape: Path, as_json: bool, **options: Any) -> None:
    """Import captures into a tape: plain, gzip or zstd files of received frames.

    FILE may be a pattern, or - for what is piped in. Every file starts a connection, but for those that go on
    with a series of cryptofeed or of raw minutes of Tardis. The CSV of Tardis has no frames: they are made of
    its book and its trades. All lines are checked before anything is written; captures that overlap, or that
    the tape has already, are refused.
    """
    from booktape.console.results import print_recorded
    from booktape.console.terminal import log_to_stderr, print_result

    log_to_stderr()
    recorded = booktape.import_(files, tape, **options)
    print_result(recorded, print_recorded, as_json=as_json)
