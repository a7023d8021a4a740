"""A sealed segment: one Parquet file, written aside, checked, and then given its name."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.schema import TAPE_SCHEMA
from recorder.tape.errors import DamagedTapeError
from recorder.tape.files import PRIVATE, make_directory, sync_directory

ROW_GROUP_ROWS: Final = 16_384
ROW_GROUP_BYTES: Final = 32 * 2**20
"""Rows and, about, bytes of a row group: what a writer holds at a time, and a reader in compressed form."""

WRITER_OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 8,  # smaller than zstd -3 JSON lines, and read no slower; what is above gains little
    "use_dictionary": ["connection", "kind"],
    "column_encoding": {"seq": "DELTA_BINARY_PACKED", "recv_time": "DELTA_BINARY_PACKED"},
    "write_statistics": ["seq", "recv_time", "connection", "kind"],  # nobody asks for the least of the texts
    "write_page_checksum": True,
    "store_schema": True,
}
"""How a segment is written; `tests/benchmarks/bench_bytes.py` compares what else was tried."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment's file as it was written: size in bytes and SHA-256 in hex."""

    bytes: int
    sha256: str


def write_segment(
    path: Path, product: str, first_seq: int, rows: int, batches: Iterable[pa.RecordBatch]
) -> SegmentFile:
    """Write a segment of `rows` rows from `first_seq` on; it has its name only once it is whole.

    Raises:
        OSError: as the operating system says.
        DamagedTapeError: where the file read back is not what was written.
    """
    make_directory(path.parent)
    aside = path.with_name(f"_{path.name}.tmp")
    written = write_aside(aside, product, first_seq, rows, batches)
    aside.replace(path)
    sync_directory(path.parent)
    return written


def merged_aside(path: Path) -> Path:
    """Return where a merged segment waits for its name; readers find it there too."""
    return path.with_name(f"_{path.name}.merged")


def write_aside(
    aside: Path, product: str, first_seq: int, rows: int, batches: Iterable[pa.RecordBatch]
) -> SegmentFile:
    """Write a segment durably under a name that Arrow, DuckDB and Spark skip; reopen it and count.

    ParquetWriter.close() may return normally on a full disk: the count finds it.

    Raises:
        OSError: as the operating system says.
        DamagedTapeError: where the file read back is not what was written.
    """
    last_seq = first_seq + rows - 1
    facts = {"format": 1, "product": product, "first_seq": first_seq, "last_seq": last_seq, "rows": rows}
    schema = TAPE_SCHEMA.with_metadata({f"booktape.{name}": str(value) for name, value in facts.items()})
    aside.unlink(missing_ok=True)
    aside.touch(mode=PRIVATE)
    with pq.ParquetWriter(aside, schema, **WRITER_OPTIONS) as writer:
        for table in _row_groups(batches):
            fitting = max(1, table.num_rows * ROW_GROUP_BYTES // table.nbytes)
            writer.write_table(table, row_group_size=min(ROW_GROUP_ROWS, fitting))
    with aside.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = aside.stat().st_size
    with open_segment(aside, size) as written:
        if written.metadata.num_rows != rows:
            raise DamagedTapeError(f"{aside}: {written.metadata.num_rows} rows where {rows} were written")
    return SegmentFile(size, digest)


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather batches into tables of about a row group each."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


def open_segment(path: Path, size: int, *, as_numbers: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a segment for reading; page checksums are verified as pages are read.

    Args:
        path: the file.
        size: bytes that it must have.
        as_numbers: columns that are read as dictionaries: few texts, and a number each.

    Raises:
        DamagedTapeError: where it is missing, of another size, or its footer is not a segment's.
    """
    try:
        found = path.stat().st_size
        if found != size:
            raise DamagedTapeError(f"{path}: {found} bytes where {size} were sealed")
        # Arrow's pre-buffering would keep all compressed bytes of a reading, of a whole day, until its end.
        file = pq.ParquetFile(
            path, read_dictionary=as_numbers, page_checksum_verification=True, pre_buffer=False
        )
        is_ours = file.schema_arrow.equals(_schema(as_numbers), check_metadata=False)
    except FileNotFoundError:
        raise DamagedTapeError(f"{path}: a sealed segment is missing") from None
    except KeyError:  # no column of that name
        raise DamagedTapeError(f"{path}: the columns are not a segment's") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DamagedTapeError(f"{path}: {_first_line(error)}") from None
    if not is_ours:
        file.close()
        raise DamagedTapeError(f"{path}: the columns are not a segment's")
    return file


def _schema(as_numbers: Sequence[str]) -> pa.Schema:
    numbers = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [field.with_type(numbers) if field.name in as_numbers else field for field in TAPE_SCHEMA]
    )


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a damaged file into one line that names it.

    Raises:
        DamagedTapeError: where reading in the block finds a page's checksum or content wrong.
    """
    try:
        yield
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DamagedTapeError(f"{path}: {_first_line(error)}") from None


def groups_from(file: pq.ParquetFile, row: int) -> tuple[list[int], int]:
    """Return the row groups that hold rows from a segment's n-th on, and how many rows lie before them.

    O(row groups); reads nothing but the metadata.
    """
    before = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if before + rows > row:
            return list(range(group, file.num_row_groups)), before
        before += rows
    return [], before


def segment_batches(
    file: pq.ParquetFile, path: Path, size: int, groups: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some of a segment's row groups in batches of at most `size`; touches no other bytes.

    Raises:
        DamagedTapeError: where a page's checksum or content is not what was written.
    """
    with naming_damage(path):
        # Nearly all is one column, the payload: threads double the processor time and win no time.
        yield from file.iter_batches(size, groups, use_threads=False)


def _first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error) or type(error).__name__).splitlines()[0]
