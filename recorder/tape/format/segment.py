"""Reading a sealed segment: one Parquet file, with a checksum for each page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.schema import TAPE_SCHEMA
from orderbook.times import parse_time
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment_entry import SegmentEntry, parts_of
from recorder.tape.row_batches import BATCH_BYTES, BATCH_ROWS, check_seqs, copy_rows
from recorder.tape.store import files as store


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """An open segment.

    Attributes:
        entry: its line in the list of segments.
        start: seq of the first row to read.
        path: its file, or where it waits for its name.
        file: the open file.
    """

    entry: SegmentEntry
    start: int
    path: Path
    file: pq.ParquetFile

    def batches(self, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows from `start` in batches of at most `size`. Row groups before it are not read.

        Raises:
            DamagedTapeError: if the file is not what was written.
        """
        listed = {part.first_seq: part.first_recv_time for part in parts_of([self.entry])}
        groups, skipped = _groups_from(self.file, self.start - self.entry.first_seq)
        next_seq = self.entry.first_seq + skipped
        for batch in read_row_groups(self.file, self.path, size, groups):
            check_seqs(batch, next_seq, self.path)
            first_seq, next_seq = max(self.start, next_seq), next_seq + batch.num_rows
            if first_seq >= next_seq:
                continue
            skip = batch.num_rows - (next_seq - first_seq)
            rows = copy_rows(batch.slice(skip)) if skip else batch
            time = listed.get(first_seq)  # by which a window may have chosen to begin here
            if time and rows.column("recv_time").view(pa.int64())[0].as_py() != parse_time(time):
                raise DamagedTapeError(
                    f"{self.path}: the list of segments has another first_recv_time than the rows"
                )
            yield rows
        if next_seq != self.entry.next_seq:
            raise DamagedTapeError(
                f"{self.path}: ends before row {next_seq}, not {self.entry.next_seq}", self.path
            )


def open_segment(
    path: Path, product: str, entry: SegmentEntry, *, dictionaries: Sequence[str] = ()
) -> pq.ParquetFile:
    """Open the file of a listed segment of a product; see `open_parquet`.

    Raises:
        DamagedTapeError: if its footer is not the one that was sealed.
    """
    file = open_parquet(path, entry.bytes, dictionaries=dictionaries)
    rows, of = file.metadata.num_rows, (file.schema_arrow.metadata or {}).get(b"booktape.product")
    problem = f"{rows} rows, but {entry.rows} were sealed" if rows != entry.rows else ""
    if of not in (None, product.encode()):
        problem = "a segment of another product"
    if problem:
        file.close()
        raise DamagedTapeError(f"{path}: {problem}", path)
    return file


def open_parquet(path: Path, size: int, *, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """Open the file of a segment; page checksums are verified as pages are read.

    Args:
        path: the file.
        size: bytes that it must have.
        dictionaries: columns to read dictionary-encoded.

    Raises:
        DamagedTapeError: if it is missing, of another size, or its footer is not a segment's.
    """
    try:
        source = store.open_arrow(path)
        found = source.size()
        if found != size:
            source.close()
            raise DamagedTapeError(f"{path}: {found} bytes, but {size} were sealed", path)
        # Arrow's pre-buffering would keep all compressed bytes of a reading, of a whole day, until its end.
        file = store.ParquetFile(
            source, read_dictionary=dictionaries, page_checksum_verification=True, pre_buffer=False
        )
        is_ours = file.schema_arrow.equals(_schema(dictionaries), check_metadata=False)
    except FileNotFoundError:
        raise DamagedTapeError(f"{path}: a sealed segment is missing", path) from None
    except KeyError:  # no column of that name
        raise DamagedTapeError(f"{path}: the columns are not a segment's", path) from None
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DamagedTapeError(f"{path}: {_first_line(error)}", path) from None
    if not is_ours:
        file.close()
        raise DamagedTapeError(f"{path}: the columns are not a segment's", path)
    return file


def _schema(dictionaries: Sequence[str]) -> pa.Schema:
    encoded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [field.with_type(encoded) if field.name in dictionaries else field for field in TAPE_SCHEMA]
    )


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a damaged file into one line that names it.

    Raises:
        DamagedTapeError: if reading in the block finds a page's checksum or content wrong.
    """
    try:
        yield
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DamagedTapeError(f"{path}: {_first_line(error)}", path) from None


def _groups_from(file: pq.ParquetFile, row: int) -> tuple[list[int], int]:
    """Return the row groups with rows from a segment's n-th on, and the number of rows before them.

    O(row groups); reads nothing but the metadata.
    """
    before = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if before + rows > row:
            return list(range(group, file.num_row_groups)), before
        before += rows
    return [], before


def read_row_groups(
    file: pq.ParquetFile, path: Path, size: int, groups: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some row groups in batches of at most `size`, and about `BATCH_BYTES`.

    No other bytes are read.

    Raises:
        DamagedTapeError: if a page's checksum or content is not what was written.
    """
    with naming_damage(path):
        for group in groups:
            facts = file.metadata.row_group(group)
            fitting = facts.num_rows * BATCH_BYTES // max(facts.total_byte_size, 1)
            # Nearly all is one column, the payload: threads double the processor time and save no time.
            yield from file.iter_batches(max(1, min(size, fitting)), [group], use_threads=False)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
