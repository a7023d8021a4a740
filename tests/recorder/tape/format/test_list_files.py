"""The files of a list: a day's file has the lines of its day alone, and a lost one is damage."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from orderbook.times import parse_time
from recorder.settings import SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.format.segment_list import last_entry, read_segment_list
from recorder.tape.reader import Tape
from replay.running.window import Window
from tests.support.constants import BTC, SECOND, START
from tests.support.rows import ALL_ROWS, frames, open_writer, read_rows, tally, to_batch, to_rows, write_tape
from tests.support.tapes import list_paths, make_format_1, segment_paths

HOUR = 3600 * SECOND
DAYS = ("2026-08-09", "2026-08-10", "2026-08-11", "2026-08-12")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape of 60 rows, one an hour, in segments of five: four days."""
    return write_tape(tmp_path / "tape", frames(60, step=HOUR), policy=SealPolicy(rows=5, seconds=1e6))


def test_a_day_has_its_own_file(tape: Path) -> None:
    """Each line is in the file of the UTC day of its segment's first row."""
    assert [path.stem for path in list_paths(tape)] == list(DAYS)
    for path in list_paths(tape):
        for line in path.read_text().splitlines():
            assert json.loads(line)["file"].startswith(f"date={path.stem}/")
            assert json.loads(line)["first_recv_time"].startswith(path.stem)


def test_a_seal_touches_the_last_file_alone(tape: Path) -> None:
    """A seal, and the end of a recording, neither change nor need another file of the list."""
    with open_writer(tape, policy=SealPolicy(rows=5, seconds=1e6)) as writer:
        for path in list_paths(tape)[:-1]:
            path.write_bytes(b"lost\n")
        writer.products[BTC].append(to_batch(frames(30, 60, step=HOUR)))
        writer.products[BTC].seal_all(tally(), ALL_ROWS)
    assert [path.read_bytes() == b"lost\n" for path in list_paths(tape)] == [True] * 3 + [False] * 2
    entry = last_entry(tape / f"product={BTC}")
    assert entry is not None
    assert entry.next_seq == 90


def lose_first(paths: list[Path]) -> str:
    """Remove the first file."""
    paths[0].unlink()
    return "expected row 0"


def lose_middle(paths: list[Path]) -> str:
    """Remove a file in the middle."""
    paths[1].unlink()
    return "2026-08-11.jsonl: line 1: begins with row"


def lose_last(paths: list[Path]) -> str:
    """Remove the last file."""
    paths[-1].unlink()
    return "date=2026-08-12/.*: a segment that the list"


def rename(paths: list[Path]) -> str:
    """Give a file the name of another day."""
    paths[-1].rename(paths[-1].with_name("2026-08-13.jsonl"))
    return "2026-08-13.jsonl: line 1: .* is of another day"


def cut_middle(paths: list[Path]) -> str:
    """Cut a line that is not the last one of the list."""
    paths[1].write_bytes(paths[1].read_bytes()[:-5])
    return "2026-08-1[01].jsonl: line [0-9]+: (not an entry|begins with row)"


@pytest.mark.parametrize("lose", [lose_first, lose_middle, lose_last, rename, cut_middle])
def test_what_is_lost_of_a_list_is_damage(tape: Path, lose: Callable[[list[Path]], str]) -> None:
    """A file that is missing, of another day or cut is named; a recorder checks what it needs of the end."""
    message = lose(list_paths(tape))
    with pytest.raises(DamagedTapeError, match=message):
        read_rows(tape)
    with pytest.raises(DamagedTapeError, match=message):
        Tape.open(tape).product(BTC).segments()
    if lose != cut_middle:
        with pytest.raises(DamagedTapeError):
            open_writer(tape)


@pytest.mark.parametrize("left", [b"", b'{"file":'])
def test_a_day_that_a_crash_began(tape: Path, left: bytes) -> None:
    """If a recorder dies in the first line of a day, its rows are in the journal and are sealed there."""
    directory = tape / f"product={BTC}"
    with open_writer(tape) as writer:
        writer.products[BTC].append(to_batch([frames(1, 60)[0]._replace(recv_time=START + 76 * HOUR)]))
    (directory / "_segments" / "2026-08-13.jsonl").write_bytes(left)
    assert len(read_rows(tape)) == 61
    with open_writer(tape) as writer:
        writer.products[BTC].seal(tally(), ALL_ROWS)
    assert read_segment_list(directory)[-1].next_seq == 61
    assert Tape.open(tape).product(BTC).sealed_rows() == 61


def test_a_window_needs_its_days_alone(tape: Path) -> None:
    """What begins at a time reads no list of a day before it, nor compares the segments of that day."""
    paths = list_paths(tape)
    start, end = START + 28 * HOUR, START + 49 * HOUR  # the third day has rows 27 to 50
    whole = [row for row in frames(60, step=HOUR) if start <= row.recv_time < end]
    for path in segment_paths(tape)[:2]:
        path.unlink()
    paths[0].write_bytes(paths[0].read_bytes().splitlines(keepends=True)[-1])  # its end is needed
    product = Tape.open(tape).product(BTC)
    part = product.part_before(start)
    assert part is not None
    assert part.first_recv_time.startswith("2026-08-11T00")
    rows = to_rows(Window(start, end).cut(product.batches(first_seq=part.first_seq)))
    assert [row for row in rows if row.recv_time >= start] == whole
    with pytest.raises(DamagedTapeError):
        product.segments()


@pytest.mark.parametrize("seed", range(8))
def test_parts_are_those_of_the_whole_list(tape: Path, seed: int) -> None:
    """For any time and row, what is read day by day is what the whole list says, compacted or not."""
    rng = random.Random(seed)
    if seed % 2:
        compact(tape)
    if seed % 4 > 1:
        make_format_1(tape)
    parts = parts_of(read_segment_list(tape / f"product={BTC}"))
    times = [parse_time(part.first_recv_time) or 0 for part in parts]
    product = Tape.open(tape).product(BTC)
    for _ in range(20):
        time = rng.choice([*times, START - HOUR, START + rng.randrange(70 * HOUR), 2**62])
        seq = rng.randrange(70)
        before = [part for part, begins in zip(parts, times, strict=True) if begins < time]
        assert product.listing.nearest(list, time=time) == before[::-1]
        upto = [part for part in parts if part.first_seq <= seq]
        assert product.listing.nearest(list, seq=seq) == upto[::-1]
        assert list(product.listing.since(seq)) == [
            each for each in product.segments() if each.next_seq > seq
        ]
    last = product.last_segment()
    assert last == product.segments()[-1]
