"""One book an hour: reading from any time on is right, reads at most the hour before, and `index` agrees."""

import random
from pathlib import Path

import pytest

from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.reader import Tape
from replay.checking.index import Indexed, index
from replay.checking.verify import verify
from replay.running.api import run
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support.constants import BTC, SECOND, START
from tests.support.tapes import copy_of, snapshot, tuples_of, update, write_capture

MINUTE = 60 * SECOND
HOURS = 6


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of an update a minute over six hours and a midnight, in segments of 15 minutes."""
    directory = tmp_path_factory.mktemp("hours")
    rng = random.Random(3)
    frames = [(0, snapshot(BTC))]
    frames += [
        (number * MINUTE, update(BTC, ("buy", f"98.{rng.randrange(9)}", str(number))))
        for number in range(1, HOURS * 60)
    ]
    captures = [write_capture(directory / "a.jsonl", frames)]
    import_captures(captures, directory / "tape", ImportSettings(seal=SealPolicy()))
    return directory / "tape"


def books(tape: Path) -> dict[int, bytes]:
    """Return the sidecars by the first rows of their segments."""
    return {int(path.stem): path.read_bytes() for path in tape.glob("product=*/_index/*.book")}


def test_a_book_an_hour_is_kept(tape: Path) -> None:
    """The first segment of each hour has a sidecar and lists it; verify misses none and finds each right."""
    entries = read_segment_list(tape / f"product={BTC}")
    hours = {entry.first_recv_time[:13]: entry.first_seq for entry in reversed(entries)}
    assert len(entries) > 3 * len(hours) > 15
    assert set(books(tape)) == set(hours.values())
    assert {entry.first_seq for entry in entries if entry.book_sha256} == set(hours.values())
    found = verify(tape)
    assert (found.damage, found.sidecars, found.unindexed) == ([], len(hours), 0)


def test_many_rows_need_more_books(tmp_path: Path) -> None:
    """Within an hour a book is kept again after so many rows."""
    frames = [(0, snapshot(BTC)), *((number, update(BTC)) for number in range(1, 100))]
    capture = write_capture(tmp_path / "a.jsonl", frames)
    policy = SealPolicy(rows=10, book_rows=25)
    import_captures([capture], tmp_path / "tape", ImportSettings(seal=policy))
    assert sorted(books(tmp_path / "tape")) == [0, 30, 60, 90]


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize("is_lost", [False, True])
def test_reading_from_any_time_is_right(
    tape: Path, tmp_path: Path, is_compacted: bool, is_lost: bool
) -> None:
    """What is read is a whole replay from then on; it begins at a book of the same hour, if there is one."""
    copy = copy_of(tape, tmp_path)
    if is_compacted:
        compact(copy)
    if is_lost:
        for path in sorted(copy.glob("product=*/_index/*.book"))[1::2]:
            path.unlink()
    whole = tuples_of(run(tape).summaries[BTC])
    for minute in random.Random(4).sample(range(HOURS * 60), 12):
        start = START + minute * MINUTE
        begin = Tape.open(copy).product(BTC).start_before(start)
        assert begin.seq in books(copy)
        assert minute - begin.seq < (140 if is_lost else 80)
        part = run(copy, ReplaySettings(window=Window(start))).summaries[BTC]
        assert tuples_of(part) == [row for row in whole if row[1] >= start]


def test_index_makes_what_is_missing_alone(tape: Path, tmp_path: Path) -> None:
    """Lost sidecars are made again, equal to the last byte, and no other ones."""
    copy = copy_of(tape, tmp_path)
    kept = books(tape)
    for path in sorted(copy.glob("product=*/_index/*.book"))[1:3]:
        path.unlink()
    assert verify(copy).unindexed == 2
    assert index(copy) == {BTC: Indexed(len(kept) - 2, 2)}
    assert books(copy) == kept
    assert not verify(copy).damage
