"""Following a tape at work: every row once, in order, whatever its recorder and others do meanwhile."""

import random
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pyarrow as pa
import pytest

from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.reader import Tape
from recorder.tape.tail import follow
from tests.endurance.forms import cases
from tests.endurance.planned_recorder import PlannedRecorder, begin_format_1, planned
from tests.support.constants import BTC
from tests.support.fork import FORK
from tests.support.oracle import Row
from tests.support.rows import frames, open_writer, record_rows, to_batch, to_rows


def new_rows(following: Iterator[pa.RecordBatch | None]) -> list[Row]:
    """Return the new rows, until there are no more."""
    return to_rows(
        batch for batch in takewhile(lambda each: each is not None, following) if batch is not None
    )


@pytest.mark.parametrize("seed", range(cases(60, 6)))
def test_whatever_happens_to_the_tape(tmp_path: Path, seed: int) -> None:
    """After appending, sealing, merging, the death of a recorder and the next one, all rows are there."""
    rng = random.Random(seed)
    tape = tmp_path / "tape"
    if seed % 2:
        begin_format_1(tape)
    recorder = PlannedRecorder(tape, segment_rows=10)
    start = rng.choice([0, 5, 30])
    following = follow(Tape.open(tape).product(BTC), start, rng.choice([1, 7, 100]))
    seen: list[Row] = []
    for _ in range(40):
        deed = rng.choice(["append", "append", "take", "take", "seal", "merge", "die", "rest"])
        if deed == "append":
            recorder.append(rng.randrange(1, 25))  # in the journal; what has not been taken up is not sealed
            recorder.__exit__()
            recorder = PlannedRecorder(tape, segment_rows=10)
        elif deed == "take":
            recorder.record(rng.randrange(1, 25))
        elif deed == "seal":
            recorder.seal_all()
        elif deed == "merge":
            compact(tape)
        elif deed == "die":
            recorder.__exit__()
            if rng.random() < 0.3:
                compact(tape)  # with no recorder, it brings the tape to format 2
            recorder = PlannedRecorder(tape, segment_rows=10)
        if rng.random() < 0.7:
            seen += new_rows(following)
            assert seen == planned(0, recorder.next_seq)[start:]
    recorder.__exit__()
    seen += new_rows(following)
    assert seen == planned(0, recorder.next_seq)[start:]


def test_beside_a_recorder_at_work(tmp_path: Path) -> None:
    """Rows that another process appends and seals as fast as possible come once and in order."""
    tape, number = tmp_path / "tape", 4_000
    started = FORK.Event()
    recorder = FORK.Process(target=record_rows, args=(tape, number, started))
    recorder.start()
    assert started.wait(60)
    seen: list[Row] = []
    for rows in follow(Tape.open(tape).product(BTC)):
        seen += to_rows([] if rows is None else [rows])
        if len(seen) >= number:
            break
    recorder.join(60)
    assert seen == frames(number)


def test_rows_that_were_taken_back_are_told(tmp_path: Path) -> None:
    """A follower that saw rows of a batch that failed to be written reports it."""
    tape = tmp_path / "tape"
    rows = frames(4)
    with open_writer(tape) as writer:
        writer.products[BTC].append(to_batch(rows))
        following = follow(Tape.open(tape).product(BTC))
        assert new_rows(following) == rows
        (journal,) = tape.glob("product=*/_journal/*")
        with journal.open("r+b") as file:
            file.truncate(journal.stat().st_size // 2)
        with pytest.raises(DamagedTapeError, match="took rows back"):
            next(following)
