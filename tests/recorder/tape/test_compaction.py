"""Merging segments: rows and digest stay, beside recorders and readers, and if it is killed at any call."""

import fcntl
import os
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from recorder.settings import SealPolicy
from recorder.tape.compaction import Compacted, compact
from recorder.tape.errors import DamagedTapeError, LockedTapeError
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.checking.verify import verify
from replay.running import api as running
from tests.endurance.faults import dying_at, intercepted
from tests.endurance.forms import cases
from tests.endurance.planned_recorder import PlannedRecorder, begin_format_1, planned, planned_digest
from tests.support.constants import BTC, SECOND
from tests.support.fork import FORK
from tests.support.rows import (
    file_size_limit,
    frames,
    open_writer,
    read_rows,
    record_rows,
    to_rows,
    write_tape,
)
from tests.support.tapes import catalog, edit_catalog, flip_byte, make_format_1, segment_paths


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape of 130 rows in seven segments, two of one day and five of the next, sealed to the end."""
    with PlannedRecorder(tmp_path / "tape") as recorder:
        for _ in range(13):
            recorder.record(10)
        recorder.seal_all()
    return tmp_path / "tape"


def leftovers(tape: Path) -> list[str]:
    """Return the files that an unfinished compaction left, except unfinished sidecars."""
    found = [path for path in tape.rglob("*") if path.name.endswith((".merged", ".tmp", ".next.jsonl"))]
    return [path.name for path in found if path.parent.name != "_index"]


def assert_compacted(tape: Path, number: int) -> None:
    """Assert that there is a segment a day with this many planned rows, and no leftover."""
    assert [int(path.stem) for path in segment_paths(tape)] == [0, 40]
    assert not leftovers(tape)
    assert_whole(tape, number)
    entries = read_segment_list(tape / f"product={BTC}")
    starts = {part.first_seq for entry in entries for part in entry.parts}
    assert {int(path.stem) for path in tape.rglob("*.book")} == starts
    assert {int(path.stem) for path in tape.rglob("*.checks")} <= {0, 40}
    held = ds.dataset(tape, partitioning="hive").to_table().column("seq").to_pylist()
    assert sorted(held) == list(range(number))


def assert_whole(tape: Path, number: int) -> None:
    """Assert that a tape has this many planned rows, verifies, and has a book before every part."""
    assert read_rows(tape) == planned(0, number)
    found = verify(tape)
    assert not found.damage
    assert not found.unindexed
    parts = parts_of(read_segment_list(tape / f"product={BTC}"))
    assert found.sidecars == len(parts)
    assert found.checked_digests == len(read_segment_list(tape / f"product={BTC}"))
    assert found.tallies[BTC].digest.hexdigest() == planned_digest(number)


def test_a_day_becomes_one_segment(tape: Path) -> None:
    """Rows, digest and verify are the same before and after; a second compaction changes nothing."""
    before = running.run(tape, keep=False).digest
    assert_whole(tape, 130)
    assert compact(tape) == {BTC: Compacted(7, 2)}
    assert_compacted(tape, 130)
    assert running.run(tape, keep=False).digest == before
    content = [path.read_bytes() for path in segment_paths(tape)]
    assert compact(tape) == {BTC: Compacted(2, 2)}
    assert [path.read_bytes() for path in segment_paths(tape)] == content


def test_merged_segments_stay_known(tape: Path) -> None:
    """The list keeps the facts of each merged segment as a part, also after another merge."""
    before = read_segment_list(tape / f"product={BTC}")
    sealed = parts_of(before)
    assert [part.first_seq for part in sealed] == list(range(0, 130, 20))
    assert not any("parts" in entry for entry in catalog(tape, BTC))
    compact(tape)
    assert parts_of(read_segment_list(tape / f"product={BTC}")) == sealed
    with PlannedRecorder(tape) as recorder:
        recorder.record(50)
        recorder.seal_all()
    more = parts_of(read_segment_list(tape / f"product={BTC}"))
    assert [part.first_seq for part in more] == [*range(0, 130, 20), 130, 150, 170]
    assert more[:7] == sealed
    compact(tape)
    entries = read_segment_list(tape / f"product={BTC}")
    assert [part for entry in entries for part in entry.parts] == more
    assert_compacted(tape, 180)


@pytest.mark.parametrize(
    "change",
    [
        {"first_seq": 81},
        {"first_recv_time": "2026-08-10T00:00:00.040000121Z"},
        {"connections": [2, 2]},
        {"before": "00" * 32},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_parts_that_are_not_the_rows_are_found(tape: Path, change: dict[str, object]) -> None:
    """Verify checks the parts in the list against the rows."""
    compact(tape)
    parts = catalog(tape, BTC)[1]["parts"]
    parts[2] |= change
    edit_catalog(tape, BTC, 1, parts=parts)
    assert any("and the rows differ in: parts" in line for line in verify(tape).damage)


def test_days_stay_apart(tmp_path: Path) -> None:
    """Segments of different UTC days are not merged into one."""
    rows = frames(60, step=3600 * SECOND)
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=5, seconds=1e6))
    days = {path.parent.name for path in segment_paths(tape)}
    assert len(segment_paths(tape)) > len(days) == 4
    compact(tape)
    assert len(segment_paths(tape)) == 4
    assert {path.parent.name for path in segment_paths(tape)} == days
    assert read_rows(tape) == rows
    assert not verify(tape).damage


def test_nothing_to_do_is_fine(tmp_path: Path) -> None:
    """A tape without rows and one with only a journal are not changed."""
    with open_writer(tmp_path / "empty", BTC, "ETH-USD"):
        pass
    assert compact(tmp_path / "empty") == {BTC: Compacted(0, 0), "ETH-USD": Compacted(0, 0)}
    rows = frames(5)
    tape = write_tape(tmp_path / "tape", rows, seal=False)
    assert compact(tape) == {BTC: Compacted(0, 0)}
    assert read_rows(tape) == rows


def test_a_recording_goes_on_after_it(tape: Path) -> None:
    """A writer that was open before and one that opens later continue with the right digests."""
    with PlannedRecorder(tape) as recorder:
        recorder.record(25)
        compact(tape)
        recorder.record(50)
        compact(tape)
        recorder.seal_all()
    assert_whole(tape, 205)
    with PlannedRecorder(tape) as recorder:
        recorder.record(15)
        recorder.seal_all()
    assert_whole(tape, 220)
    compact(tape)
    assert_compacted(tape, 220)


def test_beside_a_running_recorder(tmp_path: Path) -> None:
    """Beside a process that appends and seals, every read is a prefix, and no row is lost in the end."""
    number = 3_000
    tape = tmp_path / "tape"
    started = FORK.Event()
    recorder = FORK.Process(target=record_rows, args=(tape, number, started))
    recorder.start()
    assert started.wait(60)
    rows = frames(number)
    merged = 0
    while recorder.is_alive():
        done = compact(tape)[BTC]
        merged += done.before - done.after
        read = read_rows(tape)
        assert read == rows[: len(read)]
        assert not verify(tape).damage
    recorder.join(60)
    assert recorder.exitcode == 0
    compact(tape)
    assert merged
    assert len(segment_paths(tape)) == 1
    assert read_rows(tape) == rows
    assert not verify(tape).damage


@pytest.mark.parametrize("before", [0, 1, 5, 60, 129])
def test_a_reader_follows_it(tape: Path, before: int) -> None:
    """A reader whose segments are merged meanwhile sees no gap and no row twice."""
    with PlannedRecorder(tape) as recorder:
        recorder.record(5)
        read = Tape.open(tape).product(BTC)
        batches = read.batches(size=1)
        rows = [next(batches) for _ in range(before)]
        compact(tape)
        recorder.seal_all()
        rows += batches
    assert to_rows(rows) == planned(0, 135)
    assert overview(read).rows == 135


@pytest.mark.parametrize("form", [1, 2])
def test_many_readings_while_it_happens(tape: Path, form: int) -> None:
    """Readers, one of them open since before it, see the same rows at every call of a compaction."""
    if form == 1:
        make_format_1(tape)
    opened = Tape.open(tape).product(BTC)
    read = 0

    def look(_name: str, call: Callable[..., object], arguments: tuple[object, ...]) -> object:
        nonlocal read
        assert read_rows(tape) == planned(0, 130)
        result = call(*arguments)
        assert read_rows(tape) == planned(0, 130)
        assert to_rows(opened.batches()) == planned(0, 130)
        read += 2
        return result

    with intercepted(look, ("fsync", "replace", "unlink")):
        compact(tape)
    assert read > 20
    assert_compacted(tape, 130)


def compact_and_die(tape: Path, dies_at: int) -> None:
    """Compact until the n-th call that changes a file, which kills this process."""
    with intercepted(dying_at(dies_at)):
        compact(tape)


@pytest.mark.parametrize("finisher", ["writer", "compaction"])
@pytest.mark.parametrize("form", [1, 2])
def test_killed_at_every_call_it_is_finished_by_others(tmp_path: Path, finisher: str, form: int) -> None:
    """Wherever it is killed, readers see a valid tape, and the next writer or compaction finishes it.

    The short form tries every seventh call, from a random one on.
    """
    step = cases(1, 7)
    number = exit_code = random.randrange(step) + 1 - step
    while number < 1 or exit_code != 0:
        number += step
        tape = tmp_path / f"tape-{number}"
        if form == 1:
            begin_format_1(tape)
        with PlannedRecorder(tape) as recorder:
            recorder.record(70)
            recorder.seal_all()
        process = FORK.Process(target=compact_and_die, args=(tape, number))
        process.start()
        process.join(60)
        assert process.exitcode in {0, -9}
        exit_code = process.exitcode or 0
        assert_whole(tape, 70)
        more = 0
        if finisher == "writer":
            with PlannedRecorder(tape) as recorder:
                recorder.record(30)
                recorder.seal_all()
            more = 30
            assert_whole(tape, 100)
        compact(tape)
        assert_compacted(tape, 70 + more)
    assert number > 10


def test_a_second_one_is_refused(tape: Path) -> None:
    """While a compaction runs, a second one is refused in one line and changes nothing."""
    fd = os.open(tape / "_maintenance.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(LockedTapeError, match="another compaction"):
        compact(tape)
    os.close(fd)
    assert_whole(tape, 130)
    compact(tape)
    assert_compacted(tape, 130)


def test_what_is_damaged_is_not_merged(tape: Path) -> None:
    """A damaged segment ends a compaction with an error, and no file of its day or a later one changes."""
    flip_byte(segment_paths(tape)[3], 100)
    before = [(path, path.read_bytes()) for path in segment_paths(tape)[2:]]
    with pytest.raises(DamagedTapeError):
        compact(tape)
    assert [(path, path.read_bytes()) for path in segment_paths(tape)[1:]] == before
    assert not list(tape.rglob("*.next.jsonl"))


@pytest.mark.parametrize("size", [0, 200, 2_000])
def test_a_full_disk_leaves_the_tape_as_it_was(tape: Path, size: int) -> None:
    """If the merged segment or the new list does not fit on the disk, nothing changes."""
    with file_size_limit(size), pytest.raises((OSError, DamagedTapeError)):
        compact(tape)
    assert len(segment_paths(tape)) == 7
    assert_whole(tape, 130)
    compact(tape)
    assert_compacted(tape, 130)


@pytest.mark.parametrize(
    ("place", "change", "reported"),
    [
        (2, {"first_seq": 60}, "do not follow"),
        (0, {"first_seq": 41}, "begin with rows 41"),
        (4, {"first_seq": 130}, "to 130"),
        (3, {"first_recv_time": "yesterday"}, "time"),
    ],
)
def test_parts_that_cannot_be_are_damage(
    tape: Path, place: int, change: dict[str, object], reported: str
) -> None:
    """Parts that are not in order within their segment are an error."""
    compact(tape)
    parts = catalog(tape, BTC)[1]["parts"]
    parts[place] |= change
    edit_catalog(tape, BTC, 1, parts=parts)
    with pytest.raises(DamagedTapeError, match=reported):
        read_rows(tape)
