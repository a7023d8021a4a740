"""The part of a tape to report: `start <= recv_time < end`. Rows before it build the book."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from orderbook.errors import TimeError
from recorder.tape.row_batches import copy_rows


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval in nanoseconds since 1970; None for an open side."""

    start: int | None = None
    end: int | None = None

    def is_reported(self, first_time: int | None) -> bool:
        """Return whether rows of `cut` that begin at a time are in the window."""
        return self.start is None or (first_time is not None and first_time >= self.start)

    def first_time(self, batches: Iterable[pa.RecordBatch]) -> int | None:
        """Return recv_time of the first row in the window; None if there is none."""
        for batch in self.cut(batches):
            time = batch.column("recv_time").view(pa.int64())[0].as_py()
            if self.is_reported(time):
                return int(time)
        return None

    def cut(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches of tape rows up to the end of the window, split at its start."""
        for batch in batches:
            times = batch.column("recv_time").view(pa.int64()).to_numpy()
            stop = batch.num_rows if self.end is None else int(np.searchsorted(times, self.end))
            split = 0 if self.start is None else min(int(np.searchsorted(times, self.start)), stop)
            for low, high in ((0, split), (split, stop)):
                if low < high:
                    yield batch if high - low == batch.num_rows else copy_rows(batch.slice(low, high - low))
            if stop < batch.num_rows:
                return

    def cut_following(self, batches: Iterable[pa.RecordBatch | None]) -> Iterator[pa.RecordBatch | None]:
        """Cut the batches of a recording until the window ends; yield None for each None (nothing new)."""
        for batch in batches:
            if batch is None:
                yield None
                continue
            yield from self.cut((batch,))
            last_time = batch.column("recv_time").view(pa.int64())[-1].as_py()
            if self.end is not None and last_time >= self.end:
                return


WHOLE = Window()
"""All of a tape."""


class EmptyWindowError(TimeError):
    """The window does not end after its start, or no row is in it."""
