"""Which engine runs the books: the compiled one where it can be had, else the plain one."""

import sys
from contextlib import suppress
from importlib.util import find_spec

from orderbook.engine import Engine, PlainEngine
from orderbook.errors import BooktapeError
from recorder.options import EngineName


class EngineError(BooktapeError):
    """The engine that was asked for is not installed."""


def ready_engine(engine: Engine | EngineName) -> Engine:
    """Return an engine that is ready to run: nothing is compiled after this.

    The first time on a machine, and after an update, compiling takes some seconds; stderr says so.

    Args:
        engine: `auto` is `compiled` where numba is installed, else `plain`; an engine is returned as it is.

    Raises:
        EngineError: where `compiled` is asked for and numba is not installed.
    """
    if not isinstance(engine, str):
        return engine
    if engine == "plain" or (engine == "auto" and find_spec("numba") is None):
        return PlainEngine()
    try:
        from orderbook.compiled.engine import CompiledEngine  # noqa: PLC0415  numba is heavy, and may be absent
        from orderbook.compiled.loading import load  # noqa: PLC0415
    except ImportError as error:
        if engine == "auto":  # numba is there, but not for this Python or NumPy
            return PlainEngine()
        raise EngineError(
            f"the compiled engine needs numba, pip install 'booktape[fast]' ({error})"
        ) from None
    load(_tell)
    return CompiledEngine()


def name_of(engine: Engine | EngineName) -> str:
    """Return what an engine is called."""
    return engine if isinstance(engine, str) else engine.name


class _NotKeptError(Exception):
    """It would have to be compiled."""


def has_loaded(name: str) -> bool:
    """Load the compiled engine where a name means it and all of it is kept on disk; tell whether it was.

    What would have to be compiled is left alone: for a process that waits for another one, which does.
    """
    if name == "plain" or find_spec("numba") is None:
        return False

    def leave() -> None:
        raise _NotKeptError

    with suppress(ImportError, _NotKeptError):
        from orderbook.compiled.loading import load  # noqa: PLC0415  numba is heavy, and may be absent

        load(leave)
        return True
    return False


def _tell() -> None:
    sys.stderr.write("Compiling the engine that runs the books; it is kept for the next time.\n")
    sys.stderr.flush()
