"""`booktape view`: find out what a path is, and serve it until a signal."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from orderbook.engine import Engine
from orderbook.errors import BooktapeError
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.venues.rawjson import UNREADABLE
from recorder.runtime.signals import deferred_signals
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from recorder.tape.store import files as store
from recorder.tape.store.paths import noted_path
from replay.run_dir.backtests import BacktestRun, is_backtest
from replay.run_dir.reader import DOCUMENT
from replay.run_dir.writer import RunError
from replay.viewing import library
from replay.viewing.reading import ViewError
from replay.viewing.server import ViewServer, running


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown.

    Attributes:
        tapes: the tape, or the tapes of a RUN.
        run: the backtest whose orders are shown; None for none.
        threshold: relative spread to mark if no other is named, fraction of the ask price.
        products: the products of the RUN; none for all of the tape.
    """

    tapes: Sequence[Tape]
    run: BacktestRun | None
    threshold: float = DEFAULT_THRESHOLD
    products: Collection[str] = ()


class _Tape(msgspec.Struct):
    tape: str


class _Document(msgspec.Struct):
    """What every run.json of a replay or a comparison has; a comparison of several tapes names them all."""

    tape: str | None
    products: dict[str, Any] = {}
    settings: Any = None
    tapes: list[_Tape] = []


def shown(path: Path) -> Shown:
    """Return what to show of a tape, or of a RUN and its tapes.

    Raises:
        TapeError: if there is no tape.
        RunError: if the path is a RUN that cannot be read.
        ViewError: if the tape of a RUN is not where it was.
    """
    if not store.exists(path / DOCUMENT):
        return Shown([Tape.open(path)], None)
    if is_backtest(path):
        run = BacktestRun.open(path)
        return Shown([_tape_of(path, tape) for tape in run.tapes], run, products=run.products)
    found = _read(path / DOCUMENT)
    threshold = found.settings.get("threshold") if isinstance(found.settings, dict) else None
    marked = float(threshold) if isinstance(threshold, int | float) else DEFAULT_THRESHOLD
    names = [each.tape for each in found.tapes] or [found.tape or ""]
    return Shown([_tape_of(path, noted_path(name)) for name in names], None, marked, tuple(found.products))


def _read(path: Path) -> _Document:
    try:
        return msgspec.json.decode(store.read_file(path), type=_Document)
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}", path) from None
    except UNREADABLE as error:
        raise RunError(f"{path}: not written by booktape ({error})", path) from None


def _tape_of(run: Path, tape: Path) -> Tape:
    try:
        return Tape.open(tape)
    except BooktapeError as error:
        where = "" if tape.is_absolute() else ", or start booktape in the directory in which the RUN was made"
        hint = f"if it was moved, put it back or a symbolic link there{where}"
        raise ViewError(f"{run}: its tape cannot be shown: {error}; {hint}") from None


def serve_view(
    what: Shown,
    threshold: float | None,
    port: int,
    engine: Engine | EngineName,
    on_listening: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        what: what is shown.
        threshold: relative spread to mark; None for that of `what`.
        port: port of 127.0.0.1 to bind; 0 is any free one.
        engine: runs the books.
        on_listening: called with the address of the page once it can be opened.

    Raises:
        ViewError: if the port cannot be bound.
    """
    marked = what.threshold if threshold is None else threshold
    asked = library.Library(what.tapes, what.run, marked, engine, what.products)
    try:
        server = ViewServer(asked, port=port)
    except OSError as error:
        reason = f"cannot listen on 127.0.0.1:{port} ({error.strerror}): name another one, --port 0 for any"
        raise ViewError(reason) from None
    with server, deferred_signals() as stopped, running(server):
        on_listening(server.url)
        asked.warm_up()
        stopped.wait()
