"""What is at an address, which is an int64: functions that read and write it, and name its records.

The kernel is given one address, that of the record of the market, which has the addresses of all tables.
"""

from typing import Any, Final

import numpy as np
from numba import from_dtype, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from orderbook.compiled import layout as book_layout
from orderbook.execution.compiled import layout
from orderbook.execution.words import MARKET_WORDS, ORDER_WORDS, REQUEST_WORDS


def record_at(dtype: Any) -> Any:
    """Return the compiled function (address, number) that returns a record of a table, not copied."""
    of = from_dtype(dtype)

    @intrinsic
    def record(_typing: Any, _address: Any, _number: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            size = context.get_constant(types.int64, dtype.itemsize)
            place = builder.add(arguments[0], builder.mul(arguments[1], size))
            return builder.inttoptr(place, context.get_value_type(of))

        return of(types.int64, types.int64), generate

    return record


def _item_at(item: Any, of: Any = types.int64) -> Any:
    """Return the compiled function (address, number) that returns an item of a table as of a type."""

    @intrinsic
    def item_at(_typing: Any, _address: Any, _number: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], context.get_value_type(item).as_pointer())
            found = builder.load(builder.gep(place, [arguments[1]]))
            return context.cast(builder, found, item, of)

        return of(types.int64, types.int64), generate

    return item_at


def _store(_typing: Any, _address: Any, _number: Any, _value: Any) -> Any:
    """Set a word of a table: (address, number, value)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], context.get_value_type(types.int64).as_pointer())
        value = context.cast(builder, arguments[2], signature.args[2], types.int64)
        builder.store(value, builder.gep(place, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, _value), generate


def array_at(dtype: Any) -> Any:
    """Return the compiled function (address, length) that returns a table as an array, not copied."""
    of = types.Array(from_dtype(dtype), 1, "C")

    @intrinsic
    def array(_typing: Any, _address: Any, _length: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            array = make_array(of)(context, builder)  # type: ignore[no-untyped-call]
            item = context.get_constant(types.intp, dtype.itemsize)
            data = builder.inttoptr(arguments[0], array.data.type)
            populate_array(  # type: ignore[no-untyped-call]
                array, data=data, shape=[arguments[1]], strides=[item], itemsize=item, meminfo=None
            )
            return array._getvalue()  # noqa: SLF001  numba has no public way

        return of(types.int64, types.int64), generate

    return array


def _copy_record(_typing: Any, _address: Any, _number: Any, _record: Any) -> Any:
    """Copy a record into a table: (address, number, record)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = context.get_constant(types.int64, signature.args[2].size)
        place = builder.add(arguments[0], builder.mul(arguments[1], size))
        target = builder.inttoptr(place, arguments[2].type)
        cgutils.raw_memcpy(builder, target, arguments[2], size, 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, _record), generate


store: Final[Any] = intrinsic(_store)
array_of: Final = array_at(np.dtype(np.int64))
copy_record: Final[Any] = intrinsic(_copy_record)
load: Final = _item_at(types.int64)
load_int: Final = _item_at(types.int32)
load_byte: Final = _item_at(types.uint8)
load_float: Final = _item_at(types.float64, types.float64)
market_at: Final = record_at(layout.MARKET)
book_at: Final = record_at(book_layout.BOOK_REGISTERS)
lane_ref: Final = record_at(layout.LANE)
order_ref: Final = record_at(layout.ORDER)
event_ref: Final = record_at(layout.EVENT)
shown_ref: Final = record_at(MARKET_WORDS)
own_ref: Final = record_at(ORDER_WORDS)
request_ref: Final = record_at(REQUEST_WORDS)
account_ref: Final = record_at(layout.ACCOUNT)
moves_ref: Final = record_at(layout.MOVES)
markouts_ref: Final = record_at(layout.MARKOUTS)
sample_ref: Final = record_at(layout.SAMPLE)
rested_ref: Final = record_at(layout.RESTED)
