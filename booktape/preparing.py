"""`prepare=` of what reads tapes again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from booktape import arguments
from recorder.settings import EngineName, PrepareName

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from recorder.tape.reader import Tape
    from replay.running.window import Window


def prepare_for(
    tapes: Sequence[Tape],
    products: tuple[str, ...],
    window: Window,
    prepare: PrepareName,
    engine: Engine | EngineName,
    *,
    runs: int = 1,
) -> None:
    """Prepare what a run is going to read, if that is wanted, see `replay.checking.prepare_ahead`.

    Raises:
        OptionError: if `prepare` is not one of its values.
    """
    if arguments.choice(prepare, "prepare", get_args(PrepareName)) == "auto":
        from replay.checking.prepare_ahead import prepare_ahead

        prepare_ahead(tapes, products, window, engine, runs=runs)
