"""How the functions of the kernel are compiled.

Without numba's run-time (`_nrt=False`), as each array view in it costs atomic reference counts, most of the
time of a hot loop; so nothing can be allocated inside, and all memory is handed in. Without fast-math,
floats round as IEEE says. `NUMBA_BOUNDSCHECK=1` checks every index, `NUMBA_DISABLE_JIT=1` runs
it all as plain Python.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: Final[dict[str, Any]] = {"_nrt": False, "nogil": True, "error_model": "numpy"}


def fingerprint(modules: Iterable[ModuleType]) -> int:
    """Return 62 bits that change with the sources of modules."""
    text = "".join(inspect.getsource(module) for module in modules)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 2


def inner(function: F) -> F:
    """Compile a function that the kernel calls."""
    return cast(F, numba.njit(**OPTIONS)(function))


def inlined(function: F) -> F:
    """Compile a small function into each of its callers: an array costs seven words at a call."""
    return cast(F, numba.njit(**OPTIONS, forceinline=True)(function))
