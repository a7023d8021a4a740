"""Summaries: the best bid and ask after each frame, as objects and as columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.digest import NULL_TIME, PACKED_DTYPE, WORDS, pack
from orderbook.schema import FLOW_SUMMARY_SCHEMA, SUMMARY_SCHEMA, TIME, to_arrays


class Top(NamedTuple):
    """The best bid and ask of a book, as the nearest floats; None if a side is empty."""

    bid_price: float | None
    bid_size: float | None
    ask_price: float | None
    ask_size: float | None
    spread: float | None


@dataclass(frozen=True, slots=True)
class OrderBookSummary:
    """One summary row as an object, to look at single rows.

    Times are nanoseconds since 1970; prices in the quote currency, sizes in the base currency;
    `relative_spread` is a fraction of the ask price. None if a side is empty or, for
    `exchange_time`, if the frame has no time.
    """

    seq: int
    recv_time: int
    exchange_time: int | None
    bid_price: float | None
    bid_size: float | None
    ask_price: float | None
    ask_size: float | None
    spread: float | None
    relative_spread: float | None

    @classmethod
    def from_batch(cls, summaries: pa.RecordBatch) -> list["OrderBookSummary"]:
        """Return the rows of a batch of summaries. O(rows)."""
        names = list(cls.__dataclass_fields__)
        columns = [
            summaries.column(name).cast(pa.int64()) if name.endswith("_time") else summaries.column(name)
            for name in names
        ]
        return [cls(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]


class SummaryColumns:
    """Collects the summaries of one batch of rows."""

    def __init__(self) -> None:
        self._rows: list[tuple[int | float | None, ...]] = []

    def add(self, seq: int, recv_time: int, exchange_time: int | None, connection: int, top: Top) -> None:
        """Append one summary."""
        self._rows.append((seq, recv_time, exchange_time, *top, connection))

    def to_batch(self) -> pa.RecordBatch:
        """Return the summaries as a batch of `FLOW_SUMMARY_SCHEMA`."""
        *arrays, connection = to_arrays(self._rows, _COLLECTED)
        relative = relative_spread(arrays[_SPREAD], arrays[_ASK_PRICE])
        return pa.RecordBatch.from_arrays([*arrays, relative, connection], schema=FLOW_SUMMARY_SCHEMA)


_COLLECTED = [each.type for each in FLOW_SUMMARY_SCHEMA if each.name != "relative_spread"]
_SPREAD = SUMMARY_SCHEMA.get_field_index("spread")
_ASK_PRICE = SUMMARY_SCHEMA.get_field_index("ask_price")


def relative_spread(spread: pa.Array, ask_price: pa.Array) -> pa.Array:
    """Return `rint(spread / ask_price * 1e12) / 1e12`, in IEEE doubles and in this order.

    Args:
        spread: float64, null if a side is empty.
        ask_price: float64, null only where spread is null.
    """
    spreads, asks = (column.to_numpy(zero_copy_only=False) for column in (spread, ask_price))
    relative = _relative(spreads, asks)
    return pa.array(relative, mask=np.isnan(spreads) if spread.null_count else None)


def _relative(spreads: npt.NDArray[np.float64], asks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    relative = spreads / asks
    relative *= 1e12
    np.rint(relative, out=relative)
    relative /= 1e12
    return relative


class PackedSummaries:
    """Summaries as their digest takes them. Columns are made when they are first asked for.

    Args:
        words: int64 (summaries, WORDS): the rows, see `orderbook.digest.pack`.
        connection: of each.

    Attributes:
        rows: the rows, packed.
        connection: as passed.
    """

    def __init__(self, words: npt.NDArray[np.int64], connection: npt.NDArray[np.int32]) -> None:
        self.rows: npt.NDArray[np.void] = words.view(PACKED_DTYPE).reshape(-1)
        self.connection = connection

    @classmethod
    def of(cls, summaries: pa.RecordBatch) -> "PackedSummaries":
        """Return a batch of `FLOW_SUMMARY_SCHEMA` packed."""
        words = pack(summaries).view(np.int64).reshape(-1, WORDS)
        return cls(words, summaries.column("connection").to_numpy())

    def relative_spread(self) -> npt.NDArray[np.float64]:
        """Return the relative spread of each; NaN if a side is empty."""
        return _relative(self.rows["spread"], self.rows["ask_price"])

    @cached_property
    def batch(self) -> pa.RecordBatch:
        """The summaries as a batch of `FLOW_SUMMARY_SCHEMA`."""
        seq, recv_time, exchange_time, *floats = (
            np.ascontiguousarray(self.rows[name]) for name in PACKED_DTYPE.names or ()
        )
        *tops, spread = map(_nullable, floats, map(np.isnan, floats))
        return pa.RecordBatch.from_arrays(
            [
                pa.array(seq),
                pa.array(recv_time).view(TIME),
                _nullable(exchange_time, exchange_time == NULL_TIME).view(TIME),
                *tops,
                spread,
                relative_spread(spread, tops[-2]),
                pa.array(self.connection),
            ],
            schema=FLOW_SUMMARY_SCHEMA,
        )


def _nullable(values: npt.NDArray[Any], are_null: npt.NDArray[np.bool_]) -> pa.Array:
    """Return values as a column, without a copy if there are no nulls."""
    return pa.array(values, mask=are_null if are_null.any() else None)
