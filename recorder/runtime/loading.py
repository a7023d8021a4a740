"""Loading an engine by its name."""

import importlib
import os
import re
import sys
import warnings
from contextlib import suppress
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orderbook.engine import Engine, PlainEngine
from orderbook.errors import BooktapeError, OptionError
from recorder.runtime.kernel_cache import KernelCache
from recorder.settings import EngineName

if TYPE_CHECKING:
    from orderbook.compiled.packer import Packer

_FEW_ROWS: Final = 60_000
"""Rows that the plain engine runs while the compiled one is loaded from its cache: 1.3 s at 48,000 rows/s."""
_MANY_ROWS: Final = 1_000_000
"""Rows that take the plain engine 20 s, half as long as compiling takes, which is kept for the next time."""
_loaded: Final[set[bool]] = set()
"""What of the compiled engine this process has: False if it has the engine, True if the exchange as well."""


class EngineError(BooktapeError):
    """The requested engine is not installed, or does not work here."""


def load_engine(
    engine: Engine | EngineName, *, executes: bool = False, cache: KernelCache | None = None
) -> Engine:
    """Return an engine that is ready to run: nothing is compiled after this.

    The first time on a machine, and after an update, compiling takes some seconds; stderr says so.

    Args:
        engine: `auto` is `compiled` if numba is installed, compiles and works, else `plain`, which never
            fails for what numba does; an engine is returned unchanged.
        executes: whether it shall also run the compiled exchange.
        cache: where its code is kept; None for the places of this machine.

    Raises:
        EngineError: if `compiled` is requested and numba is not installed, or does not work.
        OptionError: if an environment variable of numba has a value that numba cannot read.
    """
    if not isinstance(engine, str):
        return engine
    if engine == "plain" or (engine == "auto" and not _compiles()):
        return PlainEngine()
    cache = cache or KernelCache()
    announce = lru_cache(partial(_announce_compilation, cache))  # once for engine and exchange
    try:
        from orderbook.compiled.engine import CompiledEngine  # noqa: PLC0415  numba may be absent
        from orderbook.compiled.loading import load  # noqa: PLC0415

        load(cache, announce)
        if executes:
            _import_numba()  # the exchange needs it
            from orderbook.execution.compiled.loading import load as load_exchange  # noqa: PLC0415

            load_exchange(cache, announce)
        _loaded.update({False, executes})
        return CompiledEngine()
    except OptionError:
        raise
    except Exception as error:  # whatever it is, the plain engine has the same results
        if engine != "auto":
            raise EngineError(_why_not_compiled(error)) from error
        say(f"Continuing with the plain engine: {_why_not_compiled(error)}")
        return PlainEngine()


def load_packer() -> "type[Packer]":
    """Return the packer, ready to run; its code is kept as that of the engine.

    Raises:
        EngineError, OptionError: as of `load_engine`.
    """
    load_engine("compiled")
    from orderbook.compiled.packer import Packer, load  # noqa: PLC0415  numba is heavy, and may be absent

    cache = KernelCache()
    try:
        load(cache, partial(_announce_compilation, cache))
    except Exception as error:
        raise EngineError(_why_not_compiled(error)) from error
    return Packer


def compile_engine() -> Path:
    """Compile the engine and the exchange, unless their code is kept, and return the directory that keeps it.

    That is the first one where the next start looks. In a process that has loaded the engine nothing is done.

    Raises:
        EngineError: if numba is not installed or does not work, or no directory can keep the code, or not the
            one that NUMBA_CACHE_DIR names.
        OptionError: as of `load_engine`.
    """
    kept = KernelCache().directory()
    if kept is None:
        raise EngineError("no directory can keep the compiled code: set NUMBA_CACHE_DIR to one that is yours")
    wanted = os.environ.get("NUMBA_CACHE_DIR")
    if wanted and kept.parent != Path(wanted):
        reason = "it must be the absolute path of a directory that is there and that nobody else can write"
        raise EngineError(f"NUMBA_CACHE_DIR={wanted} cannot keep the compiled code: {reason}")
    load_engine("compiled", executes=True, cache=KernelCache(kept))
    return kept


def _compiles() -> bool:
    """Return whether numba is installed and compiles: told not to, it is far slower than the plain engine."""
    return find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def engine_for(
    rows: int, engine: Engine | EngineName, *, executes: bool = False, grows: bool = False
) -> Engine | EngineName:
    """Return the engine for so many rows: for `auto` the plain one if the compiled one cannot pay off.

    That is if the plain engine runs the rows before the compiled one is loaded, or if it would have to be
    compiled first and the rows are not a million. Of rows that are still being recorded, few are no reason,
    and none are if this process has loaded it already.
    """
    if engine == "auto" and (
        (rows < _FEW_ROWS and not grows and executes not in _loaded)
        or (rows < _MANY_ROWS and not preload_engine(engine, executes=executes))
    ):
        return "plain"
    return engine


def engine_name(engine: Engine | EngineName) -> str:
    """Return the name of an engine."""
    return engine if isinstance(engine, str) else engine.name


class _NotCachedError(Exception):
    """Raised if the compiled code is not in the cache."""


def preload_engine(name: str, *, executes: bool = False) -> bool:
    """Load the compiled engine if a name means it and its code is in the cache; return whether it is loaded.

    Compiles nothing: for a process that waits for another one to compile.

    Raises:
        OptionError: if an environment variable of numba has a value that numba cannot read.
    """
    if name == "plain" or find_spec("numba") is None or (name == "auto" and not _compiles()):
        return False

    def refuse() -> None:
        raise _NotCachedError

    try:
        from orderbook.compiled.loading import load  # noqa: PLC0415  numba is heavy, and may be absent

        load(KernelCache(), refuse)
        if executes:
            _import_numba()  # the exchange needs it
            from orderbook.execution.compiled.loading import load as load_exchange  # noqa: PLC0415

            load_exchange(KernelCache(), refuse)
        _loaded.update({False, executes})
    except OptionError:
        raise
    except Exception:  # noqa: BLE001  whatever it is, `load_engine` reports it
        return False
    return True


def _import_numba() -> None:
    """Import numba, which would print a page about a variable that it cannot read, and go on without it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Environment variable 'NUMBA_", RuntimeWarning)
        try:
            importlib.import_module("numba")
        except RuntimeWarning as warning:
            name, value = re.findall(r"'(.*?)'", str(warning))[:2]
            why = str(warning).strip().splitlines()[-1].partition(": ")[2]
            reason = f"numba cannot read the environment variable {name}={value}: unset or correct it ({why})"
            raise OptionError(reason) from None


def _announce_compilation(cache: KernelCache) -> None:
    _import_numba()
    kept = (
        "it is kept for the next time"
        if cache.directory()
        else "no directory can keep it (set XDG_CACHE_HOME)"
    )
    say(f"Compiling the fast engine, for about a minute; {kept}.")


def _why_not_compiled(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"the compiled engine needs numba, pip install 'booktape[fast]' ({error})"
    first_line = (str(error).splitlines() or [""])[0]
    return f"the compiled engine cannot be compiled ({type(error).__name__}: {first_line})"


def say(line: str) -> None:
    """Print a line on stderr."""
    with suppress(OSError, ValueError):  # stderr may be closed
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
