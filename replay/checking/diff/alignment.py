"""Two streams of rows aligned by seq, independent of how each is cut into batches."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


def aligned(a: Iterable[pa.RecordBatch], b: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield parts of both streams that span the same seqs, in order; no seq is in two parts.

    Holds about one batch of each stream in memory.

    Args:
        a: batches in seq order; a seq may occur several times.
        b: the same.
    """
    left, right = _Buffer(a), _Buffer(b)
    while left.rows or right.rows:
        # The next batch may have more rows of the last seq, so these wait for it.
        limit = min((side.last_seq for side in (left, right) if not side.has_ended), default=None)
        parts = left.take(limit), right.take(limit)
        schema = next(part.schema for part in parts if part is not None)
        empty = schema.empty_table()
        part_a, part_b = (empty if part is None else part for part in parts)
        yield part_a, part_b
        for side in (left, right):
            if not side.has_ended and side.last_seq == limit:
                side.read()


class _Buffer:
    """Rows that were read from a stream and not yet taken; empty only after the end of the stream."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = (batch for batch in batches if batch.num_rows)
        self._table: pa.Table | None = None
        self._seq: Numbers = np.empty(0, np.int64)
        self.has_ended = False
        self.read()

    @property
    def rows(self) -> int:
        return len(self._seq)

    @property
    def last_seq(self) -> int:
        return int(self._seq[-1])

    def read(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self.has_ended = True
            return
        read = pa.Table.from_batches([batch])
        self._table = pa.concat_tables([self._table, read]) if self._table is not None else read
        self._seq = self._table.column("seq").to_numpy()

    def take(self, limit: int | None) -> pa.Table | None:
        """Take the rows before a seq, all if it is None; return None if the stream has no rows."""
        if self._table is None:
            return None
        stop = self.rows if limit is None else int(np.searchsorted(self._seq, limit))
        taken, self._table, self._seq = self._table.slice(0, stop), self._table.slice(stop), self._seq[stop:]
        return taken


def pairs(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """Return the positions of the rows that both have: the n-th row of a seq pairs with the n-th.

    Args:
        a: seqs in order, each a few times at most.
        b: the same.

    >>> [positions.tolist() for positions in pairs(np.array([1, 1, 3]), np.array([1, 2, 3]))]
    [[0, 2], [0, 2]]
    """
    nth_a, nth_b = (np.arange(len(seq)) - np.searchsorted(seq, seq) for seq in (a, b))
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for nth in range(int(max(nth_a.max(initial=-1), nth_b.max(initial=-1))) + 1):
        in_a, in_b = np.flatnonzero(nth_a == nth), np.flatnonzero(nth_b == nth)
        _, at_a, at_b = np.intersect1d(a[in_a], b[in_b], assume_unique=True, return_indices=True)
        found.append((in_a[at_a], in_b[at_b]))
    pair_a, pair_b = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(pair_a)
    return pair_a[order], pair_b[order]
