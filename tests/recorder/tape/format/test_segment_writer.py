"""What a segment's file holds: columns, encodings, checksums and row groups."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.tape.format.segment_writer import ROW_GROUP_BYTES
from tests.support.constants import BTC
from tests.support.rows import frames, read_rows, to_rows, write_tape
from tests.support.tapes import segment_paths


def test_columns_and_encodings(tmp_path: Path) -> None:
    """A segment has the columns, types, encodings, compression and metadata of the format."""
    rows = frames(1000)
    (path,) = segment_paths(write_tape(tmp_path / "tape", rows))
    file = pq.ParquetFile(path, page_checksum_verification=True)
    assert file.schema_arrow.equals(
        pa.schema(
            [
                pa.field("seq", pa.int64(), nullable=False),
                pa.field("recv_time", pa.timestamp("ns", "UTC"), nullable=False),
                pa.field("connection", pa.int32(), nullable=False),
                pa.field("kind", pa.string(), nullable=False),
                pa.field("payload", pa.string(), nullable=False),
            ]
        )
    )
    columns = [file.metadata.row_group(0).column(at) for at in range(5)]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert all("DELTA_BINARY_PACKED" in column.encodings for column in columns[:2])
    assert not any(columns[at].has_dictionary_page for at in (0, 1, 4))
    facts = {
        key.decode().removeprefix("booktape."): value.decode()
        for key, value in file.metadata.metadata.items()
    }
    wanted = {"format": "1", "product": BTC, "first_seq": "0", "last_seq": "999", "rows": "1000"}
    assert facts.items() >= wanted.items()
    assert to_rows([file.read()]) == rows
    file.close()


def test_pages_carry_checksums(tmp_path: Path) -> None:
    """A changed byte of a page's data is found by its checksum."""
    (path,) = segment_paths(write_tape(tmp_path / "tape", frames(1000)))
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(0).column(4)
        middle = column.data_page_offset + column.total_compressed_size // 2
    data = bytearray(path.read_bytes())
    data[middle] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match="CRC checksum"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_large_frames_make_row_groups_of_fewer_rows(tmp_path: Path) -> None:
    """A writer holds a few megabytes of frames at a time, even if each is a snapshot."""
    text = "x" * 5_000_000
    rows = [row._replace(payload=text) for row in frames(20)]
    tape = write_tape(tmp_path / "tape", rows, batch_rows=1)
    (path,) = segment_paths(tape)
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert sum(groups) == 20
    assert max(groups) * len(text) < 2 * ROW_GROUP_BYTES
    assert read_rows(tape, first_seq=9, size=1) == rows[9:]


def test_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    """A tape in such a directory is written and read."""
    rows = frames(10)
    tape = write_tape(tmp_path / "tape\udcff", rows)
    assert read_rows(tape) == rows
    assert len(segment_paths(tape)) == 1
