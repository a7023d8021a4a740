"""The summaries of one batch, in the arrays that the kernel fills."""

import numpy as np
import pyarrow as pa

from orderbook.depth import depth_batch
from orderbook.digest import WORDS
from orderbook.summaries import PackedSummaries


class SummaryArrays:
    """Memory for one summary a row, see `layout.Run`.

    Args:
        rows: number of rows of the batch.
        depth: number of levels of each side to collect after every summary; 0 collects none.

    Attributes:
        arrays: marks, floats and ladder; the first two are one memory.
    """

    def __init__(self, rows: int, depth: int) -> None:
        words = np.empty((rows, WORDS), np.int64)
        ladder = np.empty((2, rows if depth else 0, depth, 2), np.float64)
        self.arrays = words, words.view(np.float64), ladder

    def packed(self, rows: pa.RecordBatch, count: int) -> PackedSummaries:
        """Return the first `count` summaries; only once, as they get what the rows know of them."""
        words = self.arrays[0][:count]
        seq, recv_time, connection = (rows.column(number) for number in range(3))
        columns = [each.to_numpy() for each in (seq, recv_time.view(pa.int64()), connection)]
        if count < rows.num_rows:
            places = words[:, 0].copy()
            columns = [values[places] for values in columns]
        words[:, 0], words[:, 1], connections = columns
        return PackedSummaries(words, connections)

    def ladders(self, summaries: pa.RecordBatch) -> pa.RecordBatch:
        """Return the ladders of the summaries."""
        seq, recv_time = summaries.columns[:2]
        return depth_batch(seq, recv_time, *self.arrays[2][:, : summaries.num_rows])
