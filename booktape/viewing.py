"""`booktape.view` and `Tape.view`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.paths import PathLike, tape_path
from orderbook.thresholds import ThresholdLike
from recorder.settings import EngineName

if TYPE_CHECKING:
    from orderbook.engine import Engine


def view(
    tape: PathLike,
    *,
    port: int = 8766,
    threshold: ThresholdLike | None = None,
    engine: Engine | EngineName = "auto",
    on_listening: Callable[[str], None] = print,
) -> None:
    """Show a tape, or a RUN and its tape, on a web page for browsers on this machine, until Ctrl-C.

    It only reads, also beside a recording, which the page can follow.

    Args:
        tape: the tape, or the RUN directory of a replay, a comparison or a backtest, whose orders and fills
            are shown.
        port: port of 127.0.0.1 to listen on; 0 for any free one.
        threshold: relative spread to mark; None for that of the RUN, or 0.1%.
        engine: what runs the books; all show the same.
        on_listening: called with the address of the page, which holds a secret of this run.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if the tape cannot be read.
        RunError: if the RUN cannot be read.
        ViewError: if the port is in use.
    """
    from replay.viewing.api import serve_view, shown

    port = arguments.whole_number(port, "port", 0, 65535)
    arguments.function_of(on_listening, "on_listening")
    marked = None if threshold is None else arguments.threshold(threshold)
    serve_view(shown(tape_path(tape)), marked, port, arguments.engine_of(engine), on_listening)
