"""The packer: batches of tape rows in, packed batches out, which run with the same results.

Nothing of a packed batch depends on the rows before it: whether its book is known, and which trades its
connection has shown, is judged when it runs. Rows that the compiled reader does not read keep their text.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.compiled import layout
from orderbook.compiled.book import CompiledBook
from orderbook.compiled.columns import SummaryArrays
from orderbook.compiled.engine import column_of, strings_of
from orderbook.compiled.loading import PACKING, Call, KernelStore, calls_of, kernels, packed_version
from orderbook.compiled.market_arrays import MarketArrays
from orderbook.schema import PACKED, PACKED_SCHEMA, TAPE_SCHEMA
from orderbook.venues.registry import venue

_ENTRY: Final = "orderbook.compiled.packing:PACK"

_ROOM: Final = 3, 512
"""Most bytes of packed rows for each byte of their texts, and for each row."""


_loaded: Final[list[Call]] = []  # at most one: this process's


def load(store: KernelStore | None, compiling: Callable[[], None]) -> Call:
    """Return the entry point, ready to run, see `orderbook.compiled.loading.load`."""
    if not _loaded:
        _loaded.extend(calls_of([_ENTRY], PACKING, store, compiling))
    return _loaded[0]


class Packer:
    """Packs the rows of one product.

    Args:
        product: its id.
        feed: the name of the venue whose frames they are.

    Attributes:
        version: see `packed_version`.
    """

    def __init__(self, product: str, feed: str) -> None:
        self.version = packed_version()
        self._pack = load(None, lambda: None)  # if `load` was called before, what it loaded
        self._book = CompiledBook(kernels())  # for its frame
        self._book.want_times(wanted=True)
        self._product = np.frombuffer(product.encode(), np.uint8)
        self._reader = venue(feed).reader

    def pack(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of `TAPE_SCHEMA` as one of `PACKED_SCHEMA`. O(bytes)."""
        if rows.schema.types != TAPE_SCHEMA.types:
            rows = rows.cast(TAPE_SCHEMA)
        payloads, offsets = strings_of(rows.column(4))
        size = int(offsets[-1] - offsets[0])
        registers = layout.registers(layout.RUN_REGISTERS)
        registers["reader"], registers["wants_market"] = self._reader, 1
        market = MarketArrays(rows.num_rows, size)
        memory = layout.Run(
            *(registers, payloads, offsets, *strings_of(rows.column(3)), column_of(rows, 2)),
            *(layout.NO_TIMES, self._product, *SummaryArrays(0, 0).arrays),
        )
        out = np.empty(_ROOM[0] * size + _ROOM[1] * rows.num_rows, np.uint8)  # mostly not touched
        places, times = np.zeros(rows.num_rows + 1, np.int64), np.zeros(rows.num_rows, np.int64)
        packing = layout.Packing(out, places, times)
        while (why := self._pack(self._book.frame, memory, market.memory, packing)) != layout.DONE:
            if why == layout.LACKS_CHANGES:
                self._book.add_changes()
            else:
                market.grow()
        buffers = [None, pa.py_buffer(places.astype(np.int32)), pa.py_buffer(out[: places[-1]].copy())]
        payload = pa.Array.from_buffers(pa.binary(), rows.num_rows, buffers)
        kinds = np.where(times == layout.NOT_PACKED, rows.column(3).to_numpy(zero_copy_only=False), PACKED)
        return pa.RecordBatch.from_arrays(
            [*rows.columns[:3], pa.array(kinds, pa.string()), payload, pa.array(_carried(times))],
            schema=PACKED_SCHEMA,
        )


def _carried(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return times with that of the row before where there is none: the differences stay small.

    >>> _carried(np.array([-1, 5, -2, 7])).tolist(), _carried(np.array([-1])).tolist()
    ([5, 5, 5, 7], [0])
    """
    (known,) = np.nonzero(times >= 0)
    if not len(known):
        return np.zeros_like(times)
    before = np.maximum(np.searchsorted(known, np.arange(len(times)), side="right") - 1, 0)
    return times[known[before]]
