"""The differences between two streams of rows: counts, columns, and where they first diverge."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, UnsetType

from orderbook.document import Document
from orderbook.times import format_time
from replay.checking.diff.alignment import Numbers, aligned, pairs

PlainRow = dict[str, Any]
"""A row as JSON values: times are ISO text, NaN and infinities are text with their bits."""

Mask = npt.NDArray[np.bool_]


class RawRow(Document, frozen=True):
    """The row of the tape that a summary comes from.

    Attributes:
        tape: path of the tape.
        row: the row as recorded; None if it could not be read.
        error: one line that says why not.
    """

    tape: str
    row: PlainRow | None
    error: str | None = None


class RowDifference(Document, frozen=True):
    """A row in which two streams differ.

    Attributes:
        seq: seq of the row.
        columns: columns that differ; empty if only one side has the row.
        a, b: the rows; None for a side without it.
        frames: for RUNs, the row on the tape of each; only one if both are of the same tape.
    """

    seq: int
    columns: tuple[str, ...]
    a: PlainRow | None
    b: PlainRow | None
    frames: tuple[RawRow, ...] = ()


class ColumnDiff(Document, frozen=True):
    """How far a column differs.

    Attributes:
        rows: number of rows in which it differs.
        first_seq: seq of the first of them.
    """

    rows: int
    first_seq: int


class StreamDocument(Document, frozen=True):
    """The differences between two streams of one product.

    Attributes:
        columns: the columns that differ, by name.
    """

    rows_a: int
    rows_b: int
    equal: int
    differing: int
    only_a: int
    only_b: int
    columns: dict[str, ColumnDiff]
    first: RowDifference | None
    first_frame: RowDifference | UnsetType | None = UNSET


@dataclass(slots=True)
class StreamDiff:
    """The differences between two streams of one product.

    Attributes:
        product: product id.
        stream: `rows` of a tape, `summaries`, `signals`, `anomalies`, ... of a RUN.
        ignored: columns that are not compared.
        rows_a, rows_b: number of rows of each.
        equal, differing: number of rows that both have.
        only_a, only_b: number of rows that only one has.
        last_a, last_b: seq of the last row of each.
        columns: the columns that differ, by name.
        first: the first row that differs; None if they are equal.
        first_frame: the first frame whose payload differs; for tapes only.
    """

    product: str
    stream: str
    ignored: frozenset[str] = frozenset()
    rows_a: int = 0
    rows_b: int = 0
    equal: int = 0
    differing: int = 0
    only_a: int = 0
    only_b: int = 0
    last_a: int | None = None
    last_b: int | None = None
    columns: dict[str, ColumnDiff] = field(default_factory=dict)
    first: RowDifference | None = None
    first_frame: RowDifference | None = None

    def compare(self, a: Iterable[pa.RecordBatch], b: Iterable[pa.RecordBatch]) -> "StreamDiff":
        """Compare two whole streams, in memory for a few batches. O(rows), vectorised."""
        for part_a, part_b in aligned(a, b):
            self._add(part_a, part_b)
        return self

    def document(self) -> StreamDocument:
        """Return the JSON form."""
        return StreamDocument.of(self, first_frame=self.first_frame if self.stream == "rows" else UNSET)

    def _add(self, a: pa.Table, b: pa.Table) -> None:
        seq_a, seq_b = a.column("seq").to_numpy(), b.column("seq").to_numpy()
        self.rows_a, self.rows_b = self.rows_a + len(seq_a), self.rows_b + len(seq_b)
        self.last_a = int(seq_a[-1]) if len(seq_a) else self.last_a
        self.last_b = int(seq_b[-1]) if len(seq_b) else self.last_b
        found: list[RowDifference] = []
        if not np.array_equal(seq_a, seq_b):
            in_a, in_b = pairs(seq_a, seq_b)
            alone_a, alone_b = _others(in_a, len(seq_a)), _others(in_b, len(seq_b))
            self.only_a, self.only_b = self.only_a + len(alone_a), self.only_b + len(alone_b)
            found += [RowDifference(int(seq_a[at]), (), plain_row(a, int(at)), None) for at in alone_a[:1]]
            found += [RowDifference(int(seq_b[at]), (), None, plain_row(b, int(at))) for at in alone_b[:1]]
            a, b = a.take(pa.array(in_a)), b.take(pa.array(in_b))
        found += self._compare_pairs(a, b)
        if self.first is None:
            self.first = min(found, key=lambda each: each.seq, default=None)

    def _compare_pairs(self, a: pa.Table, b: pa.Table) -> list[RowDifference]:
        """Count the differences between rows of the same seqs; return the first, if any."""
        seq: Numbers = a.column("seq").to_numpy()
        masks: dict[str, Mask] = {}
        for name in a.column_names:
            if name != "seq" and name not in self.ignored and name in b.column_names:
                mask = unequal(a.column(name), b.column(name))
                if mask.any():
                    masks[name] = mask
        differing = np.logical_or.reduce(list(masks.values())) if masks else np.zeros(len(seq), np.bool_)
        number = int(np.count_nonzero(differing))
        self.differing, self.equal = self.differing + number, self.equal + len(seq) - number
        for name, mask in masks.items():
            known = self.columns.get(name) or ColumnDiff(0, int(seq[mask.argmax()]))
            self.columns[name] = ColumnDiff(known.rows + int(np.count_nonzero(mask)), known.first_seq)

        def divergence(at: int) -> RowDifference:
            columns = tuple(name for name, mask in masks.items() if mask[at])
            return RowDifference(int(seq[at]), columns, plain_row(a, at), plain_row(b, at))

        if self.stream == "rows" and self.first_frame is None and "payload" in masks:
            of_frames = masks["payload"] & pc.equal(a.column("kind"), "frame").to_numpy()
            self.first_frame = next((divergence(int(at)) for at in np.flatnonzero(of_frames)[:1]), None)
        return [divergence(int(differing.argmax()))] if number else []


def _others(positions: Numbers, length: int) -> Numbers:
    """Return the positions below a length that are not among these."""
    return np.setdiff1d(np.arange(length), positions)


def unequal(a: pa.ChunkedArray, b: pa.ChunkedArray) -> Mask:
    """Return a mask of the rows in which two columns differ, bit by bit: null != NaN and 0.0 != -0.0."""
    a, b = _bits(a), _bits(b)
    if a.equals(b):
        return np.zeros(len(a), np.bool_)
    if a.type != b.type or pa.types.is_nested(a.type):
        return np.array([x != y for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)], np.bool_)
    differs = pc.fill_null(pc.not_equal(a, b), False).to_numpy()
    nulls = a.is_null().to_numpy() != b.is_null().to_numpy()
    return np.asarray(differs | nulls, np.bool_)


def _bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return floats as integers of the same bits, anything else unchanged."""
    if not pa.types.is_floating(column.type):
        return column
    integers = pa.type_for_alias(f"int{column.type.bit_width}")
    return pa.chunked_array([chunk.view(integers) for chunk in column.chunks], integers)


def plain_row(rows: pa.Table | pa.RecordBatch, at: int) -> PlainRow:
    """Return a row of a table as JSON values."""
    return {name: _plain(rows.column(name)[at]) for name in rows.schema.names}


def _plain(value: pa.Scalar) -> Any:
    if pa.types.is_timestamp(value.type) and value.is_valid:
        return format_time(value.cast(pa.timestamp("ns")).value)
    plain = value.as_py()
    if isinstance(plain, float) and not isfinite(plain):
        return f"{plain} ({struct.pack('>d', plain).hex()})"
    return plain
