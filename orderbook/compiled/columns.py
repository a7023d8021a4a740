"""The summaries of one batch of rows, in the arrays that the kernel fills; Arrow takes them as they are."""

from typing import Any

import numpy as np
import pyarrow as pa

from orderbook.depth import depth_batch
from orderbook.schema import FLOW_SUMMARY_SCHEMA, TIME
from orderbook.summary import relative_spread


class SummaryArrays:
    """Room for a summary a row.

    Args:
        rows: how many rows the batch has.
        depth: levels a side to collect after every summary; 0 collects none.
    """

    def __init__(self, rows: int, depth: int) -> None:
        self._depth = depth
        self.marks = np.empty((2, rows), np.int64)
        self.floats = np.empty((5, rows), np.float64)
        self.ladder = np.empty((2, rows if depth else 0, depth, 2), np.float64)

    def to_batches(self, rows: pa.RecordBatch, count: int) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
        """Return the first `count` summaries as `FLOW_SUMMARY_SCHEMA`, and their ladders where asked for."""
        seq, recv_time, connection = (_taken(rows.column(n), self.marks[0, :count]) for n in range(3))
        floats = self.floats[:, :count]
        bid_price, bid_size, ask_price, ask_size, spread = _nullable(floats, np.isnan(floats))
        times = self.marks[1:, :count]
        (exchange_time,) = _nullable(times, times < 0)
        summaries = pa.RecordBatch.from_arrays(
            [
                seq,
                recv_time,
                exchange_time.view(TIME),
                bid_price,
                bid_size,
                ask_price,
                ask_size,
                spread,
                relative_spread(spread, ask_price),
                connection,
            ],
            schema=FLOW_SUMMARY_SCHEMA,
        )
        if not self._depth:
            return summaries, None
        bids, asks = self.ladder[:, :count]
        return summaries, depth_batch(seq, recv_time, bids, asks)


def _taken(column: pa.Array, places: Any) -> pa.Array:
    """Return the values of a column at places, all of them as they are."""
    if len(places) == len(column):
        return column
    return column.take(pa.array(places))


def _nullable(columns: Any, is_null: Any) -> list[pa.Array]:
    """Return each row of a table as a column; nothing is copied. One look for nulls serves them all."""
    if not is_null.any():
        return [pa.array(values) for values in columns]
    return [pa.array(values, mask=mask) for values, mask in zip(columns, is_null, strict=True)]
