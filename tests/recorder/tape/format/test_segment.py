"""Reading a segment: from any row, and never wrong rows from a damaged file."""

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orderbook.schema import TAPE_SCHEMA
from recorder.settings import SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format import segment
from recorder.tape.reader import Tape
from tests.endurance.forms import cases
from tests.support.constants import BTC, START
from tests.support.oracle import Row
from tests.support.rows import ALL_ROWS, frames, open_writer, read_rows, tally, to_rows, write_tape
from tests.support.tapes import edit_catalog, segment_paths


def test_a_reading_holds_a_row_group_and_not_the_file(tmp_path: Path) -> None:
    """However long a merged segment is, Arrow's memory while it is read stays far below its size."""
    number = 100_000
    texts = Random(1).randbytes(75 * number).hex()
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(range(number), pa.int64()),
            pa.array(range(START, START + number)).cast(TAPE_SCHEMA.field("recv_time").type),
            pa.array([0] * number, pa.int32()),
            pa.array(["frame"] * number),
            pa.array([texts[place : place + 150] for place in range(0, len(texts), 150)]),
        ],
        schema=TAPE_SCHEMA,
    )
    with open_writer(tmp_path / "tape", policy=SealPolicy(rows=number)) as writer:
        writer.products[BTC].append(rows)
        del rows
        writer.products[BTC].seal_all(tally(), ALL_ROWS)
    (path,) = segment_paths(tmp_path / "tape")
    before = pa.total_allocated_bytes()
    held = [
        pa.total_allocated_bytes() - before for _ in Tape.open(tmp_path / "tape").product(BTC).batches(1024)
    ]
    assert len(held) > 90
    assert max(held) < path.stat().st_size / 2


def test_batches_of_large_frames_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch has so many rows that it stays near its bound in bytes, also in a merged segment."""
    monkeypatch.setattr(segment, "BATCH_BYTES", 2**16)
    texts = (Random(seq).randbytes(2_500).hex() for seq in range(120))
    rows = [
        Row(seq, START + seq, 0, "frame", f'{{"type":"status","n":"{text}"}}')
        for seq, text in enumerate(texts)
    ]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=30), batch_rows=30)
    compact(tape)
    batches = list(Tape.open(tape).product(BTC).batches())
    assert to_rows(batches) == rows
    assert max(batch.nbytes for batch in batches) < 2**17
    assert len(batches) < 15


def corrupt(path: Path, place: int, mask: int) -> None:
    """Change bits of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(data)


def test_a_flipped_byte_of_a_page_is_found(half_sealed: Path) -> None:
    """Any changed byte of a column's stored data is an error that names the file."""
    path = segment_paths(half_sealed)[1]
    whole = path.read_bytes()
    with pq.ParquetFile(path) as file:
        chunks = [file.metadata.row_group(0).column(at) for at in range(5)]
    for chunk in chunks:
        start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
        corrupt(path, start + chunk.total_compressed_size - 2, 0x10)
        with pytest.raises(DamagedTapeError, match=path.name):
            read_rows(half_sealed)
        path.write_bytes(whole)
    assert read_rows(half_sealed) == frames(100)


def test_no_flipped_byte_gives_wrong_rows(tmp_path: Path) -> None:
    """A changed byte anywhere in a segment is harmless or an error that names the file, never other rows."""
    rows = frames(10)
    tape = write_tape(tmp_path / "tape", rows)
    (path,) = segment_paths(tape)
    whole = path.read_bytes()
    wrong = []
    for place in range(0, len(whole), cases(1, 4)):
        corrupt(path, place, (0x01, 0x80, 0xFF)[place % 3])
        try:
            outcome = "" if read_rows(tape, size=7) == rows else "other rows"
        except DamagedTapeError as error:
            outcome = "" if path.name in str(error) else f"unnamed: {error}"
        except Exception as error:  # noqa: BLE001  what must not come out
            outcome = repr(error)
        if outcome:
            wrong.append(f"byte {place} of {len(whole)}: {outcome}")
        path.write_bytes(whole)
    assert wrong == []


def row_groups_of(path: Path) -> tuple[list[int], list[int]]:
    """Return for each row group its first row in the segment, and the offset at which its payload ends."""
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
    starts = list(accumulate((group.num_rows for group in groups), initial=0))[:-1]
    payloads = [group.column(4) for group in groups]
    return starts, [chunk.data_page_offset + chunk.total_compressed_size for chunk in payloads]


def test_row_groups_before_the_start_are_not_read(tmp_path: Path) -> None:
    """Damage in a row group does not affect reading from a later one, and is an error otherwise."""
    rows = frames(40_000)
    tape = write_tape(tmp_path / "tape", rows)
    (path,) = segment_paths(tape)
    starts, ends = row_groups_of(path)
    assert len(starts) > 2
    for number in range(len(starts) - 1):
        corrupt(path, ends[number] - 2, 0x10)
        for first_seq in (starts[number + 1], starts[number + 1] + 1, len(rows) - 1):
            assert read_rows(tape, first_seq=first_seq) == rows[first_seq:]
        for first_seq in (starts[number], starts[number + 1] - 1):
            with pytest.raises(DamagedTapeError, match=path.name):
                read_rows(tape, first_seq=first_seq)
    with pytest.raises(DamagedTapeError, match=path.name):
        read_rows(tape)


def in_row_groups(tape: Path, rows: int) -> Path:
    """Rewrite the only segment of a tape in row groups of this many rows; return its path."""
    (path,) = segment_paths(tape)
    table = pq.ParquetFile(path).read()
    pq.write_table(table, path, row_group_size=rows, write_page_checksum=True)
    edit_catalog(tape, BTC, 0, bytes=path.stat().st_size)
    return path


@pytest.mark.parametrize("group_rows", [1, 7, 25, 100])
def test_reading_starts_at_every_seq_of_every_row_group(tmp_path: Path, group_rows: int) -> None:
    """Reading from a seq returns the rows from there, for any row groups and batches."""
    rows = frames(50)
    tape = write_tape(tmp_path / "tape", rows)
    in_row_groups(tape, group_rows)
    for first_seq in range(52):
        for size in (1, 7, 100):
            assert read_rows(tape, size=size, first_seq=first_seq) == rows[first_seq:]


@pytest.mark.parametrize("first_seq", [0, 30])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_fewer_or_more_rows_is_damage(tmp_path: Path, first_seq: int, change: int) -> None:
    """A valid Parquet file with another number of rows is not accepted as the segment."""
    tape = write_tape(tmp_path / "tape", frames(50))
    path = in_row_groups(tape, 7)
    edit_catalog(tape, BTC, 0, rows=50 + change)
    # A list that counts fewer rows than were sealed is found before any file is opened.
    with pytest.raises(DamagedTapeError, match=path.name if change > 0 else "49 rows, but 50 were sealed"):
        read_rows(tape, first_seq=first_seq)


def test_other_rows_in_a_row_group_are_damage(tmp_path: Path) -> None:
    """Row groups with other rows are found wherever reading begins."""
    tape = write_tape(tmp_path / "tape", frames(50))
    (path,) = segment_paths(tape)
    table = pq.ParquetFile(path).read()
    swapped = pa.concat_tables([table.slice(start, 10) for start in (0, 20, 10, 30, 40)])
    pq.write_table(swapped, path, row_group_size=10)
    edit_catalog(tape, BTC, 0, bytes=path.stat().st_size)
    for first_seq in (0, 10, 15, 20, 25):
        with pytest.raises(DamagedTapeError, match=path.name):
            read_rows(tape, first_seq=first_seq)
    assert read_rows(tape, first_seq=30) == frames(50)[30:]


def truncate(path: Path) -> None:
    """Cut a file short."""
    path.write_bytes(path.read_bytes()[:-100])


def garble_footer(path: Path) -> None:
    """Overwrite the footer of a file."""
    data = path.read_bytes()
    path.write_bytes(data[:-200] + b"\xa5" * 192 + data[-8:])


def replace_all(path: Path) -> None:
    """Replace a file by zeros."""
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [truncate, garble_footer, replace_all])
def test_a_damaged_segment_is_named(half_sealed: Path, damage: Callable[[Path], None]) -> None:
    """A segment that is cut or overwritten is an error that names it; earlier rows are right."""
    path = segment_paths(half_sealed)[1]
    damage(path)
    before: list[Row] = []
    with pytest.raises(DamagedTapeError, match=path.name):
        before.extend(
            row for each in Tape.open(half_sealed).product(BTC).batches(7) for row in to_rows([each])
        )
    assert before == frames(30)
