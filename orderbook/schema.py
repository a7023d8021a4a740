"""The columns of tape rows, summaries and anomalies: the one shape that flows through everything."""

from typing import Literal

import pyarrow as pa

Kind = Literal["frame", "connected", "disconnected"]
TIME = pa.timestamp("ns", tz="UTC")

TAPE_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("recv_time", TIME, nullable=False),
        pa.field("connection", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
    ]
)
"""A row of the tape, as received."""

SUMMARY_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("recv_time", TIME, nullable=False),
        pa.field("exchange_time", TIME),
        pa.field("bid_price", pa.float64()),
        pa.field("bid_size", pa.float64()),
        pa.field("ask_price", pa.float64()),
        pa.field("ask_size", pa.float64()),
        pa.field("spread", pa.float64()),
        pa.field("relative_spread", pa.float64()),
    ]
)
"""The best levels after one accepted frame. This is what a RUN directory holds."""

FLOW_SUMMARY_SCHEMA = SUMMARY_SCHEMA.append(pa.field("connection", pa.int32(), nullable=False))
"""A summary inside a flow: also which connection it comes from, as time above never spans two of them."""

ANOMALY_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("recv_time", TIME, nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""Something that is wrong with the feed, at the row where it was seen."""

FLOW_ANOMALY_SCHEMA = ANOMALY_SCHEMA.append(pa.field("connection", pa.int32(), nullable=False))
"""An anomaly inside a flow: also which connection it is the fault of."""

ANOMALY_KINDS = ("malformed", "early_update", "crossed", "unknown", "error", "gap")
"""All values of an anomaly's `kind`, in the order in which they are printed."""


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of no rows."""
    return pa.RecordBatch.from_pylist([], schema=schema)
