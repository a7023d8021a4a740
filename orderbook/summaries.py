"""Summaries: the best bid and ask after each frame, as objects and as columns."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from orderbook.schema import FLOW_SUMMARY_SCHEMA, SUMMARY_SCHEMA, to_arrays


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
    spreads = spread.to_numpy(zero_copy_only=False)
    relative = spreads / ask_price.to_numpy(zero_copy_only=False)
    relative *= 1e12
    np.rint(relative, out=relative)
    relative /= 1e12
    return pa.array(relative, mask=np.isnan(spreads) if spread.null_count else None)
