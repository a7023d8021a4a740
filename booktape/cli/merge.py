"""`booktape merge`."""

from pathlib import Path
from typing import Any

import booktape
from booktape.cli.options import command, engine_option, json_option, option, paths
from booktape.cli.param_types import PATH
from booktape.merging import merge as merge_tapes


@command("booktape merge recorder-a recorder-b -o tape")
@paths("tapes", "TAPE...")
@option(
    merge_tapes,
    "output",
    "-o",
    "--output",
    type=PATH,
    metavar="TAPE",
    help="The new tape.",
)
@engine_option
@json_option
def merge(tapes: tuple[Path, ...], output: Path, as_json: bool, **options: Any) -> None:
    """Make one tape of those of several recorders that have seen the same exchange.

    One recorder is followed until it is interrupted, then another from the same book. Where the books are not
    proven to be the same, the new tape has an interruption. The tapes themselves are not changed.
    """
    from booktape.console.results import print_merged
    from booktape.console.terminal import print_result

    merged = booktape.merge(tapes, output, **options)
    print_result(merged, print_merged, as_json=as_json)
