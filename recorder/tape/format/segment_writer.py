"""Writing a segment: under another name, synced and checked, before it gets its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.schema import TAPE_SCHEMA
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment import open_parquet
from recorder.tape.store import files as store
from recorder.tape.store.writing import arrow_sink

ROW_GROUP_ROWS: Final = 16_384
ROW_GROUP_BYTES: Final = 32 * 2**20
"""Rows and, about, bytes of a row group: what a writer holds in memory, and a reader in compressed form."""

COMPRESSION_LEVEL: Final = 8
"""zstd: smaller than JSON lines at level 3, and read as fast; higher levels gain little."""

WRITER_OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": COMPRESSION_LEVEL,
    "use_dictionary": ["connection", "kind"],
    "column_encoding": {"seq": "DELTA_BINARY_PACKED", "recv_time": "DELTA_BINARY_PACKED"},
    "write_statistics": ["seq", "recv_time", "connection", "kind"],  # the least payload helps nobody
    "write_page_checksum": True,
    "store_schema": True,
}
"""Parquet options of a segment; `tests/benchmarks/bench_bytes.py` compares them with others."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """Size in bytes and SHA-256 in hex of a segment's file."""

    bytes: int
    sha256: str


def write_segment(
    path: Path,
    product: str,
    first_seq: int,
    rows: int,
    batches: Iterable[pa.RecordBatch],
    level: int = COMPRESSION_LEVEL,
) -> SegmentFile:
    """Write a segment of `rows` rows from `first_seq`; it gets its name when it is complete."""
    store.make_directory(path.parent)
    aside = store.aside_path(path)
    written = write_aside(aside, product, first_seq, rows, batches, level)
    store.rename_file(aside, path)
    return written


def write_aside(
    aside: Path,
    product: str,
    first_seq: int,
    rows: int,
    batches: Iterable[pa.RecordBatch],
    level: int = COMPRESSION_LEVEL,
) -> SegmentFile:
    """Write a segment durably under a name that Arrow, DuckDB and Spark skip; reopen it and count.

    ParquetWriter.close() may return normally on a full disk: the count finds it.

    Raises:
        OSError: if it cannot be written.
        DamagedTapeError: if the file read back is not what was written.
    """
    last_seq = first_seq + rows - 1
    facts = {"format": 1, "product": product, "first_seq": first_seq, "last_seq": last_seq, "rows": rows}
    schema = TAPE_SCHEMA.with_metadata({f"booktape.{name}": str(value) for name, value in facts.items()})
    store.create_empty(aside)
    options = {**WRITER_OPTIONS, "compression_level": level}
    with arrow_sink(aside) as sink, pq.ParquetWriter(sink, schema, **options) as writer:
        for table in _row_groups(batches):
            fitting = max(1, table.num_rows * ROW_GROUP_BYTES // table.nbytes)
            writer.write_table(table, row_group_size=min(ROW_GROUP_ROWS, fitting))
    store.sync_file(aside)
    size = store.file_size(aside)
    with open_parquet(aside, size) as written:
        if written.metadata.num_rows != rows:
            raise DamagedTapeError(
                f"{aside}: {written.metadata.num_rows} rows, but {rows} were written", aside
            )
    return SegmentFile(size, store.sha256(aside))


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Collect batches into tables of about a row group each."""
    pending: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        pending.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(pending)
            pending, rows, size = [], 0, 0
    if pending:
        yield pa.Table.from_batches(pending)
