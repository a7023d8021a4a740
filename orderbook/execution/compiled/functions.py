"""Functions of compiled strategies: compiled apart from the kernel, each once, and called by their address.

Their code is kept where that of the kernel is, under a name that changes with all that it is made of: the
function, those that it calls, and the values of other names that it uses.
"""

import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dis import get_instructions
from types import CellType, CodeType, FunctionType
from typing import Any, Final

import numba
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from orderbook.compiled import jit
from orderbook.compiled.loading import KernelStore
from orderbook.execution import words
from orderbook.execution.compiled import addresses, layout
from orderbook.execution.compiled.addresses import array_at, record_at, shown_ref
from orderbook.execution.compiled.dependencies import UnknownValueError, made_of, names_of
from orderbook.execution.compiled.function_code import compiled_function
from orderbook.execution.compiled_strategy import CompiledStrategy
from orderbook.execution.words import MOST_REQUESTS, ORDER_WORDS, REQUEST_WORDS
from orderbook.strategy import StrategyError

RAISED: Final = -(2**62)
"""What the entry of a function returns if the function raises."""

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "boundscheck": True, "error_model": "python"}
# Faster, as no array is counted; tried first.
_WITHOUT_ALLOCATION: Final[dict[str, Any]] = _OPTIONS | {"_nrt": False}
_NO_WRAPPERS: Final[dict[str, Any]] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_ENTRY: Final = types.int64(*[types.int64] * 6)
_orders_at: Final = array_at(ORDER_WORDS)
_requests_at: Final = array_at(REQUEST_WORDS)

# Of this process; code is never given back.
_addresses: Final[dict[CompiledStrategy, int]] = {}
_by_parts: Final[dict[str, int]] = {}


def address_of(strategy: CompiledStrategy, store: KernelStore | None = None) -> int:
    """Return the address of a strategy's function, compiled if it is not in the store.

    Raises:
        StrategyError: if it cannot be compiled.
    """
    if strategy not in _addresses:
        _addresses[strategy] = _address(strategy, store)
    return _addresses[strategy]


def _address(strategy: CompiledStrategy, store: KernelStore | None) -> int:
    trader = strategy("")
    try:
        parts = made_of(strategy.function)
    except UnknownValueError:
        parts, store = id(strategy.function), None  # it is never freed
    records = (trader.params.dtype, trader.state.dtype)
    ours = "".join(inspect.getsource(module) for module in (sys.modules[__name__], addresses, layout, words))
    depends_on = repr((parts, [each.descr for each in records], ours))
    if depends_on not in _by_parts:
        dispatcher = _compiled(strategy, depends_on, store, _WITHOUT_ALLOCATION)
        _by_parts[depends_on] = jit.address_of(dispatcher, _ENTRY)
    return _by_parts[depends_on]


def _compiled(
    strategy: CompiledStrategy, depends_on: str, store: KernelStore | None, options: Mapping[str, Any]
) -> Any:
    """Return the entry of a strategy, compiled."""
    entry, functions = _entry_of(strategy, depends_on, options)
    try:
        return compiled_function(entry, _ENTRY, options, depends_on, store)
    except Exception as error:
        if options is _WITHOUT_ALLOCATION:
            return _compiled(strategy, depends_on, store, _OPTIONS)
        place, reason = _place_and_reason(functions, error)
        raise StrategyError(f"strategy {strategy.__name__}, {place}: {reason}") from error


def _number_of(_typing: Any, count: Any) -> Any:
    """Return what a function has returned; refuse to compile one that does not return a whole number."""
    if not isinstance(count, types.Integer):
        raise TypingError(f"it returns {count}: return the number of requests, on every way through it")

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], count, types.int64)

    return types.int64(count), generate


_number: Final[Any] = intrinsic(_number_of)


def _entry_of(
    of: CompiledStrategy, depends_on: str, options: Mapping[str, Any]
) -> tuple[Callable[..., int], list[FunctionType]]:
    """Return the function that is called by its address, and those of the user that it calls.

    It is given addresses, and no exception leaves it.
    """
    trader = of("")
    params_at, state_at = record_at(trader.params.dtype), record_at(trader.state.dtype)
    made: dict[FunctionType, Any] = {}
    # Two functions of one name in one process would be taken for each other, as their code is linked by name.
    suffix = hashlib.sha256(depends_on.encode()).hexdigest()[:16]
    function = _jitted(of.function, suffix, options, made)  # type: ignore[arg-type]  # `compiled` decorates functions

    def strategy(market: int, orders: int, count: int, params: int, state: int, out: int) -> int:
        asked = RAISED
        try:
            asked = _number(
                function(
                    shown_ref(market, 0),
                    _orders_at(orders, count),
                    params_at(params, 0),
                    state_at(state, 0),
                    _requests_at(out, MOST_REQUESTS),
                )
            )
        except Exception:  # noqa: BLE001  numba has no other
            asked = RAISED
        return asked

    strategy.__name__ = strategy.__qualname__ = f"strategy_{suffix}"
    return strategy, list(made)


def _jitted(
    function: FunctionType, suffix: str, options: Mapping[str, Any], made: dict[FunctionType, Any]
) -> Any:
    """Return a function to compile, with those that it calls by a global or enclosing name."""
    if function in made:
        return made[function]
    names = dict(function.__globals__)
    cells = tuple(CellType(each.cell_contents) for each in function.__closure__ or ())
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells or None)
    copy.__kwdefaults__, copy.__module__ = function.__kwdefaults__, function.__module__
    copy.__qualname__ = f"{function.__qualname__}_{suffix}"
    made[function] = numba.njit(**options, **_NO_WRAPPERS)(copy)
    for name in names_of(function.__code__):
        if isinstance(value := names.get(name), FunctionType):
            names[name] = _jitted(value, suffix, options, made)
    for cell in cells:
        if isinstance(cell.cell_contents, FunctionType):
            cell.cell_contents = _jitted(cell.cell_contents, suffix, options, made)
    return made[function]


_PLACE: Final = re.compile(r'File "([^"]+)", line (\d+)')
_RECORD: Final = re.compile(r"\b[Rr]ecord\(.*?;(True|False)\)")
_RETURNS: Final = re.compile(r"it returns .*")
_NO_REASON: Final = (
    "Failed in",
    "During:",
    "File ",
    "- ",
    "<",
    "^",
    "No implementation",
    "There are",
    "def ",
)


def _place_and_reason(functions: Sequence[FunctionType], error: Exception) -> tuple[str, str]:
    """Return where and why functions cannot be compiled, each in a few words; the first is the strategy."""
    code = functions[0].__code__
    places = [(code.co_filename, code.co_firstlineno)]
    if isinstance(error, KeyError):  # which is all that numba says of a word that a record does not have
        word = error.args[0]
        places += [
            (each.__code__.co_filename, line) for each in functions for line in _lines(each.__code__, word)
        ]
        reason = f"there is no word {word!r}"
    else:
        text = _RECORD.sub("a record", str(error))
        places += [(path, int(line)) for path, line in _PLACE.findall(text) if not __file__.endswith(path)]
        lines = [line.strip() for line in text.splitlines()]
        said = _RETURNS.findall(text) or [line for line in lines if line and not line.startswith(_NO_REASON)]
        reason = said[0][:200] if said else type(error).__name__
    path, line = places[-1]
    return f"{path}, line {line}", reason


def _lines(code: CodeType, attribute: str) -> Iterator[int]:
    """Yield the lines of code that use an attribute."""
    for each in get_instructions(code):
        if each.argval == attribute and "ATTR" in each.opname and each.positions and each.positions.lineno:
            yield each.positions.lineno
