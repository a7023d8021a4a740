"""The entry points, ready to run: from a store that keeps their machine code, or compiled and given to it.

Machine code from the store is run by LLVM alone: to import numba, and let it load its own, takes most of a
second. It is an object file that calls nothing outside (`jit.code_of`).
"""

import hashlib
import pkgutil
from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, c_char_p, c_int64
from functools import cache
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

from orderbook.compiled.environment import IS_PYTHON, key_of
from orderbook.compiled.layout import RAISED
from orderbook.venues.compiled_sources import READERS

Call = Callable[..., int]
"""An entry as Python calls it: with its `Memory`."""


class Kernels(NamedTuple):
    """The functions that Python calls, see `kernel`."""

    run_rows: Call
    apply_events: Call
    summarise: Call


class KernelStore(Protocol):
    """Keeps compiled code by name. It returns exactly what it was given, as the code is then run."""

    def read(self, name: str) -> bytes | None:
        """Return the code of this name; None if there is none."""

    def write(self, name: str, code: bytes) -> None:
        """Keep code, if that is possible."""


BASE: Final = ("compiled/jit.py", "compiled/layout.py", "compiled/words.py", "compiled/entries.py")
SOURCES: Final = (
    *BASE,
    *(f"compiled/{name}.py" for name in ("scan", "numbers", "times", "frames", "blocks", "near", "levels")),
    *(f"compiled/{name}.py" for name in ("summaries", "market", "packed_format", "packed", "kernel")),
    *("execution/market_rows.py", "execution/numbers.py"),
    *READERS,
)
"""The files that the entries are made of, below this package: if one changes, all is compiled again."""

PACKING: Final = (*SOURCES, "compiled/packed_writing.py", "compiled/packing.py")
"""The files by which rows are packed, and packed rows are read."""

_ENTRIES: Final = tuple(
    f"orderbook.compiled.kernel:{name}" for name in ("RUN_ROWS", "APPLY_EVENTS", "SUMMARISE")
)
_loaded: Final[list[Kernels]] = []  # at most one: this process's
_engines: Final[list[Any]] = []  # what holds the code that runs


@cache
def packed_version() -> str:
    """Return what changes with every rule by which rows are packed, or packed rows are read."""
    return hashlib.sha256(_text_of(PACKING)).hexdigest()


def kernels() -> Kernels:
    """Return the entry points; if `load` was not called before, they are compiled and not kept."""
    return load(None, lambda: None)


def load(store: KernelStore | None, compiling: Callable[[], None]) -> Kernels:
    """Return the entry points, ready to run.

    Args:
        store: where their code is kept; None for nowhere.
        compiling: called before the first that is not in the store is compiled, which takes some seconds.

    Raises:
        ImportError: if numba is not installed.
    """
    if not _loaded:
        _loaded.append(Kernels(*calls_of(_ENTRIES, SOURCES, store, compiling)))
    return _loaded[0]


def calls_of(
    entries: Sequence[str], sources: Sequence[str], store: KernelStore | None, compiling: Callable[[], None]
) -> list[Call]:
    """Return entries that take memory, see `addresses_of`; as plain Python if numba is told to be that."""
    if IS_PYTHON:
        return [import_module("orderbook.compiled.entries").entry_named(name).plain for name in entries]
    return [_call_of(address) for address in addresses_of(entries, sources, store, compiling)]


def _call_of(address: int) -> Call:
    function = CFUNCTYPE(c_int64, c_char_p)(address)
    return lambda *memory: checked(function(b"".join([each.words for each in memory])))


def checked(why: int) -> int:
    """Return what an entry returned.

    Raises:
        SystemError: if it raised, which is an error of ours.
    """
    if why == RAISED:
        raise SystemError("the compiled code failed")
    return why


def addresses_of(
    entries: Sequence[str], sources: Sequence[str], store: KernelStore | None, compiling: Callable[[], None]
) -> list[int]:
    """Return the address of each entry, ready to run.

    Args:
        entries: their names, see `entries.entry_named`.
        sources: all files that they are made of.
        store: see `load`.
        compiling: see `load`.
    """
    key = key_of(_text_of(sources))
    names = [f"{entry.rpartition(':')[2].lower()}-{key}" for entry in entries]
    found = [None if store is None else _kept(store, name) for name in names]
    missing = [place for place, address in enumerate(found) if address is None]
    if missing:
        compiling()
        compile_entries = import_module("orderbook.compiled.entries").compile_entries
        for place, made in zip(missing, compile_entries([entries[each] for each in missing]), strict=True):
            found[place] = made.address
            if store is not None and made.code is not None:
                store.write(names[place], made.symbol.encode() + b"\n" + made.code)
    return [address for address in found if address is not None]


def _kept(store: KernelStore, name: str) -> int | None:
    """Return the address of the entry that is kept under a name; None if there is none that can be run."""
    kept = store.read(name)
    if kept is None:
        return None
    symbol, _, code = kept.partition(b"\n")
    try:
        return _run_by_llvm(symbol.decode(), code)
    except Exception:  # noqa: BLE001  whatever it was, it is compiled again
        return None


def _run_by_llvm(symbol: str, code: bytes) -> int | None:
    """Return the address of a symbol of an object file."""
    import llvmlite.binding as llvm  # noqa: PLC0415  heavy, and may be absent

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    file = llvm.ObjectFileRef.from_data(code)
    engine.add_object_file(file)
    engine.finalize_object()
    _engines.append((engine, file))
    return engine.get_function_address(symbol) or None


def _text_of(sources: Sequence[str]) -> bytes:
    return b"".join(pkgutil.get_data("orderbook", path) or b"" for path in sources)
