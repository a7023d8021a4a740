"""The functions of compiled code that Python calls, and their compilation: whoever imports this needs numba.

An entry takes one address: that of the words of its memory, see `layout.Memory`. So it is called as a
function of C, and its machine code, once it is kept, is run without numba (`loading`).
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from importlib import import_module
from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from orderbook.compiled import jit
from orderbook.compiled.layout import RAISED, Memory

_INT64: Final = types.int64
_running: Final[list[Any]] = []  # what holds the code that runs
_OPTIONS: Final[dict[str, Any]] = jit.OPTIONS | {"no_cpython_wrapper": True}


class MachineCode(NamedTuple):
    """The machine code of an entry.

    Attributes:
        symbol: the name of the entry in it.
        code: an object file; None if it cannot be run without numba.
        address: where it is in this process.
    """

    symbol: str
    code: bytes | None
    address: int


class Entry(NamedTuple):
    """A function with integers as arguments and result.

    Attributes:
        function: to be compiled.
        arguments: number of its arguments.
        plain: the function in plain Python, which is given the memory itself; None if there is none.
    """

    function: Callable[..., int]
    arguments: int = 1
    plain: Callable[..., int] | None = None


def entry_of(function: Callable[..., Any], *memory: type[Memory]) -> Entry:
    """Return the entry that calls a function with tuples of memory."""
    memory_at = _memory_at(memory)

    def entry(words: int) -> int:
        why: Any = RAISED
        try:
            why = np.int64(function(*memory_at(words)))
        except Exception:  # noqa: BLE001  numba has no other; what leaves an entry is not seen
            why = RAISED
        return why  # type: ignore[no-any-return]  # numba's int64 is our int

    return Entry(entry, 1, function)


def _memory_at(memory: Sequence[type[Memory]]) -> Any:
    """Return the compiled function (address) that returns the tuples whose words are there."""
    of = types.Tuple([_type_of(each) for each in memory])  # type: ignore[no-untyped-call]

    @intrinsic
    def memory_at(_typing: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            start = builder.inttoptr(arguments[0], context.get_value_type(_INT64).as_pointer())
            words = (
                builder.load(builder.gep(start, [context.get_constant(_INT64, place)]))
                for place in range(sum(1 + field.dimensions for each in memory for field in each.FIELDS))
            )
            made = [
                context.make_tuple(builder, each, [_value(context, builder, field, words) for field in each])
                for each in of
            ]
            return context.make_tuple(builder, of, made)

        return of(_INT64), generate

    return memory_at


def _type_of(memory: type[Memory]) -> Any:
    """Return the type of a tuple of memory."""
    named: Any = types.NamedTuple  # numba has no types
    found = [
        types.Array(numba.from_dtype(each.dtype), each.dimensions, "C", readonly=each.is_readonly)
        if each.dimensions
        else numba.from_dtype(each.dtype)
        for each in memory.FIELDS
    ]
    names = [each.name for each in fields(memory)]
    return named(found, namedtuple(memory.__name__, names))  # noqa: PYI024  made of the fields


def _value(context: Any, builder: Any, of: Any, words: Any) -> Any:
    """Return the record or the array whose words come next."""
    address = next(words)
    if isinstance(of, types.Record):
        return builder.inttoptr(address, context.get_value_type(of))
    array = make_array(of)(context, builder)  # type: ignore[no-untyped-call]
    shape = [next(words) for _ in range(of.ndim)]
    itemsize = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(of.dtype)))
    strides = [itemsize]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.inttoptr(address, array.data.type)
    populate_array(array, data, shape, strides, itemsize, meminfo=None)  # type: ignore[no-untyped-call]
    return array._getvalue()  # noqa: SLF001  numba has no public way


def entry_named(name: str) -> Entry:
    """Return the entry of a name, `module:ENTRY`."""
    module, _, attribute = name.partition(":")
    entry: Entry = getattr(import_module(module), attribute)
    return entry


def compile_entries(names: Iterable[str]) -> list[MachineCode]:
    """Return the machine code of entries."""
    with jit.compiled_once():
        return [_compile(entry_named(name)) for name in names]


def _compile(entry: Entry) -> MachineCode:
    signature = _INT64(*[_INT64] * entry.arguments)
    dispatcher: Any = numba.njit(**_OPTIONS)(entry.function)
    dispatcher.compile(signature)
    _running.append(dispatcher)
    compiled = dispatcher.overloads[signature.args]
    return MachineCode(
        compiled.fndesc.llvm_cfunc_wrapper_name,
        jit.code_of(compiled.library),
        jit.address_of(dispatcher, signature),
    )
