"""Loading a strategy of the user's by its name."""

import importlib
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from orderbook.engine import Engine
from orderbook.errors import first_line
from orderbook.execution.compiled_strategy import CompiledStrategy
from orderbook.strategy import NamedFactory, StrategyError
from recorder.runtime.kernel_cache import KernelCache
from recorder.runtime.loading import say
from recorder.settings import EngineName


class StrategyNameError(ValueError):
    """The text does not name a strategy factory."""


def load_strategy(text: str) -> NamedFactory:
    """Return the factory that `module:factory` names; modules are searched in the current directory last.

    Raises:
        StrategyNameError: if there is no such module, or no callable of this name in it.
        StrategyError: if the module raises on import.
    """
    module_name, _, name = text.partition(":")
    if not (all(part.isidentifier() for part in module_name.split(".")) and name.isidentifier()):
        raise StrategyNameError(f"{text!r} is not of the form module:factory, such as alerts:EpisodeAlert")
    with suppress(FileNotFoundError):  # a directory that was removed has no modules
        here = str(Path.cwd())
        # Last, wherever `python -m` has put it: no file here is taken for Python's or an installed one.
        sys.path[:] = [*(path for path in sys.path if path not in ("", here)), here]
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of the user's code, which may call sys.exit()
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            raise StrategyNameError(f"no module {missing!r}, here or installed") from None
        raise StrategyError(f"strategy {text}, on import: {first_line(error)}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise StrategyNameError(f"module {module_name} has no callable {name}{_place(module)}")
    return NamedFactory(text, factory)


def _place(module: ModuleType) -> str:
    return f" (it is {module.__file__})" if getattr(module, "__file__", None) else ""


def load_function(strategy: CompiledStrategy) -> None:
    """Compile the function of a compiled strategy, or load its code from the cache; numba must be there.

    Raises:
        StrategyError: if it cannot be compiled.
    """
    from orderbook.execution.compiled.functions import address_of  # noqa: PLC0415  numba is heavy, and may be absent

    address_of(strategy, KernelCache())


def say_if_never_compiled(strategy: object, engine: Engine | EngineName) -> None:
    """Say on stderr that a compiled strategy runs as plain Python, if there is no numba."""
    if isinstance(strategy, CompiledStrategy) and engine == "auto" and find_spec("numba") is None:
        needed = "to compile it, pip install 'booktape[fast]'"
        say(f"Running strategy {strategy.__name__} in plain Python: numba is not installed; {needed}.")
