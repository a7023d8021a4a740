"""The best bid and ask after a frame, and the columns of many such summaries."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from orderbook.schema import FLOW_SUMMARY_SCHEMA, TIME


class Top(NamedTuple):
    """The best levels of a book; None where a side is empty. Floats are the nearest to the exact values."""

    bid_price: float | None
    bid_size: float | None
    ask_price: float | None
    ask_size: float | None
    spread: float | None


@dataclass(frozen=True, slots=True)
class OrderBookSummary:
    """One summary row as an object, for those who look at single rows.

    Times are nanoseconds since 1970; prices in the quote currency, sizes in the base currency;
    `relative_spread` is a fraction of the ask price. None where a side is empty (or, for
    `exchange_time`, where the frame gives none).
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
    """Collects the summaries of one batch of rows, column by column."""

    def __init__(self) -> None:
        self._seq: list[int] = []
        self._recv_time: list[int] = []
        self._exchange_time: list[int | None] = []
        self._connection: list[int] = []
        self._tops: list[Top] = []

    def add(self, seq: int, recv_time: int, exchange_time: int | None, connection: int, top: Top) -> None:
        """Append one summary."""
        self._seq.append(seq)
        self._recv_time.append(recv_time)
        self._exchange_time.append(exchange_time)
        self._connection.append(connection)
        self._tops.append(top)

    def to_batch(self) -> pa.RecordBatch:
        """Return the columns as a batch of `FLOW_SUMMARY_SCHEMA`."""
        columns = [list(column) for column in zip(*self._tops, strict=True)] or [[] for _ in Top._fields]
        bid_price, bid_size, ask_price, ask_size, spread = (
            pa.array(column, pa.float64()) for column in columns
        )
        return pa.RecordBatch.from_arrays(
            [
                pa.array(self._seq, pa.int64()),
                pa.array(self._recv_time, pa.int64()).view(TIME),
                pa.array(self._exchange_time, pa.int64()).view(TIME),
                bid_price,
                bid_size,
                ask_price,
                ask_size,
                spread,
                relative_spread(spread, ask_price),
                pa.array(self._connection, pa.int32()),
            ],
            schema=FLOW_SUMMARY_SCHEMA,
        )


def relative_spread(spread: pa.Array, ask_price: pa.Array) -> pa.Array:
    """Return `rint(spread / ask_price * 1e12) / 1e12`, in IEEE doubles and in this order; null as spread is.

    Args:
        spread: float64, null where a side is empty.
        ask_price: float64, not null where spread is not.
    """
    spreads = spread.to_numpy(zero_copy_only=False)
    relative = spreads / ask_price.to_numpy(zero_copy_only=False)
    relative *= 1e12
    np.rint(relative, out=relative)
    relative /= 1e12
    return pa.array(relative, mask=np.isnan(spreads) if spread.null_count else None)
