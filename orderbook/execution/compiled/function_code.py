"""The compiled code of a user's function: from a store that keeps it, or compiled and given to it.

It may raise and may use all of numba, so numba loads it. numba's own cache on disk is not used: it needs a
directory beside the sources or in a home, takes whatever lies there for its own, and a file that a power
failure cut ends the process.
"""

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numba
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from orderbook.compiled.environment import key_of
from orderbook.compiled.loading import KernelStore


def compiled_function(
    function: Callable[..., Any],
    signature: Any,
    options: Mapping[str, Any],
    depends_on: str,
    store: KernelStore | None,
) -> Any:
    """Return a function ready to run; `depends_on` changes with all that it is made of."""
    dispatcher = numba.njit(**options)(function)
    if store is not None:
        name = f"{function.__name__}-{key_of(depends_on.encode())}"
        dispatcher._cache = _Kept(store, name)  # noqa: SLF001  numba has no public way
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


class _Kept(NullCache):
    """The place in the store of one function, as numba asks for it."""

    def __init__(self, store: KernelStore, name: str) -> None:
        self._store = store
        self._name = name

    def load_overload(self, _signature: Any, target: Any) -> Any:
        """Return the compiled function; None to compile it."""
        target.refresh()
        kept = self._store.read(self._name)
        if kept is not None:
            try:
                rebuild: Any = CompileResult._rebuild  # noqa: SLF001  numba has no public way
                return rebuild(target, *pickle.loads(kept))  # noqa: S301  a store returns what it was given
            except Exception:  # noqa: BLE001, S110  whatever it was, it is compiled again
                pass
        return None

    def save_overload(self, _signature: Any, result: Any) -> None:
        """Keep what was compiled."""
        pickled: Callable[..., bytes] = dumps
        self._store.write(self._name, pickled(result._reduce()))  # noqa: SLF001
