"""`merge`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.paths import PathLike, output_path, tape_paths
from orderbook.errors import OptionError
from recorder.settings import EngineName

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from replay.merging.results import Merged


def merge(tapes: Iterable[PathLike], output: PathLike, *, engine: Engine | EngineName = "auto") -> Merged:
    """Make one tape of those of several recorders that have seen the same exchange.

    One recorder is followed until it is interrupted, then another from the same book, which is proven.

    Args:
        tapes: two tapes of one feed, or more; none is changed. Their order does not matter.
        output: the directory of the new tape.
        engine: what runs the books; all give the same tape.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if a tape cannot be read, they do not belong together, or the new one exists or cannot be
            written.
    """
    from replay.merging.api import merge as run

    paths = tape_paths(tapes)
    if len(paths) < 2:
        raise OptionError(f"{paths[0]} is one tape: name two or more", option="tapes", value=tapes)
    target = output_path(output, "output")
    return run(paths, target, arguments.engine_of(engine))
