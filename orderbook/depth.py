"""Depth: the best N levels of each side after each frame, as columns.

A level is four flat columns, `bid_price_1, bid_size_1, ask_price_1, ask_size_1` and so on; 1 is the best
level, null means that a side has fewer levels. Every tool reads flat columns by name, and a NumPy array of
one costs nothing; lists would be a little smaller, but every tool unpacks them differently.
"""

from array import array
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.book import OrderBookState
from orderbook.schema import TIME, columns

_NAN = float("nan")


def depth_schema(depth: int) -> pa.Schema:
    """Return the columns for the best `depth` levels of each side."""
    return pa.schema(
        [
            *columns(False, seq=pa.int64(), recv_time=TIME),
            *(
                pa.field(f"{side}_{what}_{level}", pa.float64())
                for level in range(1, depth + 1)
                for side in ("bid", "ask")
                for what in ("price", "size")
            ),
        ]
    )


class DepthColumns:
    """Collects the depth after each summary of one batch of rows.

    Args:
        depth: number of levels of each side, at least 1.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._seq: list[int] = []
        self._recv_time: list[int] = []
        self._values = (array("d"), array("d"))  # bids and asks: price, size, best level first

    def add(self, seq: int, recv_time: int, book: OrderBookState) -> None:
        """Append the best levels of a book. O(depth)."""
        self._seq.append(seq)
        self._recv_time.append(recv_time)
        for values, levels in zip(self._values, book.best(self._depth), strict=True):
            values.extend(chain.from_iterable(levels))
            values.extend((_NAN, _NAN) * (self._depth - len(levels)))

    def to_batch(self) -> pa.RecordBatch:
        """Return the columns as a batch of `depth_schema`."""
        shape = (len(self._seq), self._depth, 2)
        bids, asks = (np.frombuffer(values).reshape(shape) for values in self._values)
        recv_time = pa.array(self._recv_time, pa.int64()).view(TIME)
        return depth_batch(pa.array(self._seq, pa.int64()), recv_time, bids, asks)


def depth_batch(
    seq: pa.Array, recv_time: pa.Array, bids: npt.NDArray[np.float64], asks: npt.NDArray[np.float64]
) -> pa.RecordBatch:
    """Return levels as a batch of `depth_schema`.

    Args:
        seq: of the summaries.
        recv_time: of the summaries.
        bids: shape (summaries, depth, 2): price and size, best level first, NaN for missing levels.
        asks: the same.
    """
    depth = bids.shape[1]
    values = (
        side[:, level, what].copy() for level in range(depth) for side in (bids, asks) for what in (0, 1)
    )
    return pa.RecordBatch.from_arrays(
        [seq, recv_time, *(pa.array(column, mask=np.isnan(column)) for column in values)],
        schema=depth_schema(depth),
    )
