"""Reading a tape: the rows as written, also beside a writer, and never wrong ones of a damaged file."""

import json
import multiprocessing
import pickle
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orderbook.schema import TAPE_SCHEMA
from recorder.tape.errors import DamagedTapeError, NewerTapeError, NotATapeError, UnknownProductError
from recorder.tape.policy import SealPolicy
from recorder.tape.reader import Tape
from recorder.tape.segment import ROW_GROUP_BYTES
from tests.oracle import Row
from tests.recorder.rows import (
    ALL_ROWS,
    BTC,
    START,
    batch,
    frames,
    journals,
    open_writer,
    plain,
    read_rows,
    record_rows,
    segments,
    tally,
    write_tape,
)
from tests.replay.tapes import command, edit_catalog, flip_byte

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def half_sealed(tmp_path: Path) -> Path:
    """Return a tape of 100 rows: three sealed segments of 30 and a journal."""
    tape = write_tape(tmp_path / "tape", frames(90), policy=SealPolicy(rows=30))
    with open_writer(tape) as writer:
        writer.products[BTC].append(batch(frames(10, 90)))
    return tape


@pytest.mark.parametrize("size", [1, 7, 30, 10_000])
def test_batch_size_changes_nothing_but_the_cut(half_sealed: Path, size: int) -> None:
    """Batches of any size hold the same rows, none is larger than asked for and none empty."""
    batches = list(Tape.open(half_sealed).product(BTC).batches(size))
    assert plain(batches) == frames(100)
    assert all(0 < each.num_rows <= size for each in batches)


@pytest.mark.parametrize("first_seq", [0, 1, 29, 30, 31, 89, 90, 95, 99, 100, 1000])
def test_reading_starts_at_a_seq(half_sealed: Path, first_seq: int) -> None:
    """Reading from a seq on gives exactly the rows from there, in segments and in the journal."""
    for size in (1, 7, 10_000):
        assert read_rows(half_sealed, size=size, first_seq=first_seq) == frames(100)[first_seq:]


def test_reading_writes_nothing(half_sealed: Path) -> None:
    """A reader leaves every file and name of a tape as it is."""
    before = {path: path.stat().st_mtime_ns for path in half_sealed.rglob("*")}
    read_rows(half_sealed)
    assert {path: path.stat().st_mtime_ns for path in half_sealed.rglob("*")} == before


@pytest.mark.parametrize("size", [7, 1000])
def test_batches_own_their_memory(tmp_path: Path, size: int) -> None:
    """A pickled batch is as large as its rows, wherever it was cut from."""
    rows = [row._replace(payload="x" * 1000) for row in frames(3000)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=2000), seal=False)
    with open_writer(tape) as writer:
        writer.products[BTC].seal(tally(), 2000)
    for first_seq in (0, 995, 1995):
        for each in Tape.open(tape).product(BTC).batches(size, first_seq):
            assert len(pickle.dumps(each)) < each.num_rows * 1100 + 4096


def test_a_reading_holds_a_row_group_and_not_the_file(tmp_path: Path) -> None:
    """However long a merged segment is, what Arrow holds while it is read stays far below the file."""
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
    (path,) = segments(tmp_path / "tape")
    before = pa.total_allocated_bytes()
    held = [
        pa.total_allocated_bytes() - before for _ in Tape.open(tmp_path / "tape").product(BTC).batches(1024)
    ]
    assert len(held) > 90
    assert max(held) < path.stat().st_size / 2


def test_large_frames_make_row_groups_of_fewer_rows(tmp_path: Path) -> None:
    """A writer holds some megabytes of frames at a time, also where each is a snapshot."""
    text = "x" * 5_000_000
    rows = [row._replace(payload=text) for row in frames(20)]
    tape = write_tape(tmp_path / "tape", rows, batch_rows=1)
    (path,) = segments(tape)
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert sum(groups) == 20
    assert max(groups) * len(text) < 2 * ROW_GROUP_BYTES
    assert read_rows(tape, first_seq=9, size=1) == rows[9:]


def test_a_reader_beside_a_writer_sees_no_hole(tmp_path: Path) -> None:
    """Whatever is sealed meanwhile, every look at a growing tape gives row 0 to some row, never fewer."""
    tape, number = tmp_path / "tape", 3000
    expected = frames(number)
    started = SPAWN.Event()
    writer = SPAWN.Process(target=record_rows, args=(tape, number, started))
    writer.start()
    assert started.wait(60)
    looks = seen = 0
    while True:
        ended = not writer.is_alive()
        rows = read_rows(tape, size=11)
        assert rows == expected[: len(rows)]
        assert len(rows) >= seen
        looks, seen = looks + 1, len(rows)
        if ended:
            break
    assert writer.exitcode == 0
    assert seen == number
    assert looks > 3
    assert len(segments(tape)) == number // 50


# Damage


def corrupt(path: Path, place: int, mask: int) -> None:
    """Change bits of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(data)


def test_a_flipped_byte_of_a_page_is_found(half_sealed: Path) -> None:
    """Any changed byte of a column's stored data is an error that names the file."""
    path = segments(half_sealed)[1]
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
    (path,) = segments(tape)
    whole = path.read_bytes()
    wrong = []
    for place in range(len(whole)):
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
    """Return of each row group the segment's row that it begins with, and where its payload's pages end."""
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
    starts = list(accumulate((group.num_rows for group in groups), initial=0))[:-1]
    payloads = [group.column(4) for group in groups]
    return starts, [chunk.data_page_offset + chunk.total_compressed_size for chunk in payloads]


def test_row_groups_before_the_start_are_not_read(tmp_path: Path) -> None:
    """Damage in a row group is nothing to a reading from one behind it, and an error to any other."""
    rows = frames(40_000)
    tape = write_tape(tmp_path / "tape", rows)
    (path,) = segments(tape)
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
    """Write a tape's one segment again in row groups of so many rows; return its path."""
    (path,) = segments(tape)
    table = pq.ParquetFile(path).read()
    pq.write_table(table, path, row_group_size=rows, write_page_checksum=True)
    edit_catalog(tape, BTC, 0, bytes=path.stat().st_size)
    return path


@pytest.mark.parametrize("group_rows", [1, 7, 25, 100])
def test_reading_starts_at_every_seq_of_every_row_group(tmp_path: Path, group_rows: int) -> None:
    """Wherever row groups end and however large batches are, reading from a seq gives the rows from there."""
    rows = frames(50)
    tape = write_tape(tmp_path / "tape", rows)
    in_row_groups(tape, group_rows)
    for first_seq in range(52):
        for size in (1, 6, 7, 8, 100):
            assert read_rows(tape, size=size, first_seq=first_seq) == rows[first_seq:]


@pytest.mark.parametrize("first_seq", [0, 30])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_fewer_or_more_rows_is_damage(tmp_path: Path, first_seq: int, change: int) -> None:
    """Where a whole Parquet file has not the rows that were sealed, no reading takes it for the segment."""
    tape = write_tape(tmp_path / "tape", frames(50))
    path = in_row_groups(tape, 7)
    edit_catalog(tape, BTC, 0, rows=50 + change)
    with pytest.raises(DamagedTapeError, match=path.name):
        read_rows(tape, first_seq=first_seq)


def test_other_rows_in_a_row_group_are_damage(tmp_path: Path) -> None:
    """Row groups whose rows are not those that belong there are found from wherever reading begins."""
    tape = write_tape(tmp_path / "tape", frames(50))
    (path,) = segments(tape)
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
    """Replace a file's footer by bytes that are none."""
    data = path.read_bytes()
    path.write_bytes(data[:-200] + b"\xa5" * 192 + data[-8:])


def replace_all(path: Path) -> None:
    """Replace a file by zeros."""
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [truncate, garble_footer, replace_all, Path.unlink])
def test_a_damaged_segment_is_named(half_sealed: Path, damage: Callable[[Path], None]) -> None:
    """A segment that is cut, garbled or gone is an error that names it; the rows before it are right."""
    path = segments(half_sealed)[1]
    damage(path)
    before: list[Row] = []
    with pytest.raises(DamagedTapeError, match=path.name):
        before.extend(row for each in Tape.open(half_sealed).product(BTC).batches(7) for row in plain([each]))
    assert before == frames(30)


@pytest.mark.parametrize(
    "line", ["{}", "no JSON", '{"file": 1}', ""], ids=["empty object", "no JSON", "wrong type", "empty line"]
)
def test_a_damaged_list_of_segments_is_named(half_sealed: Path, line: str) -> None:
    """A line that is no entry is an error that names file and line."""
    path = half_sealed / f"product={BTC}" / "_segments.jsonl"
    lines = path.read_text().splitlines()
    lines[1] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DamagedTapeError, match=r"_segments\.jsonl: line 2"):
        read_rows(half_sealed)


def test_a_list_of_segments_with_a_hole_is_damage(half_sealed: Path) -> None:
    """Segments that do not follow one another are an error, not a jump in the rows."""
    path = half_sealed / f"product={BTC}" / "_segments.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}\n{lines[2]}\n")
    with pytest.raises(DamagedTapeError, match="row 60 where row 30 belongs"):
        read_rows(half_sealed)


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_hole_between_journals_is_damage(tmp_path: Path, damage: str) -> None:
    """Where a journal is damaged that another one follows, readers say so and do not jump over rows."""
    tape = write_tape(tmp_path / "tape", frames(12), policy=SealPolicy(rows=5), seal=False)
    path = journals(tape)[1]
    if damage == "flipped":
        flip_byte(path, 60)
    else:
        path.unlink()
    with pytest.raises(DamagedTapeError):
        read_rows(tape)


def test_a_hole_between_segments_and_journal_is_damage(half_sealed: Path) -> None:
    """Where the last line of the list of segments is gone, readers do not jump to the journal's rows."""
    path = half_sealed / f"product={BTC}" / "_segments.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DamagedTapeError):
        read_rows(half_sealed)


# What is no tape


def test_a_newer_format_is_refused(half_sealed: Path) -> None:
    """A tape of a format that is yet to come is refused by path, whatever else its manifest says."""
    for manifest in ({"format": 2}, {"format": 2, "feed": "else", "products": {"a": 1}}):
        (half_sealed / "_tape.json").write_text(json.dumps(manifest))
        with pytest.raises(NewerTapeError, match=f"{half_sealed}.*format 2"):
            Tape.open(half_sealed)
        with pytest.raises(NewerTapeError):
            open_writer(half_sealed)


@pytest.mark.parametrize("place", ["missing", "missing/below", "file", "other", "empty"])
def test_what_is_no_tape_is_refused(tmp_path: Path, place: str) -> None:
    """A missing directory, a file, a directory with other files and an empty one are named as no tape."""
    (tmp_path / "file").write_text("PAR1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.parquet").write_text("PAR1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotATapeError, match=str(tmp_path / place)):
        Tape.open(tmp_path / place)


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"format": "1"}',
        '{"format": 0, "feed": "exchange", "products": [], "created": "", "software": ""}',
        '{"format": 1, "feed": "kraken", "products": [], "created": "", "software": ""}',
        '{"format": 1, "feed": "exchange", "products": ["../x"], "created": "", "software": ""}',
        '{"format": 1, "feed": "exchange", "products": "BTC-USD", "created": "", "software": ""}',
    ],
)
def test_a_manifest_that_is_none_is_named(half_sealed: Path, manifest: str) -> None:
    """A manifest that says nothing sensible is an error that names it."""
    (half_sealed / "_tape.json").write_text(manifest)
    with pytest.raises(NotATapeError, match=r"_tape\.json"):
        Tape.open(half_sealed)


def test_an_unknown_product_is_refused(half_sealed: Path) -> None:
    """A product that is not on the tape is an error that tells those that are."""
    for product in ("ETH-USD", "../x", ""):
        with pytest.raises(UnknownProductError, match="it has BTC-USD"):
            Tape.open(half_sealed).product(product)


def test_products_are_selected_sorted_and_once(tmp_path: Path) -> None:
    """A selection is sorted and holds each product once; none named means all."""
    with open_writer(tmp_path / "tape", "ETH-USD", BTC, "ADA-USD"):
        tape = Tape.open(tmp_path / "tape")
    assert tape.select(()) == ("ADA-USD", BTC, "ETH-USD")
    assert tape.select(("ETH-USD", BTC, "ETH-USD")) == (BTC, "ETH-USD")
    assert list(tape.product("ADA-USD").batches()) == []


def test_a_bad_record_in_a_journal_is_not_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whole records behind a bad one are rows that are missing: every reader says so, and verify fails."""
    tape = write_tape(tmp_path / "tape", frames(40), batch_rows=5, seal=False)
    (journal,) = journals(tape)
    flip_byte(journal, journal.stat().st_size // 2)
    read = read_rows(tape)
    assert read == frames(40)[: len(read)]
    assert f"{journal.name}: a bad record after row {len(read) - 1}" in caplog.text
    assert command("verify", tape).exit_code == 1
    done = command("inspect", tape)
    assert "a bad record, with whole ones behind it" in done.stdout
    with open_writer(tape):
        pass  # a recorder goes on after the last good row, and keeps the rest beside
    (kept,) = tape.glob("product=*/_journal/*.damaged")
    assert kept.stat().st_mode & 0o777 == 0o600
    verified = command("verify", tape)
    assert verified.exit_code == 0
    assert kept.name in verified.stdout


def test_journals_that_cannot_be_listed_are_not_no_journals(tmp_path: Path) -> None:
    """A file where the directory of journals should be is told, not taken for a tape without rows."""
    tape = write_tape(tmp_path / "tape", frames(40), batch_rows=5, seal=False)
    directory = journals(tape)[0].parent
    directory.rename(directory.with_name("_elsewhere"))
    directory.write_text("")
    with pytest.raises(DamagedTapeError, match="cannot be listed"):
        read_rows(tape)
