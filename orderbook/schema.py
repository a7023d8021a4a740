"""The columns of tape rows, summaries and anomalies: all batches have one of these shapes."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import pyarrow as pa

Kind = Literal["frame", "connected", "disconnected"]
TIME = pa.timestamp("ns", tz="UTC")


def columns(nullable: bool, **types: pa.DataType) -> list[pa.Field]:
    """Return the fields of some columns, by name."""
    return [pa.field(name, each, nullable) for name, each in types.items()]


TAPE_SCHEMA = pa.schema(
    columns(
        False, seq=pa.int64(), recv_time=TIME, connection=pa.int32(), kind=pa.string(), payload=pa.string()
    )
)
"""A row of the tape, as received."""

PACKED: Final = "packed"
"""The kind of a row whose payload is what a reader found in its text, as packed integers."""

PACKED_SCHEMA = TAPE_SCHEMA.set(4, pa.field("payload", pa.binary(), nullable=False)).append(
    pa.field("exchange_time", pa.int64(), nullable=False)
)
"""Rows of the tape of which many are `PACKED`, for an engine that reads them (`Engine.packed`).

`exchange_time` is in nanoseconds since 1970, and of no meaning for a row that has none.
"""

SUMMARY_SCHEMA = pa.schema(
    [
        *columns(False, seq=pa.int64(), recv_time=TIME),
        *columns(True, exchange_time=TIME, bid_price=pa.float64(), bid_size=pa.float64()),
        *columns(True, ask_price=pa.float64(), ask_size=pa.float64()),
        *columns(True, spread=pa.float64(), relative_spread=pa.float64()),
    ]
)
"""The top of the book after one accepted frame."""

ANOMALY_SCHEMA = pa.schema(
    columns(False, seq=pa.int64(), recv_time=TIME, kind=pa.string(), detail=pa.string())
)
"""A fault of the feed, at the row where it was detected; `orderbook.anomalies` has the kinds."""

TRADE_SCHEMA = pa.schema(
    [
        *columns(False, seq=pa.int64(), recv_time=TIME, trade_id=pa.int64()),
        pa.field("exchange_time", TIME),
        *columns(False, maker_side=pa.string(), price=pa.float64(), size=pa.float64(), is_history=pa.bool_()),
    ]
)
"""A trade of others; `is_history`: from before the subscription. A RUN directory holds these columns."""

CONNECTION = pa.field("connection", pa.int32(), nullable=False)
"""The last column of tables of rows: what differs across a change of it is an interruption, not a move."""

FLOW_SUMMARY_SCHEMA = SUMMARY_SCHEMA.append(CONNECTION)
"""A summary with its connection, as no interval of time spans two connections."""

FLOW_ANOMALY_SCHEMA = ANOMALY_SCHEMA.append(CONNECTION)
"""An anomaly with the connection that had the fault."""

FLOW_TRADE_SCHEMA = TRADE_SCHEMA.append(CONNECTION)
"""A trade inside a flow: also the connection that carried it."""


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch without rows."""
    return pa.RecordBatch.from_pylist([], schema=schema)


def to_arrays(rows: Sequence[tuple[Any, ...]], types: Sequence[pa.DataType]) -> list[pa.Array]:
    """Return rows as arrays of these types; times are nanoseconds since the epoch. O(rows x columns)."""
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return [
        pa.array(values, pa.int64()).view(TIME) if each == TIME else pa.array(values, each)
        for values, each in zip(columns, types, strict=True)
    ]
