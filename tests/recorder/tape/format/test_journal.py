"""A journal: its intact records whatever was cut, changed or is being written; whole batches or none."""

import mmap
import os
import tempfile
from multiprocessing.synchronize import Event
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.journal import BODY, JournalExtent, JournalReader, cut_torn_tail
from recorder.tape.store.writing import AppendedFile
from tests.support.constants import START
from tests.support.fork import FORK
from tests.support.journals import MIXED, RECORD_BYTES, encoded, ends_of, read_journal, write_journal
from tests.support.oracle import Row
from tests.support.rows import file_size_limit, frames, to_rows

KINDS = ("frame", "connected", "disconnected")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.lists(
    st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**31 - 2), st.sampled_from(KINDS), TEXTS), min_size=1
)


@settings(max_examples=40)
@given(ROWS, st.integers(0, 2**62), st.integers(1, 5), st.integers(1, 5))
def test_round_trip(
    contents: list[tuple[int, int, str, str]], first_seq: int, written: int, read: int
) -> None:
    """Any rows come back unchanged if their times and connections ascend, whatever the batches."""
    times, connections = (sorted(column) for column in list(zip(*contents, strict=True))[:2])
    texts = [content[2:] for content in contents]
    ordered = zip(times, connections, texts, strict=True)
    rows = [Row(first_seq + place, time, number, *text) for place, (time, number, text) in enumerate(ordered)]
    with tempfile.TemporaryDirectory() as directory:
        path = write_journal(Path(directory) / "a.journal", rows, written)
        got, extent = read_journal(path, size=read)
        assert path.stat().st_size == ends_of(rows)[-1]
    assert got == rows
    assert extent == JournalExtent(len(rows), ends_of(rows)[-1], 0, is_damaged=False)


def test_reading_starts_at_a_seq(tmp_path: Path) -> None:
    """Reading starts at a seq, in batches of the given size."""
    path = write_journal(tmp_path / "a.journal", frames(20))
    with JournalReader(path) as journal:
        batches = list(journal.batches(11, 4))
    assert [each.num_rows for each in batches] == [4, 4, 1]
    assert to_rows(batches) == frames(20)[11:]


def test_every_cut_leaves_the_whole_records(tmp_path: Path) -> None:
    """A journal cut at any byte has exactly the records before it, and reports the bytes after them."""
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
    """After a changed byte anywhere, the rows end with the record before it."""
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


def test_rows_that_do_not_count_up_are_damage(tmp_path: Path) -> None:
    """Intact records with a gap between them are an error that names the file."""
    path = write_journal(tmp_path / "a.journal", [MIXED[0], MIXED[1], MIXED[3]], batch_rows=1)
    with pytest.raises(DamagedTapeError, match=r"a\.journal.*row 3"):
        read_journal(path)


@pytest.mark.parametrize(
    ("name", "row", "code", "payload", "said"),
    [
        (f"{0:020d}.journal", (7, START, 0), 0, b"{}", "found row 7"),
        ("a.journal", (7, -1, 0), 0, b"{}", "the time -1"),
        ("a.journal", (7, START, -1), 0, b"{}", "the connection -1"),
        ("a.journal", (7, START, 2**31 - 1), 0, b"{}", "the connection 2147483647"),
        ("a.journal", (7, START, 0), 3, b"{}", "kind 3"),
        ("a.journal", (7, START, 0), 0, b'{"a":"\xff"}', "not UTF-8"),
        ("a.journal", (7, START, 0), 0, b'"\xed\xa0\x80"', "not UTF-8"),
    ],
)
def test_an_intact_record_is_not_believed(
    tmp_path: Path, name: str, row: tuple[int, int, int], code: int, payload: bytes, said: str
) -> None:
    """A record with a right checksum that can be no row, or not the first of its file, is damage."""
    body = BODY.pack(*row, code) + payload
    length = len(body).to_bytes(4, "little")
    (tmp_path / name).write_bytes(crc32(body, crc32(length)).to_bytes(4, "little") + length + body)
    with pytest.raises(DamagedTapeError, match=f"{name}.*{said}"):
        read_journal(tmp_path / name)


def test_an_empty_journal_has_no_rows(tmp_path: Path) -> None:
    """A journal without a record is intact and empty."""
    assert read_journal(write_journal(tmp_path / "a.journal", [])) == (
        [],
        JournalExtent(0, 0, 0, is_damaged=False),
    )


def append_many(path: Path, started: Event) -> None:
    """Append batches to a journal as fast as possible."""
    writer = AppendedFile(path)
    started.set()
    rows = frames(9_000)
    for start in range(0, len(rows), 3):
        writer.append(encoded(rows[start : start + 3]))
    writer.close()


def test_a_journal_at_work_never_looks_damaged(tmp_path: Path) -> None:
    """Rows that are appended while the records are counted do not look like damage."""
    path, started = tmp_path / "a.journal", FORK.Event()
    writer = FORK.Process(target=append_many, args=(path, started))
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
    """Open a journal, cut it as a writer does after a failed write, then read it."""
    with JournalReader(path) as journal:
        os.truncate(path, kept)
        rows = to_rows(journal.batches(0, 10))
    os._exit(0 if len(rows) <= 1 else 3)


@pytest.mark.parametrize("kept", [RECORD_BYTES, PAGE_BYTES])
def test_a_reader_outlives_a_journal_that_is_cut(tmp_path: Path, kept: int) -> None:
    """If rows are cut from under an open reader, its rows end; its process does not die."""
    rows = [Row(seq, START, 0, "frame", "x" * (10_000 if seq else kept - RECORD_BYTES)) for seq in range(10)]
    path = write_journal(tmp_path / "a.journal", rows)
    reader = FORK.Process(target=read_while_it_shrinks, args=(path, kept))
    reader.start()
    reader.join(60)
    assert reader.exitcode == 0


def test_torn_tail_is_cut_once(tmp_path: Path) -> None:
    """Cutting removes the torn bytes and nothing else; a second call cuts nothing."""
    path = write_journal(tmp_path / "a.journal", MIXED)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    torn = ends_of(MIXED)[-1] - ends_of(MIXED)[-2] - 1
    assert [cut_torn_tail(path), cut_torn_tail(path)] == [torn, 0]
    assert path.read_bytes() == whole[: ends_of(MIXED)[-2]]


def test_an_existing_journal_is_never_overwritten(tmp_path: Path) -> None:
    """Creating a journal that exists fails and does not change it."""
    path = write_journal(tmp_path / "a.journal", MIXED)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        AppendedFile(path)
    assert path.read_bytes() == before


def test_a_failed_write_leaves_whole_batches(tmp_path: Path) -> None:
    """A batch that does not fit on the disk leaves no byte, and later ones can follow."""
    path = tmp_path / "a.journal"
    writer = AppendedFile(path)
    writer.append(encoded(MIXED[:2]))
    big = [MIXED[2], MIXED[3]._replace(payload="x" * 100_000)]
    with file_size_limit(50_000), pytest.raises(OSError, match="File too large"):
        writer.append(encoded(big))
    assert path.stat().st_size == writer.size == ends_of(MIXED)[2]
    writer.append(encoded(MIXED[2:]))
    writer.close()
    assert read_journal(path)[0] == MIXED
