"""Taking up a digest: wherever a tape was left, the next recording's digests are those of a whole replay."""

import random
import re
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orderbook.digest import BLOCK
from orderbook.engine import PlainEngine
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.format.sidecars import write_book
from recorder.tape.reader import Tape
from recorder.tape.recovery import resume
from replay.checking.verify import verify
from replay.running import api as running
from tests.support.commands import end, refusing_port, running_booktape
from tests.support.constants import BTC, START
from tests.support.oracle import Row
from tests.support.rows import in_batches, journals, open_writer, read_rows
from tests.support.tapes import (
    Timed,
    catalog,
    edit_catalog,
    flip_byte,
    list_path,
    segment_paths,
    snapshot,
    update,
    write_capture,
)


def book(number: int, seed: int) -> list[Timed]:
    """Return frames of a book whose best prices move, times in nanoseconds."""
    rng = random.Random(seed)
    frames: list[Timed] = [(seed * 10**9, snapshot(BTC))]
    for place in range(1, number):
        size = rng.choice(["0", "1", "2"])
        side, price = rng.choice([("buy", f"98.{rng.randrange(9)}"), ("sell", f"101.{rng.randrange(9)}")])
        frames.append((seed * 10**9 + place, update(BTC, (side, price, size))))
    return frames


def append(tape: Path, frames: list[Timed], policy: SealPolicy) -> dict[str, object]:
    """Import frames to a tape as one more connection; return what it prints."""
    capture = write_capture(tape.parent / "capture.jsonl", frames)
    return import_captures([capture], tape, ImportSettings(seal=policy)).document()


@pytest.mark.parametrize(
    ("lengths", "rows"),
    [
        ((3, 1, 10), 50_000),
        *(((BLOCK - 3, 2, 5), rows) for rows in (611, 4096)),
        *(((BLOCK - 2, 2), rows) for rows in (611, 50_000)),
        *(((2 * BLOCK + 10, 30, 1), rows) for rows in (611, 4096)),
    ],
)
def test_recordings_add_up(tmp_path: Path, lengths: tuple[int, ...], rows: int) -> None:
    """However many recordings a tape is made of, its digest is that of one replay of all of it."""
    tape = tmp_path / "tape"
    for seed, length in enumerate(lengths):
        document = append(tape, book(length, seed), SealPolicy(rows=rows, book_rows=1))
        assert document["digest"] == running.run(tape, keep=False).digest
    found = verify(tape)
    assert not found.damage
    assert found.checked_digests == len(catalog(tape, BTC))
    assert [row.seq for row in read_rows(tape)] == list(range(sum(lengths) + 2 * len(lengths)))


@pytest.mark.parametrize("cut", [1, 2, 3, 40, 41, 42, 60, 200])
def test_what_a_dead_recorder_left_is_sealed(tmp_path: Path, cut: int) -> None:
    """Rows that were only in journals are sealed with the digests of an undisturbed recorder."""
    policy = SealPolicy(rows=20)
    whole, tape = tmp_path / "whole" / "tape", tmp_path / "left" / "tape"
    for path in (whole, tape):
        path.parent.mkdir()
        append(path, book(30, 1), policy)
    capture = write_capture(tmp_path / "capture.jsonl", book(200, 2))
    import_captures([capture], whole, ImportSettings(seal=policy))
    rows = list(Tape.open(whole).product(BTC).batches(10_000))
    with open_writer(tape, policy=policy) as writer:
        first = writer.products[BTC].position.seq
        for batch in rows:
            seqs = batch.column("seq").to_pylist()
            kept = [place for place, seq in enumerate(seqs) if first <= seq < first + cut]
            if kept:
                writer.products[BTC].append(batch.take(kept))
    with open_writer(tape, policy=policy) as writer:
        left = resume(Tape.open(tape).product(BTC), "exchange", writer.products[BTC], PlainEngine())
    assert not journals(tape)
    assert left.digest.hexdigest() == running.run(tape, keep=False).tallies[BTC].digest.hexdigest()
    assert not verify(tape).damage
    for mine, expected in zip(catalog(tape, BTC), catalog(whole, BTC), strict=False):
        if mine["rows"] == expected["rows"]:
            assert mine["digest"] == expected["digest"]
    assert read_rows(tape) == [row for row in read_rows(tape) if row.seq < first + cut]
    assert len(read_rows(tape)) == first + cut


def test_a_tape_without_summaries_is_taken_up(tmp_path: Path) -> None:
    """If no row had a summary, the digest continues from the empty one."""
    tape = tmp_path / "tape"
    for time in (0, 2):
        odd: list[Timed] = [(time, '{"type":"ticker","product_id":"BTC-USD"}'), (time + 1, update(BTC))]
        capture = write_capture(tmp_path / "capture.jsonl", odd)
        import_captures([capture], tape, ImportSettings(feed="exchange"))
    document = append(tape, book(10, 1), SealPolicy())
    assert document["digest"] == running.run(tape, keep=False).digest
    assert not verify(tape).damage


def test_a_stop_while_the_tail_is_taken_up(tmp_path: Path) -> None:
    """A recorder that is stopped while it seals what another left completes that before it ends."""
    tape = tmp_path / "tape"
    append(tape, book(10, 1), SealPolicy())
    left = book(12_000, 2)
    rows = [Row(12 + place, START + time, 1, "frame", text) for place, (time, text) in enumerate(left)]
    with open_writer(tape, policy=SealPolicy(rows=1_000)) as writer:
        for each in in_batches(rows, 1_000):
            writer.products[BTC].append(each)
    with (
        refusing_port() as port,
        running_booktape("record", BTC, "-o", tape, "--append", "--url", f"ws://127.0.0.1:{port}") as process,
    ):
        while len(segment_paths(tape)) < 2:
            assert process.poll() is None
        end(process, signal.SIGTERM, code=None)  # 1 if it had tried to connect by then
    assert not journals(tape)
    assert len(read_rows(tape)) == 12 + len(left)
    assert not verify(tape).damage


def test_after_a_compaction_only_the_tail_is_read(tmp_path: Path) -> None:
    """A merged day is resumed from its last part: damage before that is not even read."""
    tape, policy = tmp_path / "tape", SealPolicy(rows=5500, book_rows=1)
    for seed, length in enumerate((17_000, 5_000)):
        append(tape, book(length - 2, seed), policy)
    compact(tape)
    (path,) = segment_paths(tape)
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(0).column(4)
    place = chunk.data_page_offset + chunk.total_compressed_size - 2
    flip_byte(path, place)
    with pytest.raises(DamagedTapeError):
        read_rows(tape)
    with open_writer(tape, policy=policy) as writer:
        left = resume(Tape.open(tape).product(BTC), "exchange", writer.products[BTC], PlainEngine())
    flip_byte(path, place)
    assert left.digest.hexdigest() == running.run(tape, keep=False).tallies[BTC].digest.hexdigest()
    assert not verify(tape).damage


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_wrong_book_seals_no_wrong_digest(tmp_path: Path, is_listed: bool) -> None:
    """If a sidecar is not the book of its place, the digest is resumed as if it were missing."""
    tape = tmp_path / "tape"
    append(tape, book(400, 1), SealPolicy(rows=100, book_rows=1))
    directory = tape / f"product={BTC}"
    path = list_path(tape)
    if not is_listed:  # a tape of an earlier version
        path.write_bytes(re.sub(rb',"book_sha256":"[0-9a-f]*"', b"", path.read_bytes()))
    first, *others = parts_of(read_segment_list(directory))
    wrong = PlainEngine().save(PlainEngine().start(BTC, "exchange"))
    for part in (first, *others):
        write_book(directory, part.first_seq, part.before, wrong)
    document = append(tape, book(10, 2), SealPolicy())
    assert document["digest"] == running.run(tape, keep=False).digest
    assert not [line for line in verify(tape).damage if ".book" not in line]


@pytest.mark.parametrize("name", ["digest", "chain"])
def test_a_wrong_digest_is_not_continued(tmp_path: Path, name: str) -> None:
    """If the list has another digest than the rows, nothing is recorded after them."""
    tape = tmp_path / "tape"
    append(tape, book(BLOCK + 100, 1), SealPolicy(rows=1_000, book_rows=1))
    edit_catalog(tape, BTC, -1, **{name: "ab" * 32})
    before = read_rows(tape)
    with pytest.raises(DamagedTapeError, match="digest"):
        append(tape, book(10, 2), SealPolicy())
    assert read_rows(tape) == before
