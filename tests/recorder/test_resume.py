"""Taking up a digest: wherever a tape was left, the next recording's digests are those of a whole replay."""

import json
import random
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orderbook.digest import BLOCK
from orderbook.engine import PlainEngine
from recorder.record import import_captures
from recorder.resume import resume
from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.policy import SealPolicy
from recorder.tape.reader import Tape
from replay import running
from replay.verifying import verify
from tests.oracle import Row
from tests.recorder.processes import end, free_port, running_booktape
from tests.recorder.rows import BTC, START, in_batches, journals, open_writer, read_rows, segments
from tests.replay.tapes import Timed, catalog, flip_byte, snapshot, update, write_capture


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
    return import_captures([capture], tape, "jsonl", policy=policy).document()


@pytest.mark.parametrize("rows", [611, 4096, 50_000])
@pytest.mark.parametrize("lengths", [(3, 1, 10), (BLOCK - 3, 2, 5), (BLOCK - 2, 2), (2 * BLOCK + 10, 30, 1)])
def test_recordings_add_up(tmp_path: Path, lengths: tuple[int, ...], rows: int) -> None:
    """However many recordings a tape is made of, its digest is that of one replay of all of it."""
    tape = tmp_path / "tape"
    for seed, length in enumerate(lengths):
        document = append(tape, book(length, seed), SealPolicy(rows=rows))
        assert document["digest"] == running.run(tape, keep=False).digest
    found = verify(tape)
    assert not found.damage
    assert found.checked_digests == len(catalog(tape, BTC))
    assert [row.seq for row in read_rows(tape)] == list(range(sum(lengths) + 2 * len(lengths)))


@pytest.mark.parametrize("cut", [1, 2, 3, 40, 41, 42, 60, 200])
def test_what_a_dead_recorder_left_is_sealed(tmp_path: Path, cut: int) -> None:
    """Rows that were only in journals are sealed with the digests that their recorder would have given."""
    policy = SealPolicy(rows=20)
    whole, tape = tmp_path / "whole" / "tape", tmp_path / "left" / "tape"
    for path in (whole, tape):
        path.parent.mkdir()
        append(path, book(30, 1), policy)
    capture = write_capture(tmp_path / "capture.jsonl", book(200, 2))
    import_captures([capture], whole, "jsonl", policy=policy)
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
    """Where no row gave a summary the digest goes on from nothing."""
    tape = tmp_path / "tape"
    odd: list[Timed] = [(0, '{"type":"ticker","product_id":"BTC-USD"}'), (1, update(BTC))]
    capture = write_capture(tmp_path / "capture.jsonl", odd)
    for _ in range(2):
        import_captures([capture], tape, "jsonl", feed="exchange")
    document = append(tape, book(10, 1), SealPolicy())
    assert document["digest"] == running.run(tape, keep=False).digest
    assert not verify(tape).damage


def test_a_stop_while_the_tail_is_taken_up(tmp_path: Path) -> None:
    """A recorder that is told to stop while it seals what another left does that first, and exits 0."""
    tape = tmp_path / "tape"
    append(tape, book(10, 1), SealPolicy())
    left = book(12_000, 2)
    rows = [Row(12 + place, START + time, 1, "frame", text) for place, (time, text) in enumerate(left)]
    with open_writer(tape, policy=SealPolicy(rows=1_000)) as writer:
        for each in in_batches(rows, 1_000):
            writer.products[BTC].append(each)
    url = f"ws://127.0.0.1:{free_port()}"
    with running_booktape("record", BTC, "-o", tape, "--url", url, "--json") as process:
        while len(segments(tape)) < 2:
            assert process.poll() is None
        stdout, _ = end(process, signal.SIGTERM)
    assert not journals(tape)
    assert len(read_rows(tape)) == 12 + len(left)
    assert json.loads(stdout)["products"][BTC]["rows"] == 0
    assert json.loads(stdout)["digest"] == running.run(tape, keep=False).digest
    assert not verify(tape).damage


def test_after_a_compaction_only_the_tail_is_read(tmp_path: Path) -> None:
    """A day that was merged is taken up from its last part: damage before that is not even met."""
    tape, policy = tmp_path / "tape", SealPolicy(rows=5500)
    for seed, length in enumerate((17_000, 5_000)):
        append(tape, book(length - 2, seed), policy)
    compact(tape)
    (path,) = segments(tape)
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
