"""How the functions of the kernel are compiled.

They are compiled without numba's run-time (`_nrt=False`), because with it each array view costs atomic
reference counts, most of the time of a hot loop. So nothing can be allocated inside, and all memory is
passed in. Without fast-math floats round as IEEE requires. `NUMBA_BOUNDSCHECK=1` checks every index,
`NUMBA_DISABLE_JIT=1` runs all of it as plain Python.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: Final[dict[str, Any]] = {"_nrt": False, "nogil": True, "error_model": "numpy"}

_INNER: Final[dict[str, Any]] = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of functions that Python never calls; a wrapper would have to return what Python cannot take."""


def inner(function: F) -> F:
    """Compile a function that the kernel calls."""
    # An explicit False: numba would otherwise take it from the caller that happens to be compiled.
    return cast(F, numba.njit(**_INNER, forceinline=False)(function))


def inlined(function: F) -> F:
    """Compile a function into each of its callers: an array costs seven words at a call."""
    return cast(F, numba.njit(**_INNER, forceinline=True)(function))


def record_of(function: F) -> F:
    """Put a function that returns a record into each of its callers as it is: no call can return one."""
    return cast(F, numba.njit(**_INNER, inline="always")(function))
