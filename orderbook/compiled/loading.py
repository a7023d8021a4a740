"""The compiled entry points: loaded from a store that keeps their code, or compiled and given to it.

numba's own cache on disk is not used. It needs a directory beside the sources or in a home, takes whatever
lies there for its own, and a file that a power failure cut ends the process.
"""

import hashlib
import inspect
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple, Protocol

import numba
import numpy as np
from llvmlite import __version__ as llvmlite_version
from numba import types
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from orderbook.compiled import (
    blocks,
    frames,
    jit,
    kernel,
    layout,
    levels,
    market,
    near,
    numbers,
    packed,
    packed_writing,
    packing,
    scan,
    summaries,
    times,
    words,
)
from orderbook.compiled.jit import compiled_once
from orderbook.execution import market_rows
from orderbook.execution import numbers as execution_numbers
from orderbook.venues import compiled_readers


class Kernels(NamedTuple):
    """The functions that Python calls, see `kernel`."""

    run_rows: Callable[..., int]
    apply_events: Callable[..., bool]
    write_summary: Callable[..., bool]


class KernelStore(Protocol):
    """Keeps compiled code by name. It returns exactly what it was given, as the code is then run."""

    def read(self, name: str) -> bytes | None:
        """Return the code of this name; None if there is none."""

    def write(self, name: str, code: bytes) -> None:
        """Keep code, if that is possible."""


SOURCES: Final = (
    *(
        jit,
        layout,
        words,
        scan,
        numbers,
        times,
        frames,
        blocks,
        near,
        levels,
        summaries,
        market,
        packed,
        kernel,
    ),
    *(market_rows, execution_numbers),
    *(compiled_readers, *compiled_readers.SOURCES),
)

PACKING: Final = (*SOURCES, packed_writing, packing)
"""The modules by which rows are packed, and packed rows are read."""

_ENTRIES: Final = (
    (kernel.run_rows, types.int64(*layout.BOOK, *layout.FRAME, *layout.RUN, *layout.MARKET)),
    (kernel.apply, types.boolean(*layout.BOOK, *layout.FRAME)),
    (kernel.summarise, types.boolean(*layout.BOOK, *layout.RUN, types.int64)),
)

_loaded: Final[list[Kernels]] = []  # at most one: this process's


@cache
def packed_version() -> str:
    """Return what changes with every rule by which rows are packed, or packed rows are read."""
    return hashlib.sha256("".join(map(inspect.getsource, PACKING)).encode()).hexdigest()


def kernels() -> Kernels:
    """Return the entry points; if `load` was not called before, they are compiled and not kept."""
    return load(None, lambda: None)


def load(store: KernelStore | None, compiling: Callable[[], None]) -> Kernels:
    """Return the entry points, ready to run.

    Args:
        store: where their code is kept; None for nowhere.
        compiling: called before the first that is not in the store is compiled, which takes some seconds.
    """
    if not _loaded:
        _loaded.append(Kernels(*compiled(_ENTRIES, SOURCES, store, compiling)))
    return _loaded[0]


def compiled(
    entries: Iterable[tuple[Callable[..., Any], Any]],
    sources: Iterable[ModuleType],
    store: KernelStore | None,
    compiling: Callable[[], None],
) -> list[Any]:
    """Return functions with signatures ready to run; `sources` are all modules that they are made of."""
    code = _Code(store, compiling, "".join(inspect.getsource(module) for module in sources))
    with compiled_once():
        return [_entry(code, function, signature, jit.OPTIONS) for function, signature in entries]


def compiled_function(
    function: Callable[..., Any],
    signature: Any,
    options: Mapping[str, Any],
    depends_on: str,
    store: KernelStore | None,
) -> Any:
    """Return a function of a user's ready to run; `depends_on` changes with all that it is made of."""
    return _entry(_Code(store, lambda: None, depends_on), function, signature, options)


def _entry(code: "_Code", function: Callable[..., Any], signature: Any, options: Mapping[str, Any]) -> Any:
    dispatcher = numba.njit(**options)(function)
    if dispatcher is not function:  # NUMBA_DISABLE_JIT
        dispatcher._cache = _EntryCode(code, function.__name__)  # noqa: SLF001  numba has no public way
        dispatcher.compile(signature)
        dispatcher.disable_compile()
    return dispatcher


class _Code:
    """What the entries share: the store, and what their code depends on."""

    def __init__(self, store: KernelStore | None, compiling: Callable[[], None], sources: str) -> None:
        self.store = store
        self._compiling = compiling
        self._is_announced = False
        config: Any = numba.config  # what of it changes the code; the processor is part of the name below
        settings = (config.BOUNDSCHECK, config.OPT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE)
        versions = (sys.version, numba.__version__, llvmlite_version, np.__version__)
        self._depends_on = repr((sources, settings, versions))

    def announce(self) -> None:
        """Say that something is compiled, once."""
        if not self._is_announced:
            self._is_announced = True
            self._compiling()

    def name(self, entry: str, processor: tuple[str, ...]) -> str:
        """Return a name that changes with everything that the code of an entry depends on."""
        key = hashlib.sha256(repr((self._depends_on, processor)).encode()).hexdigest()
        return f"{entry}-{key[:32]}"


class _EntryCode(NullCache):
    """The place in the store of one entry, as numba asks for it."""

    def __init__(self, code: _Code, entry: str) -> None:
        self._code = code
        self._entry = entry

    def load_overload(self, _signature: Any, target: Any) -> Any:
        """Return the compiled entry; None to compile it."""
        target.refresh()
        kept = None
        if self._code.store is not None:
            kept = self._code.store.read(self._name(target.codegen()))
        if kept is not None:
            try:
                rebuild: Any = CompileResult._rebuild  # noqa: SLF001  numba has no public way
                return rebuild(target, *pickle.loads(kept))  # noqa: S301  a store returns what it was given
            except Exception:  # noqa: BLE001, S110  whatever it was, it is compiled again
                pass
        self._code.announce()
        return None

    def save_overload(self, _signature: Any, result: Any) -> None:
        """Keep what was compiled."""
        if self._code.store is not None:
            pickled: Callable[..., bytes] = dumps
            self._code.store.write(self._name(result.codegen), pickled(result._reduce()))  # noqa: SLF001

    def _name(self, codegen: Any) -> str:
        return self._code.name(self._entry, codegen.magic_tuple())
