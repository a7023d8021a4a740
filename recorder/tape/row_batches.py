"""Batches of tape rows: numbering what was received; checking, splitting and copying batches."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.tape.errors import DamagedTapeError

BATCH_ROWS: Final = 16384
"""Default number of rows in a batch."""

BATCH_BYTES: Final = 16 * 2**20
"""Bytes in a batch of several rows, about, however many rows it may have."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a product's tape continues: seq and connection of its next row, recv_time of its last row."""

    seq: int = 0
    connection: int = 0
    recv_time: int = 0


RowTuple = tuple[int, int, str, str]
"""A row before it is numbered: recv_time in nanoseconds since 1970, connection, kind and payload."""


class RowNumbering:
    """Numbers the rows of one product without gaps; `next_seq` is the seq of the next row."""

    __slots__ = ("next_seq",)

    def __init__(self, next_seq: int) -> None:
        self.next_seq = next_seq

    def batch(self, rows: Sequence[RowTuple]) -> pa.RecordBatch:
        """Return the next rows as a batch."""
        first, self.next_seq = self.next_seq, self.next_seq + len(rows)
        return numbered_batch(first, rows)


def numbered_batch(first_seq: int, rows: Sequence[RowTuple]) -> pa.RecordBatch:
    """Return rows as a batch of `TAPE_SCHEMA`, numbered from a seq on."""
    recv_time, connection, kind, payload = zip(*rows, strict=True)
    seq = range(first_seq, first_seq + len(rows))
    return to_batch(seq, recv_time, connection, kind, pa.array(payload, pa.string()))


def tuples_of(rows: pa.RecordBatch) -> list[RowTuple]:
    """Return the rows of a batch without their seqs."""
    _, recv_time, connection, kind, payload = rows.columns
    columns = (recv_time.view(pa.int64()), connection, kind, payload)
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def to_batch(
    seq: Sequence[int],
    recv_time: Sequence[int],
    connection: Sequence[int],
    kind: Sequence[str],
    payload: pa.Array,
) -> pa.RecordBatch:
    """Return a batch of `TAPE_SCHEMA`; `recv_time` is in nanoseconds since 1970."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array(seq, pa.int64()),
            pa.array(recv_time, pa.int64()).view(TIME),
            pa.array(connection, pa.int32()),
            pa.array(kind, pa.string()),
            payload,
        ],
        schema=TAPE_SCHEMA,
    )


def check_seqs(rows: pa.RecordBatch, next_seq: int, path: Path) -> None:
    """Check that rows begin with a seq and count up by one. O(rows).

    Raises:
        DamagedTapeError: naming the file and the first row that is out of order.
    """
    expected = np.arange(next_seq, next_seq + rows.num_rows)
    seq = rows.column("seq").to_numpy()
    wrong = np.flatnonzero(seq != expected)
    if wrong.size:
        raise DamagedTapeError(f"{path}: found row {seq[wrong[0]]}, expected row {expected[wrong[0]]}", path)


def split_at(batches: Iterable[pa.RecordBatch], seqs: Collection[int]) -> Iterator[pa.RecordBatch]:
    """Yield consecutive batches, split so that each of these seqs begins one. O(log seqs) a batch."""
    ordered = sorted(seqs)
    for batch in batches:
        first, end = batch.column("seq")[0].as_py(), batch.column("seq")[-1].as_py() + 1
        cuts = ordered[bisect_right(ordered, first) : bisect_left(ordered, end)]
        if not cuts:
            yield batch
            continue
        for low, high in pairwise([first, *cuts, end]):
            yield copy_rows(batch.slice(low - first, high - low))


def evenly(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of consecutive batches in batches of this size; only the last one may be smaller."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= size:
            whole = pa.concat_batches(waiting)
            for at in range(0, rows - rows % size, size):
                yield whole.slice(at, size)
            rows %= size
            waiting = [whole.slice(whole.num_rows - rows)]
    if rows:
        yield pa.concat_batches(waiting)


def copy_rows(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return a copy that owns its memory: a pickled slice would carry the whole buffer along."""
    return rows.take(pa.array(range(rows.num_rows), pa.int64()))
