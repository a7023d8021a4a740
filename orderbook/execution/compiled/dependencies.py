"""What the code of a function depends on: its name in the cache changes with that."""

from collections.abc import Iterator
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np
from numba.core.dispatcher import Dispatcher

_BY_NAME: Final = (ModuleType, type, BuiltinFunctionType, np.ufunc)
_BY_REPR: Final = (Enum, np.generic, int, float, str, bytes, type(None))


class UnknownValueError(Exception):
    """Raised for a value of which nobody can tell whether it is the same in another process."""


def made_of(function: Any) -> Any:
    """Return what a function depends on, as values whose repr is the same in every process.

    That is its code, that of the functions that it calls, and the values of the other names that it uses.

    Raises:
        UnknownValueError: if that cannot be told.
    """
    return _value(function, set())


def names_of(code: CodeType) -> Iterator[str]:
    """Yield the names that code may look up among the globals."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from names_of(each)


def _value(value: Any, seen: set[int]) -> Any:
    if isinstance(value, Dispatcher):
        options: Any = value.targetoptions
        return _value(value.py_func, seen), repr(sorted(options.items()))
    if isinstance(value, FunctionType):
        return _function(value, seen)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple | list):
        return type(value).__name__, [_value(each, seen) for each in value]
    if isinstance(value, _BY_NAME):
        return getattr(value, "__module__", None), value.__name__
    if not isinstance(value, _BY_REPR):
        raise UnknownValueError
    return repr(value)


def _function(function: FunctionType, seen: set[int]) -> Any:
    if id(function) in seen:
        return function.__qualname__
    seen.add(id(function))
    names = sorted({name for name in names_of(function.__code__) if name in function.__globals__})
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return (
        _code(function.__code__),
        [_value(each, seen) for each in (function.__defaults__, *cells)],
        [(name, _value(function.__globals__[name], seen)) for name in names],
    )


def _code(code: CodeType) -> Any:
    """Return what of code decides what it does, and not where it stands."""
    constants = [_code(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_argcount
