"""The summaries of one batch, in the arrays that the kernel fills; Arrow takes them without a copy."""

from typing import Any

import numpy as np
import pyarrow as pa

from orderbook.depth import depth_batch
from orderbook.schema import FLOW_SUMMARY_SCHEMA, TIME
from orderbook.summaries import relative_spread


class SummaryArrays:
    """Memory for one summary a row, see `layout.Run`.

    Args:
        rows: number of rows of the batch.
        depth: number of levels of each side to collect after every summary; 0 collects none.

    Attributes:
        arrays: marks, floats and ladder.
    """

    def __init__(self, rows: int, depth: int) -> None:
        self._depth = depth
        self.arrays = (
            np.empty((2, rows), np.int64),
            np.empty((5, rows), np.float64),
            np.empty((2, rows if depth else 0, depth, 2), np.float64),
        )

    def to_batches(self, rows: pa.RecordBatch, count: int) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
        """Return the first `count` summaries as `FLOW_SUMMARY_SCHEMA`, and their ladders if requested."""
        places, times = self.arrays[0][0, :count], self.arrays[0][1:, :count]
        floats, ladder = self.arrays[1][:, :count], self.arrays[2][:, :count]
        seq, recv_time, connection = (_take(rows.column(n), places) for n in range(3))
        bid_price, bid_size, ask_price, ask_size, spread = _nullable(floats, np.isnan(floats))
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
        return summaries, depth_batch(seq, recv_time, *ladder) if self._depth else None


def _take(column: pa.Array, places: Any) -> pa.Array:
    """Return the values of a column at ascending places; the column itself if these are all."""
    return column if len(places) == len(column) else column.take(pa.array(places))


def _nullable(columns: Any, are_null: Any) -> list[pa.Array]:
    """Return each row of a table as a column, without a copy if there are no nulls."""
    if not are_null.any():
        return [pa.array(values) for values in columns]
    return [pa.array(values, mask=mask) for values, mask in zip(columns, are_null, strict=True)]
