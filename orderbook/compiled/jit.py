"""How the functions of the kernel are compiled.

They are compiled without numba's run-time (`_nrt=False`), because with it each array view costs atomic
reference counts, most of the time of a hot loop. So nothing can be allocated inside, and all memory is
passed in. Without fast-math floats round as IEEE requires. `NUMBA_BOUNDSCHECK=1` checks every index,
`NUMBA_DISABLE_JIT=1` runs all of it as plain Python.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar, cast

import numba
from llvmlite import ir
from llvmlite.binding import Linkage
from numba import types
from numba.core import cgutils, codegen
from numba.experimental.function_type import _get_wrapper_address
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: Final[dict[str, Any]] = {"_nrt": False, "nogil": True, "error_model": "numpy"}

_INNER: Final[dict[str, Any]] = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of functions that Python never calls; a wrapper would have to return what Python cannot take."""

_WRAPPER: Final = "cfunc."
"""How the name of an entry of C begins."""
_NEEDED: Final = (
    *("finalize", "_get_module_for_linking", "_optimize_final_module"),
    *("_finalize_dynamic_globals", "add_linking_library"),
)


_parts: Final[list[Any]] = []
"""The functions that are only ever parts of an entry."""


def _part(function: F, **options: Any) -> F:
    made = numba.njit(**_INNER, **options)(function)
    _parts.append(made)
    return cast(F, made)


def inner(function: F) -> F:
    """Compile a function that the kernel calls."""
    # An explicit False: numba would otherwise take it from the caller that happens to be compiled.
    return _part(function, forceinline=False)


def inlined(function: F) -> F:
    """Compile a function into each of its callers: an array costs seven words at a call."""
    return _part(function, forceinline=True)


def record_of(function: F) -> F:
    """Put a function that returns a record into each of its callers as it is: no call can return one."""
    return _part(function, inline="always")


def _call(_typing: Any, _function: Any, arguments: Any) -> Any:
    """Call the compiled code at an address: (address, arguments); all are int64."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        word = context.get_value_type(types.int64)
        of = ir.FunctionType(word, [word] * len(arguments))
        given = zip(cgutils.unpack_tuple(builder, values[1]), arguments, strict=True)  # type: ignore[no-untyped-call]
        words = [context.cast(builder, value, its, types.int64) for value, its in given]
        return builder.call(builder.inttoptr(values[0], of.as_pointer()), words)

    return types.int64(types.int64, arguments), generate


call: Final[Any] = intrinsic(_call)


def address_of(entry: Any, signature: Any) -> int:
    """Return the address of an entry that is compiled, for `call`; no exception leaves it."""
    address: Callable[..., int] = _get_wrapper_address  # numba has no public way
    return int(address(entry, signature))


def code_of(library: Any) -> bytes | None:
    """Return the object file of a compiled library; None if it calls anything outside, such as Python."""
    declared = (each.name for each in library._final_module.functions if each.is_declaration)  # noqa: SLF001  numba has no public way
    if not all(name.startswith("llvm.") for name in declared):
        return None
    code: bytes = library._get_compiled_object()  # noqa: SLF001
    return code


@contextmanager
def compiled_once() -> Iterator[None]:
    """Compile entries, and only these, while the context is open: half a minute instead of several.

    numba makes machine code of each function, with all that it calls, although only the entries are ever run;
    so a function five calls deep is optimised and compiled five times. Here only a function that C can call
    is compiled; what it calls, directly or not, is linked into it first. numba has no public way to do that;
    if its inside is another one than expected, it compiles as it always does.
    """
    library: Any = codegen.JITCodeLibrary
    generator: Any = codegen.JITCPUCodegen
    if not all(hasattr(library, name) for name in _NEEDED) or not hasattr(generator, "set_env"):
        yield
        return
    finalize, set_env = library.finalize, generator.set_env

    def finalize_entries(self: Any) -> None:
        if any(function.name.startswith(_WRAPPER) for function in self._final_module.functions):
            self._linking_libraries = _all_below(self)
            self._optimize_final_module = partial(_optimise, self, self._optimize_final_module)
            finalize(self)
        else:
            self._finalize_dynamic_globals()
            self._final_module._CPUCodeLibrary__library = self  # noqa: SLF001  # as numba does
            self._finalized = True

    def set_env_of_entries(self: Any, name: str, env: Any) -> None:
        if self._engine.get_global_value_address(name):
            set_env(self, name, env)

    library.finalize, generator.set_env = finalize_entries, set_env_of_entries
    try:
        yield
    finally:
        library.finalize, generator.set_env = finalize, set_env
        _forget_parts()


def _forget_parts() -> None:
    """Have numba compile a part anew for whoever else calls it: it has no machine code of its own."""
    for part in _parts:
        if getattr(part, "overloads", None):  # not under NUMBA_DISABLE_JIT
            part._make_finalizer()()  # noqa: SLF001  as `recompile` does
            part._reset_overloads()  # noqa: SLF001


def _optimise(library: Any, optimise: Callable[[], None]) -> None:
    """Optimise the module of an entry: all that is linked into it is used there alone."""
    for function in library._final_module.functions:  # noqa: SLF001
        if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
            function.linkage = "internal"
    optimise()


def _all_below(library: Any) -> list[Any]:
    """Return all libraries that a library calls, directly or not, each once and behind all that call it.

    LLVM links only those functions of a module that the modules before it call.
    """
    found: dict[int, Any] = {}

    def add(each: Any) -> None:
        for below in each._linking_libraries:  # noqa: SLF001
            if id(below) not in found:
                add(below)
        found[id(each)] = each

    add(library)
    return [*reversed(found.values())][1:]
