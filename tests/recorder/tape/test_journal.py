"""The journal file: what is appended comes back, and what is torn is never taken for a row."""

import mmap
import multiprocessing
import os
import tempfile
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.tape.errors import DamagedTapeError
from recorder.tape.journal import JournalExtent, JournalReader
from recorder.tape.journal_writer import JournalWriter, cut_torn_tail
from tests.oracle import Row
from tests.recorder.rows import START, batch, file_size_limit, frames, in_batches, plain

RECORD_BYTES = 8 + 21
"""crc and length; seq, recv_time, connection and kind."""

KINDS = ("frame", "connected", "disconnected")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.lists(
    st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**31 - 1), st.sampled_from(KINDS), TEXTS), min_size=1
)
MIXED = [
    Row(0, START, 0, "connected", "{}"),
    Row(1, START, 0, "frame", ""),
    Row(2, START + 1, 0, "frame", "Größe 1\n\x00\U0001f600"),
    Row(3, START + 2, 0, "disconnected", "x" * 40),
    Row(4, START + 2, 1, "connected", "{}"),
]


def write_journal(path: Path, rows: list[Row], batch_rows: int = 10_000) -> Path:
    """Make a journal of rows."""
    writer = JournalWriter(path)
    for each in in_batches(rows, batch_rows):
        writer.append(each)
    writer.close()
    return path


def read_journal(path: Path, first_seq: int = 0, size: int = 10_000) -> tuple[list[Row], JournalExtent]:
    """Return a journal's rows and how far it can be trusted."""
    with JournalReader(path) as journal:
        return plain(journal.batches(first_seq, size)), journal.extent()


def ends_of(rows: list[Row]) -> list[int]:
    """Return where each record ends, by the layout that the contract gives."""
    ends = [0]
    for row in rows:
        ends.append(ends[-1] + RECORD_BYTES + len(row.payload.encode()))
    return ends


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(0, 2**62), st.integers(1, 5), st.integers(1, 5))
def test_round_trip(
    contents: list[tuple[int, int, str, str]], first_seq: int, written: int, read: int
) -> None:
    """Any rows come back as they were, however they are cut into batches on either side."""
    rows = [Row(first_seq + place, *content) for place, content in enumerate(contents)]
    with tempfile.TemporaryDirectory() as directory:
        path = write_journal(Path(directory) / "a.journal", rows, written)
        got, extent = read_journal(path, size=read)
        assert path.stat().st_size == ends_of(rows)[-1]
    assert got == rows
    assert extent == JournalExtent(len(rows), ends_of(rows)[-1], 0, is_damaged=False)


def test_reading_starts_at_a_seq(tmp_path: Path) -> None:
    """Rows before the first wanted one are passed over, in batches of the size asked for."""
    path = write_journal(tmp_path / "a.journal", frames(20))
    with JournalReader(path) as journal:
        batches = list(journal.batches(11, 4))
    assert [each.num_rows for each in batches] == [4, 4, 1]
    assert plain(batches) == frames(20)[11:]


def test_every_cut_leaves_the_whole_records(tmp_path: Path) -> None:
    """A journal that ends at any byte gives exactly the records before it and tells the bytes left over."""
    whole = write_journal(tmp_path / "whole.journal", MIXED).read_bytes()
    ends = ends_of(MIXED)
    path = tmp_path / "cut.journal"
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        complete = max(end for end in ends if end <= length)
        number = ends.index(complete)
        assert read_journal(path) == (
            MIXED[:number],
            JournalExtent(number, complete, length - complete, is_damaged=False),
        )


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_ends_the_journal(tmp_path: Path, mask: int) -> None:
    """A changed byte anywhere ends the rows at the record before it."""
    whole = write_journal(tmp_path / "whole.journal", MIXED).read_bytes()
    ends = ends_of(MIXED)
    path = tmp_path / "flipped.journal"
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= mask
        path.write_bytes(flipped)
        number = max(at for at, end in enumerate(ends) if end <= place)
        rows, extent = read_journal(path)
        assert rows == MIXED[:number]
        assert (extent.rows, extent.complete) == (number, ends[number])


def test_torn_tail_is_cut_once(tmp_path: Path) -> None:
    """Cutting takes the torn bytes and nothing else, and there is nothing to cut afterwards."""
    path = write_journal(tmp_path / "a.journal", MIXED)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    torn = ends_of(MIXED)[-1] - ends_of(MIXED)[-2] - 1
    assert [cut_torn_tail(path), cut_torn_tail(path)] == [torn, 0]
    assert path.read_bytes() == whole[: ends_of(MIXED)[-2]]


def test_an_existing_journal_is_never_overwritten(tmp_path: Path) -> None:
    """Making a journal where there is one fails and leaves it as it is."""
    path = write_journal(tmp_path / "a.journal", MIXED)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        JournalWriter(path)
    assert path.read_bytes() == before


def test_rows_that_do_not_count_up_are_damage(tmp_path: Path) -> None:
    """Whole records with a hole between them are reported with the file, not handed out."""
    path = write_journal(tmp_path / "a.journal", [MIXED[0], MIXED[1], MIXED[3]], batch_rows=1)
    with pytest.raises(DamagedTapeError, match=r"a\.journal.*row 3"):
        read_journal(path)


def test_an_empty_journal_has_no_rows(tmp_path: Path) -> None:
    """A journal that was made and never written is whole and empty."""
    assert read_journal(write_journal(tmp_path / "a.journal", [])) == (
        [],
        JournalExtent(0, 0, 0, is_damaged=False),
    )


def test_a_failed_write_leaves_whole_batches(tmp_path: Path) -> None:
    """A batch that the disk does not take leaves nothing of itself, and later ones can follow."""
    path = tmp_path / "a.journal"
    writer = JournalWriter(path)
    writer.append(batch(MIXED[:2]))
    big = [MIXED[2], MIXED[3]._replace(payload="x" * 100_000)]
    with file_size_limit(50_000), pytest.raises(OSError, match="File too large"):
        writer.append(batch(big))
    assert path.stat().st_size == writer.size == ends_of(MIXED)[2]
    writer.append(batch(MIXED[2:]))
    writer.close()
    assert read_journal(path)[0] == MIXED


def append_many(path: Path, started: Event) -> None:
    """Append batches to a journal as fast as they can be written."""
    writer = JournalWriter(path)
    started.set()
    for each in in_batches(frames(9_000), 3):
        writer.append(each)
    writer.close()


def test_a_journal_at_work_never_looks_damaged(tmp_path: Path) -> None:
    """Rows that are appended while the whole records are counted are no damage."""
    spawn = multiprocessing.get_context("spawn")
    path, started = tmp_path / "a.journal", spawn.Event()
    writer = spawn.Process(target=append_many, args=(path, started))
    writer.start()
    assert started.wait(60)
    seen = []
    while writer.is_alive():
        with JournalReader(path) as journal:
            seen.append(journal.extent())
    writer.join(60)
    assert not any(extent.is_damaged for extent in seen)
    assert [extent.rows for extent in seen] == sorted(extent.rows for extent in seen)
    assert read_journal(path)[1].rows == 9_000


PAGE_BYTES = mmap.PAGESIZE


def read_while_it_shrinks(path: Path, kept: int) -> None:
    """Open a journal, let it be cut as a writer does after a failed write, then read it."""
    with JournalReader(path) as journal:
        os.truncate(path, kept)
        rows = plain(journal.batches(0, 10))
    os._exit(0 if len(rows) <= 1 else 3)


@pytest.mark.parametrize("kept", [RECORD_BYTES, PAGE_BYTES])
def test_a_reader_outlives_a_journal_that_is_cut(tmp_path: Path, kept: int) -> None:
    """Rows taken back beneath an open reader end its rows; they do not kill its process."""
    rows = [Row(seq, START, 0, "frame", "x" * (10_000 if seq else kept - RECORD_BYTES)) for seq in range(10)]
    path = write_journal(tmp_path / "a.journal", rows)
    reader = multiprocessing.get_context("spawn").Process(target=read_while_it_shrinks, args=(path, kept))
    reader.start()
    reader.join(60)
    assert reader.exitcode == 0
