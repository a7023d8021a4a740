"""The writer of one product: where segments end, and what the next writer does with what a dead one left."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from orderbook.schema import TAPE_SCHEMA, empty_batch
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.errors import TapeError
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.format.segment_writer import write_segment
from replay.checking.verify import verify
from replay.running import api as running
from tests.support.constants import BTC, SECOND, START
from tests.support.fork import FORK
from tests.support.oracle import Row
from tests.support.rows import (
    ALL_ROWS,
    append_and_linger,
    file_size_limit,
    frames,
    journals,
    open_writer,
    read_rows,
    segment_lengths,
    tally,
    to_batch,
    write_tape,
)
from tests.support.tapes import segment_paths, snapshot, update, write_capture

MIDNIGHT = int(datetime(2026, 8, 10, tzinfo=UTC).timestamp()) * SECOND


def at_times(*times: int) -> list[Row]:
    """Return frames at times given in nanoseconds since START."""
    return [Row(seq, START + time, 0, "frame", str(seq)) for seq, time in enumerate(times)]


@pytest.mark.parametrize("batch_rows", [1, 3, 10_000])
def test_segments_end_by_rows(tmp_path: Path, batch_rows: int) -> None:
    """A segment holds exactly --segment-rows rows, the last one the rest."""
    tape = write_tape(tmp_path / "tape", frames(12), policy=SealPolicy(rows=5), batch_rows=batch_rows)
    assert segment_lengths(tape) == [5, 5, 2]


@pytest.mark.parametrize("batch_rows", [1, 3, 10_000])
def test_segments_end_by_payload_bytes(tmp_path: Path, batch_rows: int) -> None:
    """The row that brings the payload, counted in UTF-8 bytes, to --segment-bytes is a segment's last."""
    texts = ["x" * 10, "é" * 5, "x" * 5, "x" * 24, "x", "x" * 999, "x" * 25, "x"]
    rows = [Row(seq, START, 0, "frame", text) for seq, text in enumerate(texts)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(bytes=25), batch_rows=batch_rows)
    assert segment_lengths(tape) == [3, 2, 1, 1, 1]


@pytest.mark.parametrize("batch_rows", [1, 3, 10_000])
def test_segments_end_by_time(tmp_path: Path, batch_rows: int) -> None:
    """A row that comes --segment-time after a segment's first row begins the next one."""
    rows = at_times(0, 10 * SECOND - 1, 10 * SECOND, 10 * SECOND, 19 * SECOND, 20 * SECOND)
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(seconds=10), batch_rows=batch_rows)
    assert segment_lengths(tape) == [2, 3, 1]


@pytest.mark.parametrize("batch_rows", [1, 10_000])
def test_segments_end_at_midnight(tmp_path: Path, batch_rows: int) -> None:
    """A row at UTC midnight to the nanosecond belongs to the new date, the one before it to the old."""
    rows = at_times(0, MIDNIGHT - START - 1, MIDNIGHT - START, MIDNIGHT - START + 1)
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(seconds=1e6), batch_rows=batch_rows)
    assert [str(path.relative_to(tape)) for path in segment_paths(tape)] == [
        "product=BTC-USD/date=2026-08-09/00000000000000000000.parquet",
        "product=BTC-USD/date=2026-08-10/00000000000000000002.parquet",
    ]
    assert segment_lengths(tape) == [2, 2]


def test_a_quiet_product_is_sealed_in_time(tmp_path: Path) -> None:
    """A segment that is --segment-time old ends without another row, and not a nanosecond earlier."""
    clock = [START]
    with open_writer(tmp_path / "tape", policy=SealPolicy(seconds=10), now_ns=lambda: clock[0]) as writer:
        product = writer.products[BTC]
        product.append(to_batch(frames(3)))
        for now, sealed in ((START + 10 * SECOND - 1, []), (START + 10 * SECOND, [3])):
            clock[0] = now
            product.end_old_segment()
            product.seal(tally(), 3)
            assert segment_lengths(tmp_path / "tape") == sealed
        product.append(empty_batch(TAPE_SCHEMA))
        product.append(to_batch(frames(2, 3, start=clock[0])))
    assert read_rows(tmp_path / "tape") == [*frames(3), *frames(2, 3, start=clock[0])]


def test_only_what_went_through_the_core_is_sealed(tmp_path: Path) -> None:
    """An ended segment is sealed only after its last row was processed."""
    with open_writer(tmp_path / "tape", policy=SealPolicy(rows=5)) as writer:
        product = writer.products[BTC]
        product.append(to_batch(frames(12)))
        for processed, sealed in ((4, []), (5, [5]), (9, [5]), (12, [5, 5])):
            product.seal(tally(), processed)
            assert segment_lengths(tmp_path / "tape") == sealed
        assert len(journals(tmp_path / "tape")) == 1


def test_every_segment_has_the_digest_of_its_last_row(tmp_path: Path) -> None:
    """Segments have the same digests if they are sealed at once, batch by batch or at the end."""
    frames_ = [(0, snapshot(BTC)), *((n, update(BTC, ("buy", "98", str(n)))) for n in range(1, 50))]
    capture = write_capture(tmp_path / "a.jsonl", frames_)
    import_captures([capture], tmp_path / "tape", ImportSettings(seal=SealPolicy(rows=10)))
    entries = read_segment_list(tmp_path / "tape" / f"product={BTC}")
    assert [entry.rows for entry in entries] == [10, 10, 10, 10, 10, 2]
    for entry in entries[:-1]:
        part = tmp_path / f"part-{entry.first_seq}"
        some = write_capture(tmp_path / "b.jsonl", frames_[: entry.first_seq + entry.rows - 1])
        import_captures([some], part)
        assert read_segment_list(part / f"product={BTC}")[-1].digest == entry.digest


def test_reopening_goes_on(tmp_path: Path) -> None:
    """The next writer continues after the last row, with the next connection and no earlier recv_time."""
    rows = [row._replace(connection=2) for row in frames(8)]
    for seal in (True, False):
        tape = write_tape(tmp_path / f"sealed-{seal}", rows, policy=SealPolicy(rows=5), seal=seal)
        with open_writer(tape) as writer:
            position = writer.products[BTC].position
            assert (position.seq, position.connection, position.recv_time) == (8, 3, rows[-1].recv_time)
            writer.products[BTC].append(to_batch(frames(3, 8)))
        assert read_rows(tape) == rows + frames(3, 8)


def book_rows(number: int) -> list[Row]:
    """Return rows of a connection whose updates each move the book."""
    texts = ["{}", snapshot(BTC), *(update(BTC, ("buy", "98", str(n))) for n in range(1, number - 1))]
    return [
        Row(seq, START + seq, 0, "connected" if seq == 0 else "frame", text) for seq, text in enumerate(texts)
    ]


def continue_tape(tape: Path, directory: Path, torn: int = 0) -> None:
    """Import a capture to the tape of a dead writer; the digests must be those of a replay."""
    before = read_rows(tape)
    capture = write_capture(directory / "more.jsonl", [(SECOND, snapshot(BTC)), (2 * SECOND, update(BTC))])
    recorded = import_captures([capture], tape, ImportSettings(seal=SealPolicy(rows=40)))
    assert recorded.cut_bytes == torn
    assert read_rows(tape)[: len(before)] == before
    assert len(read_rows(tape)) == len(before) + 4
    assert not journals(tape)
    found = verify(tape)
    assert not found.damage
    assert found.checked_digests == len(segment_paths(tape))
    assert recorded.document()["digest"] == running.run(tape, keep=False).digest


def seal_rightly(tape: Path) -> None:
    """Seal the journals with the digest of a replay."""
    with open_writer(tape) as writer:
        writer.products[BTC].seal_all(running.run(tape, keep=False).tallies[BTC], ALL_ROWS)


@pytest.mark.parametrize("number", [30, 40, 100])
def test_a_killed_writer_loses_nothing(tmp_path: Path, number: int) -> None:
    """Rows that a process appended before SIGKILL are read, and sealed by the next with the right digests."""
    tape = tmp_path / "tape"
    appended = FORK.Event()
    other = FORK.Process(target=append_and_linger, args=(tape, book_rows(number), appended))
    other.start()
    assert appended.wait(60)
    other.kill()
    other.join(60)
    assert read_rows(tape) == book_rows(number)
    continue_tape(tape, tmp_path)


@pytest.mark.parametrize("torn", [1, 40])
def test_a_torn_tail_is_cut(tmp_path: Path, torn: int) -> None:
    """Readers ignore a record that a dying writer did not finish, and the next writer cuts it."""
    tape = write_tape(tmp_path / "tape", book_rows(20), seal=False)
    (journal,) = journals(tape)
    journal.write_bytes(journal.read_bytes() + b"\x01" * torn)
    assert read_rows(tape) == book_rows(20)
    continue_tape(tape, tmp_path, torn)


def test_a_journal_of_a_torn_record_alone_is_dropped(tmp_path: Path) -> None:
    """If a writer died in its first write to a new journal, the tape continues after the rows before it."""
    tape = write_tape(tmp_path / "tape", book_rows(20), seal=False)
    seal_rightly(tape)
    (tape / f"product={BTC}" / "_journal" / "00000000000000000020.journal").write_bytes(b"\x01" * 30)
    continue_tape(tape, tmp_path, 30)


def leave_unlisted(tape: Path) -> None:
    """Write the segment of a journal without listing it, as a crash between the two would."""
    directory = tape / f"product={BTC}"
    rows = read_rows(tape)
    path = directory / "date=2026-08-09" / "00000000000000000000.parquet"
    write_segment(path, BTC, 0, len(rows), [to_batch(rows)])


def leave_listed(tape: Path) -> None:
    """Keep the journal of a sealed segment, as a crash between listing and removing would."""
    (journal,) = journals(tape)
    kept = journal.read_bytes()
    seal_rightly(tape)
    journal.write_bytes(kept)


def leave_aside(tape: Path) -> None:
    """Leave half a segment aside, as a crash while it is written would."""
    directory = tape / f"product={BTC}" / "date=2026-08-09"
    directory.mkdir()
    (directory / "_00000000000000000000.parquet.tmp").write_bytes(b"PAR1 half")


def leave_half_a_line(tape: Path) -> None:
    """Leave a torn line in the list of segments, as a crash while it is written would."""
    leave_unlisted(tape)
    (tape / f"product={BTC}" / "_segments" / "2026-08-09.jsonl").write_bytes(b'{"file":"date=2026')


@pytest.mark.parametrize("crash", [leave_unlisted, leave_listed, leave_aside, leave_half_a_line])
def test_a_crash_while_sealing_doubles_nothing(tmp_path: Path, crash: Callable[[Path], None]) -> None:
    """At whichever step of sealing a writer dies, every row is there once, before and after it continues."""
    tape = write_tape(tmp_path / "tape", book_rows(20), seal=False)
    crash(tape)
    assert read_rows(tape) == book_rows(20)
    continue_tape(tape, tmp_path)
    table = ds.dataset(tape, partitioning="hive").to_table()
    assert sorted(table.column("seq").to_pylist()) == list(range(24))


def append_until_full(tape: Path, batches: Sequence[Sequence[Row]], limit: int) -> None:
    """Append batches, of which the last must fail; then seal the rest, as a recorder does."""
    with open_writer(tape, policy=SealPolicy(rows=5)) as writer:
        product = writer.products[BTC]
        for rows in batches[:-1]:
            product.append(to_batch(rows))
        with file_size_limit(limit), pytest.raises(OSError, match="File too large"):
            product.append(to_batch(batches[-1]))
        product.seal_all(tally(), ALL_ROWS)


def too_big(seq: int) -> Row:
    """Return a row that does not fit on the limited disk."""
    return Row(seq, START, 0, "frame", "x" * 100_000)


@pytest.mark.parametrize(
    "batches",
    [
        pytest.param([[too_big(0)]], id="first row of the tape"),
        pytest.param([frames(3), [too_big(3)]], id="inside a segment"),
        pytest.param([frames(5), [too_big(5)]], id="first row of a segment"),
        pytest.param([[*frames(5), too_big(5)]], id="behind a split"),
    ],
)
def test_a_failed_write_takes_nothing_else(tmp_path: Path, batches: list[list[Row]]) -> None:
    """If the journal cannot take a batch, the rows before the failure are intact and the tape is valid."""
    tape = tmp_path / "tape"
    append_until_full(tape, batches, 50_000)
    rows = [row for rows in batches for row in rows]
    kept = read_rows(tape)
    assert kept == rows[: len(kept)]
    assert sum(map(len, batches[:-1])) <= len(kept) < len(rows)
    assert not verify(tape).damage
    with open_writer(tape) as writer:
        assert writer.products[BTC].position.seq == len(kept)


def test_journals_with_a_hole_between_them_are_refused(tmp_path: Path) -> None:
    """A writer refuses to continue after a missing journal, and names the missing row."""
    tape = write_tape(tmp_path / "tape", frames(12), policy=SealPolicy(rows=5), seal=False)
    journals(tape)[1].unlink()
    with pytest.raises(TapeError, match="row 10, expected row 5"):
        open_writer(tape)
