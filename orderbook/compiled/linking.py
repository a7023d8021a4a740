"""Compile the functions of a kernel once, as one module: half a minute instead of several.

numba makes machine code of each function, with all that it calls, although only the entries are ever run; so
a function five calls deep is optimised and compiled five times. Here only a function with a wrapper for
Python is compiled; what it calls, directly or not, is linked into it first. numba has no public way to do
that; if its inside is another one than expected, it compiles as it always does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from numba.core import codegen

_WRAPPER: Final = "_ZN7cpython"
"""How the name of a wrapper for Python begins."""
_NEEDED: Final = ("finalize", "_get_module_for_linking", "_finalize_dynamic_globals", "add_linking_library")


@contextmanager
def compiled_once() -> Iterator[None]:
    """Compile entries, and only these, while the context is open."""
    library: Any = codegen.JITCodeLibrary
    generator: Any = codegen.JITCPUCodegen
    if not all(hasattr(library, name) for name in _NEEDED) or not hasattr(generator, "set_env"):
        yield
        return
    finalize, set_env = library.finalize, generator.set_env

    def finalize_entries(self: Any) -> None:
        if any(function.name.startswith(_WRAPPER) for function in self._final_module.functions):
            self._linking_libraries = _all_below(self)
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


def _all_below(library: Any) -> list[Any]:
    """Return all libraries that a library calls, directly or not, each once."""
    found: dict[int, Any] = {}
    waiting = list(library._linking_libraries)  # noqa: SLF001
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting.extend(each._linking_libraries)  # noqa: SLF001
    return list(found.values())
