"""The tape's writer: where segments end, what its files hold, and what is left of a writer that died."""

import json
import multiprocessing
import os
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from orderbook.schema import TAPE_SCHEMA, empty_batch
from recorder.record import import_captures
from recorder.tape.catalog import read_catalog
from recorder.tape.errors import LockedTapeError, NotATapeError, TapeError, UnknownProductError
from recorder.tape.policy import SealPolicy
from recorder.tape.reader import Tape
from recorder.tape.segment import write_segment
from recorder.tape.writer import TapeWriter
from replay import running
from replay.verifying import verify
from tests.oracle import Row
from tests.recorder.rows import (
    ALL_ROWS,
    BTC,
    SECOND,
    START,
    append_and_linger,
    batch,
    file_size_limit,
    frames,
    hold_lock,
    in_batches,
    journals,
    open_writer,
    plain,
    read_rows,
    segments,
    tally,
    write_tape,
)
from tests.replay.tapes import snapshot, update, write_capture

SPAWN = multiprocessing.get_context("spawn")
MIDNIGHT = int(datetime(2026, 8, 10, tzinfo=UTC).timestamp()) * SECOND


def segment_lengths(tape: Path) -> list[int]:
    """Return the rows of each sealed segment, as the list of segments and the files have it."""
    entries = read_catalog(tape / f"product={BTC}")
    assert [pq.read_metadata(tape / f"product={BTC}" / entry.file).num_rows for entry in entries] == [
        entry.rows for entry in entries
    ]
    return [entry.rows for entry in entries]


def at_times(*times: int) -> list[Row]:
    """Return frames at times given in nanoseconds since START."""
    return [Row(seq, START + time, 0, "frame", str(seq)) for seq, time in enumerate(times)]


# Rows in, rows out


@pytest.mark.parametrize("batch_rows", [1, 7, 10_000])
def test_rows_come_back(tmp_path: Path, batch_rows: int) -> None:
    """Rows come back byte for byte out of segments and the journal together."""
    rows = frames(100)
    with open_writer(tmp_path / "tape", policy=SealPolicy(rows=30)) as writer:
        product = writer.products[BTC]
        parts = [part for each in in_batches(rows, batch_rows) for part in product.append(each)]
        assert plain(parts) == rows
        assert read_rows(tmp_path / "tape") == rows
        product.seal(tally(), 95)
        assert segment_lengths(tmp_path / "tape") == [30, 30, 30]
        assert read_rows(tmp_path / "tape") == rows
    assert read_rows(tmp_path / "tape") == rows


def test_odd_texts_come_back_sealed(tmp_path: Path) -> None:
    """Empty, multi-byte, NUL-holding, multi-line and large texts come back from a segment as they were."""
    texts = ["", "\x00", "a\nb\r\n", "Größe \U0001f600 \ufeff", " {", "x" * 6_000_000, "\ud7ff\ue000"]
    rows = [Row(seq, START, 0, "frame", text) for seq, text in enumerate(texts)]
    assert read_rows(write_tape(tmp_path / "tape", rows)) == rows


# Where segments end


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
    assert [str(path.relative_to(tape)) for path in segments(tape)] == [
        "product=BTC-USD/date=2026-08-09/00000000000000000000.parquet",
        "product=BTC-USD/date=2026-08-10/00000000000000000002.parquet",
    ]
    assert segment_lengths(tape) == [2, 2]


def test_a_quiet_product_is_sealed_by_a_tick(tmp_path: Path) -> None:
    """An empty batch ends a segment of --segment-time and not a nanosecond before."""
    clock = [START]
    with open_writer(tmp_path / "tape", policy=SealPolicy(seconds=10), now_ns=lambda: clock[0]) as writer:
        product = writer.products[BTC]
        product.append(batch(frames(3)))
        for now, sealed in ((START + 10 * SECOND - 1, []), (START + 10 * SECOND, [3])):
            clock[0] = now
            (tick,) = product.append(empty_batch(TAPE_SCHEMA))
            assert tick.num_rows == 0
            product.seal(tally(), 3)
            assert segment_lengths(tmp_path / "tape") == sealed
        product.append(empty_batch(TAPE_SCHEMA))
        product.append(batch(frames(2, 3, start=clock[0])))
    assert read_rows(tmp_path / "tape") == [*frames(3), *frames(2, 3, start=clock[0])]


def test_only_what_went_through_the_core_is_sealed(tmp_path: Path) -> None:
    """An ended segment waits for its last row to have been through the core."""
    with open_writer(tmp_path / "tape", policy=SealPolicy(rows=5)) as writer:
        product = writer.products[BTC]
        product.append(batch(frames(12)))
        for processed, sealed in ((4, []), (5, [5]), (9, [5]), (12, [5, 5])):
            product.seal(tally(), processed)
            assert segment_lengths(tmp_path / "tape") == sealed
        assert len(journals(tmp_path / "tape")) == 1


def test_every_segment_has_the_digest_of_its_last_row(tmp_path: Path) -> None:
    """What is sealed at once, batch by batch or at the end carries the same digests."""
    frames_ = [(0, snapshot(BTC)), *((n, update(BTC, ("buy", "98", str(n)))) for n in range(1, 50))]
    capture = write_capture(tmp_path / "a.jsonl", frames_)
    import_captures([capture], tmp_path / "tape", "jsonl", policy=SealPolicy(rows=10))
    entries = read_catalog(tmp_path / "tape" / f"product={BTC}")
    assert [entry.rows for entry in entries] == [10, 10, 10, 10, 10, 2]
    for entry in entries[:-1]:
        part = tmp_path / f"part-{entry.first_seq}"
        some = write_capture(tmp_path / "b.jsonl", frames_[: entry.first_seq + entry.rows - 1])
        import_captures([some], part, "jsonl")
        assert read_catalog(part / f"product={BTC}")[-1].digest == entry.digest


# What the files hold


def test_columns_and_encodings(tmp_path: Path) -> None:
    """A segment has the contract's columns, types, encodings, compression and facts."""
    rows = frames(1000)
    (path,) = segments(write_tape(tmp_path / "tape", rows))
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
    assert plain([file.read()]) == rows
    file.close()


def test_pages_carry_checksums(tmp_path: Path) -> None:
    """A changed byte of a page's data is found by its checksum."""
    (path,) = segments(write_tape(tmp_path / "tape", frames(1000)))
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(0).column(4)
        middle = column.data_page_offset + column.total_compressed_size // 2
    data = bytearray(path.read_bytes())
    data[middle] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match="CRC checksum"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_the_list_of_segments(tmp_path: Path) -> None:
    """Each line of _segments.jsonl tells file, rows, times, connections, size and checksum of a segment."""
    rows = [row._replace(connection=row.seq // 4) for row in frames(12)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=10))
    lines = (tape / f"product={BTC}" / "_segments.jsonl").read_bytes().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first["file"] == "date=2026-08-09/00000000000000000000.parquet"
    assert (first["first_seq"], first["rows"], first["connections"]) == (0, 10, [0, 2])
    assert (second["first_seq"], second["rows"], second["connections"]) == (10, 2, [2, 2])
    assert first["first_recv_time"] == "2026-08-09T21:05:48.000000000Z"
    assert first["last_recv_time"] == "2026-08-09T21:05:48.000009000Z"
    assert first["bytes"] == segments(tape)[0].stat().st_size
    assert not verify(tape).damage


def test_the_manifest(tmp_path: Path) -> None:
    """_tape.json holds format, feed, products, when it was made and by what."""
    tape = write_tape(tmp_path / "tape", frames(1))
    assert json.loads((tape / "_tape.json").read_bytes()) == {
        "format": 1,
        "feed": "exchange",
        "products": [BTC],
        "created": "2026-08-09T21:05:48.000000000Z",
        "software": "test 0",
    }


def test_files_are_private(tmp_path: Path) -> None:
    """No file of a tape can be read by others, whatever the umask says."""
    before = os.umask(0)
    try:
        with open_writer(tmp_path / "tape", policy=SealPolicy(rows=5)) as writer:
            writer.products[BTC].append(batch(frames(7)))
            writer.products[BTC].seal(tally(), 7)
            files = [path for path in (tmp_path / "tape").rglob("*") if path.is_file()]
    finally:
        os.umask(before)
    assert len(files) > 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def hidden(path: Path, tape: Path) -> bool:
    """Tell whether a path begins with `_` or lies under one that does."""
    return any(part.startswith("_") for part in path.relative_to(tape).parts)


def test_every_other_file_is_hidden(tmp_path: Path) -> None:
    """Nothing but a sealed segment ends in .parquet, and all else is passed over by Arrow and others."""
    tape = tmp_path / "tape"
    with open_writer(tape, policy=SealPolicy(rows=5)) as writer:
        writer.products[BTC].append(batch(frames(7)))
        writer.products[BTC].seal(tally(), 7)
        files = [path for path in tape.rglob("*") if path.is_file()]
        seen = [path for path in files if not hidden(path, tape)]
        assert seen == segments(tape)
        assert len(files) > 4


def test_arrow_reads_a_tape_as_it_is(tmp_path: Path) -> None:
    """A hive dataset of a tape's directory holds the sealed rows, also while a journal exists."""
    tape = tmp_path / "tape"
    with open_writer(tape, BTC, "ETH-USD", policy=SealPolicy(rows=5)) as writer:
        for product in writer.products.values():
            product.append(batch(frames(17)))
            product.seal(tally(), 17)
        table = ds.dataset(tape, partitioning="hive").to_table()
    assert set(table.column("product").to_pylist()) == {BTC, "ETH-USD"}
    assert set(map(str, table.column("date").to_pylist())) == {"2026-08-09"}
    for name in (BTC, "ETH-USD"):
        part = table.filter(pc.equal(table.column("product"), name)).sort_by("seq")
        assert plain([part]) == frames(15)


# Going on with a tape


def test_reopening_goes_on(tmp_path: Path) -> None:
    """The next writer goes on after the last row, one connection up, not before its last recv_time."""
    rows = [row._replace(connection=2) for row in frames(8)]
    for seal in (True, False):
        tape = write_tape(tmp_path / f"sealed-{seal}", rows, policy=SealPolicy(rows=5), seal=seal)
        with open_writer(tape) as writer:
            position = writer.products[BTC].position
            assert (position.seq, position.connection, position.recv_time) == (8, 3, rows[-1].recv_time)
            writer.products[BTC].append(batch(frames(3, 8)))
        assert read_rows(tape) == rows + frames(3, 8)


def test_products_join(tmp_path: Path) -> None:
    """A product that is new to a tape begins at row 0 and leaves the others as they are."""
    tape = write_tape(tmp_path / "tape", frames(8))
    with open_writer(tape, "ETH-USD", BTC) as writer:
        assert {product: each.position.seq for product, each in writer.products.items()} == {
            "ETH-USD": 0,
            BTC: 8,
        }
    assert Tape.open(tape).manifest.products == (BTC, "ETH-USD")
    with open_writer(tape, "ETH-USD"):
        pass
    assert Tape.open(tape).manifest.products == (BTC, "ETH-USD")


def test_a_tape_of_another_feed_is_refused(tmp_path: Path) -> None:
    """Frames of two dialects never meet on one tape; the refused writer leaves it free for the next."""
    tape = write_tape(tmp_path / "tape", frames(2))
    with pytest.raises(NotATapeError, match="exchange"):
        TapeWriter.open(tape, "advanced", [BTC], "test 0")
    with open_writer(tape):
        pass


@pytest.mark.parametrize(
    "product", ["../x", "/etc", "a\nb", "", ".", "BTC/USD", "BTC-USD\n", "_x", "BTC-USD "]
)
def test_a_name_that_is_no_product_is_refused(tmp_path: Path, product: str) -> None:
    """What cannot be a product id never becomes part of a path, and nothing is made."""
    with pytest.raises(UnknownProductError):
        open_writer(tmp_path / "tape", BTC, product)
    assert not list(tmp_path.iterdir())


def test_other_places_are_refused(tmp_path: Path) -> None:
    """A directory with other files and a file are no place for a tape, and stay as they are."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    for path in (tmp_path / "other", tmp_path / "other" / "file", tmp_path / "other" / "file" / "tape"):
        with pytest.raises(NotATapeError, match="other"):
            open_writer(path)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["file"]
    assert (tmp_path / "other" / "file").read_text() == "mine"


# One writer at a time


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """While a tape is open no second writer gets it, and afterwards it does."""
    with open_writer(tmp_path / "tape"), pytest.raises(LockedTapeError, match="another recorder"):
        open_writer(tmp_path / "tape", "ETH-USD")
    with open_writer(tmp_path / "tape"):
        assert Tape.open(tmp_path / "tape").manifest.products == (BTC,)


def test_a_writer_of_another_process_is_refused(tmp_path: Path) -> None:
    """The lock holds between processes and ends with its holder."""
    held, release = SPAWN.Event(), SPAWN.Event()
    other = SPAWN.Process(target=hold_lock, args=(tmp_path / "tape", held, release))
    other.start()
    assert held.wait(60)
    with pytest.raises(LockedTapeError):
        open_writer(tmp_path / "tape")
    release.set()
    other.join(60)
    with open_writer(tmp_path / "tape"):
        pass


# What a dead writer left


def book_rows(number: int) -> list[Row]:
    """Return rows of a connection whose updates each move the book."""
    texts = ["{}", snapshot(BTC), *(update(BTC, ("buy", "98", str(n))) for n in range(1, number - 1))]
    return [
        Row(seq, START + seq, 0, "connected" if seq == 0 else "frame", text) for seq, text in enumerate(texts)
    ]


def go_on(tape: Path, directory: Path, torn: int = 0) -> None:
    """Import a capture to a tape that a dead writer left; the digests must be those of a whole replay."""
    before = read_rows(tape)
    capture = write_capture(directory / "more.jsonl", [(SECOND, snapshot(BTC)), (2 * SECOND, update(BTC))])
    recorded = import_captures([capture], tape, "jsonl", policy=SealPolicy(rows=40))
    assert recorded.cut_bytes == torn
    assert read_rows(tape)[: len(before)] == before
    assert len(read_rows(tape)) == len(before) + 4
    assert not journals(tape)
    found = verify(tape)
    assert not found.damage
    assert found.checked_digests == len(segments(tape))
    assert recorded.document()["digest"] == running.run(tape, keep=False).digest


def seal_rightly(tape: Path) -> None:
    """Seal what is in the journals with the digest that a replay has."""
    with open_writer(tape) as writer:
        writer.products[BTC].seal_all(running.run(tape, keep=False).tallies[BTC], ALL_ROWS)


@pytest.mark.parametrize("number", [30, 40, 100])
def test_a_killed_writer_loses_nothing(tmp_path: Path, number: int) -> None:
    """Rows that a process appended before SIGKILL are read, and sealed by the next with the right digests."""
    tape = tmp_path / "tape"
    appended = SPAWN.Event()
    other = SPAWN.Process(target=append_and_linger, args=(tape, book_rows(number), appended))
    other.start()
    assert appended.wait(60)
    other.kill()
    other.join(60)
    assert read_rows(tape) == book_rows(number)
    go_on(tape, tmp_path)


@pytest.mark.parametrize("torn", [1, 40])
def test_a_torn_tail_is_cut(tmp_path: Path, torn: int) -> None:
    """A record that a dying writer did not finish is no row for readers, and is cut by the next writer."""
    tape = write_tape(tmp_path / "tape", book_rows(20), seal=False)
    (journal,) = journals(tape)
    journal.write_bytes(journal.read_bytes() + b"\x01" * torn)
    assert read_rows(tape) == book_rows(20)
    go_on(tape, tmp_path, torn)


def test_a_journal_of_a_torn_record_alone_is_dropped(tmp_path: Path) -> None:
    """Where a writer died in its first write to a new journal, the tape goes on after the rows before."""
    tape = write_tape(tmp_path / "tape", book_rows(20), seal=False)
    seal_rightly(tape)
    (tape / f"product={BTC}" / "_journal" / "00000000000000000020.journal").write_bytes(b"\x01" * 30)
    go_on(tape, tmp_path, 30)


def leave_unlisted(tape: Path) -> None:
    """Give a journal's rows their segment without listing it, as a crash between the two would."""
    directory = tape / f"product={BTC}"
    rows = read_rows(tape)
    path = directory / "date=2026-08-09" / "00000000000000000000.parquet"
    write_segment(path, BTC, 0, len(rows), [batch(rows)])


def leave_listed(tape: Path) -> None:
    """Keep the journal of a sealed segment, as a crash between listing and dropping would."""
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
    (tape / f"product={BTC}" / "_segments.jsonl").write_bytes(b'{"file":"date=2026')


@pytest.mark.parametrize("crash", [leave_unlisted, leave_listed, leave_aside, leave_half_a_line])
def test_a_crash_while_sealing_doubles_nothing(tmp_path: Path, crash: Callable[[Path], None]) -> None:
    """At whichever step of sealing a writer dies, every row is there once, before and after going on."""
    tape = write_tape(tmp_path / "tape", book_rows(20), seal=False)
    crash(tape)
    assert read_rows(tape) == book_rows(20)
    go_on(tape, tmp_path)
    table = ds.dataset(tape, partitioning="hive").to_table()
    assert sorted(table.column("seq").to_pylist()) == list(range(24))


# A disk that takes no more


def append_until_full(tape: Path, batches: Sequence[Sequence[Row]], limit: int) -> None:
    """Append batches; the last one must fail. Then end as a recorder does: seal what is there."""
    with open_writer(tape, policy=SealPolicy(rows=5)) as writer:
        product = writer.products[BTC]
        for rows in batches[:-1]:
            product.append(batch(rows))
        with file_size_limit(limit), pytest.raises(OSError, match="File too large"):
            product.append(batch(batches[-1]))
        product.seal_all(tally(), ALL_ROWS)


def too_big(seq: int) -> Row:
    """Return a row that the limited disk does not take."""
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
    """Where the journal cannot take a batch, the rows before what failed are intact and the tape is whole."""
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
    """A writer does not go on behind a journal that is missing, and says which row it misses."""
    tape = write_tape(tmp_path / "tape", frames(12), policy=SealPolicy(rows=5), seal=False)
    journals(tape)[1].unlink()
    with pytest.raises(TapeError, match="row 10 where row 5 belongs"):
        open_writer(tape)


def test_times_of_1970_are_times(tmp_path: Path) -> None:
    """A tape whose last recv_time is the first instant of 1970 can be read like any other."""
    rows = [row._replace(recv_time=0) for row in frames(3)]
    tape = write_tape(tmp_path / "tape", rows)
    assert read_rows(tape) == rows


def test_the_last_times_are_times(tmp_path: Path) -> None:
    """A tape of the last instants that the columns hold can be written and read like any other."""
    rows = [row._replace(recv_time=2**63 - 4 + row.seq) for row in frames(3)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=2))
    assert read_rows(tape) == rows
