"""Starting at any time: the results are those of a whole replay from then on, and one segment is read."""

import json
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from booktape.cli.main import cli
from orderbook.times import format_time
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.format.sidecars import read_book, write_book
from recorder.tape.reader import Tape
from replay.checking.index import Indexed, index
from replay.checking.ladder import book_at
from replay.checking.verify import verify
from replay.running.api import run
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support.commands import invoke, json_of
from tests.support.constants import BTC, MS, START
from tests.support.tapes import (
    Timed,
    catalog,
    copy_of,
    flip_byte,
    list_path,
    segment_paths,
    snapshot,
    tape_rows,
    tuples_of,
    update,
    write_capture,
)

ROWS = 24  # in a segment


def capture_frames(seed: int, number: int) -> list[Timed]:
    """Return frames whose best bid and ask move; some share their time with the one before."""
    rng = random.Random(seed)
    time = seed * 10**10
    frames: list[Timed] = [(time, snapshot(BTC))]
    for _ in range(number):
        time += rng.choice([0, MS, 7 * MS])
        side, price = rng.choice([("buy", f"98.{rng.randrange(9)}"), ("sell", f"101.{rng.randrange(9)}")])
        frames.append((time, update(BTC, (side, price, rng.choice(["0", "1.50", "2"])))))
    return frames


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of three connections in some twenty segments; do not change it."""
    directory = tmp_path_factory.mktemp("seeking")
    captures = [
        write_capture(directory / f"{seed}.jsonl", capture_frames(seed, number))
        for seed, number in enumerate((150, 90, 200), 1)
    ]
    import_captures(captures, directory / "tape", ImportSettings(seal=SealPolicy(rows=ROWS, book_rows=1)))
    return directory / "tape"


def sidecars(tape: Path) -> dict[str, bytes]:
    """Return the content of every sidecar."""
    return {path.name: path.read_bytes() for path in sorted(tape.glob("product=*/_index/*.book"))}


@cache
def whole(tape: Path) -> list[tuple[Any, ...]]:
    """Return the summaries of a whole replay of a tape that does not change."""
    return tuples_of(run(tape).summaries[BTC])


def assert_seeks_well(tape: Path, whole_of: Path, starts: int = 4) -> None:
    """Assert that the summaries from any time on are those of a whole replay."""
    times = [row.recv_time for row in tape_rows(whole_of, BTC)]
    for start in (times[0], *random.Random(1).sample(times, starts), times[-1], times[-1] + 1):
        part = run(tape, ReplaySettings(window=Window(start))).summaries[BTC]
        assert tuples_of(part) == [row for row in whole(whole_of) if row[1] >= start]


def test_every_segment_has_the_book_before_it(recorded: Path) -> None:
    """A recording leaves a sidecar for each segment, and verify finds each to be the book before it."""
    found = verify(recorded)
    assert not found.damage
    assert (found.sidecars, found.unindexed) == (len(catalog(recorded, BTC)), 0)
    assert found.sidecars > 15


def test_starting_anywhere_equals_a_whole_replay(recorded: Path) -> None:
    """With all sidecars in place."""
    assert_seeks_well(recorded, recorded, starts=15)


def test_starting_reads_no_segment_before(recorded: Path, tmp_path: Path) -> None:
    """Segments before the one with the start are not read, so they may be damaged."""
    tape = copy_of(recorded, tmp_path)
    entries = catalog(tape, BTC)
    wanted = entries[len(entries) // 2]
    inside = tape_rows(recorded, BTC)[wanted["first_seq"] + ROWS // 2].recv_time
    for path in segment_paths(tape, BTC):
        if int(path.stem) < wanted["first_seq"]:
            path.write_bytes(b"")
    part = run(tape, ReplaySettings(window=Window(inside))).summaries[BTC]
    assert tuples_of(part) == [row for row in whole(recorded) if row[1] >= inside]
    assert book_at(tape, BTC, inside, 5).bids == book_at(recorded, BTC, inside, 5).bids


@pytest.mark.parametrize("broken", ["missing", "cut", "flipped", "other rows"])
def test_bad_sidecars_are_passed_over(recorded: Path, tmp_path: Path, broken: str) -> None:
    """Without a valid sidecar, reading starts further back and the results are the same."""
    tape = copy_of(recorded, tmp_path)
    paths = sorted(tape.glob("product=*/_index/*.book"))
    for path, other in zip(paths[1::2], paths[2::2], strict=False):
        if broken == "missing":
            path.unlink()
        elif broken == "cut":
            path.write_bytes(path.read_bytes()[:-3])
        elif broken == "flipped":
            flip_byte(path, len(path.read_bytes()) // 2)
        else:
            path.write_bytes(other.read_bytes())
    assert_seeks_well(tape, recorded)
    found = verify(tape)
    assert not found.damage
    assert found.unindexed == len(paths[1::2]) - (len(paths) % 2 == 0)


@pytest.mark.parametrize("rebuild", [False, True])
def test_index_makes_what_the_recording_made(recorded: Path, tmp_path: Path, rebuild: bool) -> None:
    """Rebuilt sidecars are equal to the last byte, whichever were missing."""
    tape = copy_of(recorded, tmp_path)
    paths = sorted(tape.glob("product=*/_index/*.book"))
    lost = [*paths[:1], *paths[3:6], *paths[-1:]]
    for path in lost:
        path.unlink()
    made = len(paths) if rebuild else len(lost)
    assert index(tape, rebuild=rebuild) == {BTC: Indexed(len(paths) - made, made)}
    assert sidecars(tape) == sidecars(recorded)


@pytest.mark.parametrize("which", ["recorded", "compacted"])
def test_verify_finds_the_wrong_book(request: pytest.FixtureRequest, which: str, tmp_path: Path) -> None:
    """A valid sidecar that is not the book before its segment or part is damage, and is named."""
    tape = copy_of(request.getfixturevalue(which), tmp_path)
    product_dir = tape / f"product={BTC}"
    parts = parts_of(read_segment_list(product_dir))
    other = read_book(product_dir, parts[3], "exchange")
    assert other is not None
    write_book(product_dir, parts[4].first_seq, parts[4].before, other)
    (line,) = verify(tape).damage
    assert f"{parts[4].first_seq:020d}.book: not the book before row" in line
    assert_seeks_well(tape, request.getfixturevalue("recorded"))  # the list knows the right book
    assert CliRunner().invoke(cli, ["index", str(tape), "--rebuild"]).exit_code == 0
    assert not verify(tape).damage


@pytest.mark.parametrize("which", ["recorded", "compacted"])
def test_index_lists_the_books_of_an_earlier_version(
    request: pytest.FixtureRequest, which: str, tmp_path: Path
) -> None:
    """A list without checksums of books gets them, and no book that may be wrong is kept or made from."""
    tape = copy_of(request.getfixturevalue(which), tmp_path)
    product_dir = tape / f"product={BTC}"
    path = list_path(tape)
    listed = path.read_bytes()
    path.write_bytes(re.sub(rb',"book_sha256":"[0-9a-f]*"', b"", listed))
    parts = parts_of(read_segment_list(product_dir))
    assert {part.book_sha256 for part in parts} == {""}
    assert_seeks_well(tape, recorded := request.getfixturevalue("recorded"))
    other = read_book(product_dir, parts[3], "exchange")
    assert other is not None
    write_book(product_dir, parts[4].first_seq, parts[4].before, other)
    assert index(tape) == {BTC: Indexed(0, len(parts))}
    assert path.read_bytes() == listed
    assert sidecars(tape) == sidecars(recorded)
    assert index(tape) == {BTC: Indexed(len(parts), 0)}


@pytest.fixture(scope="module")
def compacted(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tape merged into one segment; do not change it."""
    tape = copy_of(recorded, tmp_path_factory.mktemp("compacted"))
    compact(tape)
    assert len(catalog(tape, BTC)) == 1
    return tape


def test_a_compaction_keeps_the_books(recorded: Path, compacted: Path) -> None:
    """Every sidecar is unchanged, verify accepts each, and results from any time on are right."""
    assert sidecars(compacted) == sidecars(recorded)
    found = verify(compacted)
    assert not found.damage
    assert (found.sidecars, found.unindexed) == (len(sidecars(recorded)), 0)
    assert_seeks_well(compacted, recorded)


def test_after_a_compaction_reading_begins_where_it_did(recorded: Path, compacted: Path) -> None:
    """For any time, the first row to read and the book before it are those of the original tape."""
    before, after = (Tape.open(tape).product(BTC) for tape in (recorded, compacted))
    begins = set()
    for row in tape_rows(recorded, BTC):
        start = after.start_before(row.recv_time)
        assert start == before.start_before(row.recv_time)
        begins.add(start.seq)
    assert begins == {entry["first_seq"] for entry in catalog(recorded, BTC)}


@pytest.mark.parametrize("lost", ["missing", "flipped"])
def test_lost_books_within_a_merged_segment(
    recorded: Path, compacted: Path, tmp_path: Path, lost: str
) -> None:
    """They are counted and skipped, and `index` rebuilds just them."""
    tape = copy_of(compacted, tmp_path)
    paths = sorted(tape.glob("product=*/_index/*.book"))
    chosen = [*paths[:1], *paths[3:6], *paths[-1:]]
    for path in chosen:
        if lost == "missing":
            path.unlink()
        else:
            flip_byte(path, -5)
    found = verify(tape)
    assert not found.damage
    assert (found.sidecars, found.unindexed) == (len(paths) - len(chosen), len(chosen))
    assert_seeks_well(tape, recorded)
    assert index(tape) == {BTC: Indexed(len(paths) - len(chosen), len(chosen))}
    assert sidecars(tape) == sidecars(recorded)


def test_a_list_without_parts_is_read_as_ever(recorded: Path, compacted: Path, tmp_path: Path) -> None:
    """A tape that an earlier version merged has one book for each segment, and reading starts there."""
    tape = copy_of(compacted, tmp_path)
    path = list_path(tape)
    (entry,) = catalog(tape, BTC)
    del entry["parts"]
    path.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    found = verify(tape)
    assert not found.damage
    assert (found.sidecars, found.unindexed) == (1, 0)
    assert Tape.open(tape).product(BTC).start_before(tape_rows(tape, BTC)[-1].recv_time).seq == 0
    assert_seeks_well(tape, recorded)


def test_offsets_count_from_the_start(recorded: Path) -> None:
    """`+5ms` is the time 5 ms after the tape's first row."""
    times = [row.recv_time for row in tape_rows(recorded, BTC)]
    assert times[0] == START + 10**10
    low, high = (format_time(times[0] + offset) for offset in (250 * MS, 10_300 * MS))
    by_offset = json_of("replay", recorded, "--from", "+250ms", "--to", "+10.3s")
    by_time = json_of("replay", recorded, "--from", low, "--to", high)
    assert by_offset["settings"] == by_time["settings"]
    assert by_offset["digest"] == by_time["digest"]
    assert by_offset["products"][BTC]["summaries"] > 0
    zoned = low.replace("T21:", "T23:").replace("Z", "+02:00")
    assert json_of("replay", recorded, "--from", zoned, "--to", high)["settings"] == by_time["settings"]
    at = json_of("book", recorded, "-p", BTC, "--at", "+250ms")
    assert at["at"] == low


@pytest.mark.parametrize("text", ["+", "+x", "-5m", "300", "2026-08-09T25:05:50", "+-5s"])
def test_what_is_no_time_is_refused(recorded: Path, text: str) -> None:
    """What is no time or offset is a usage error that names the option."""
    done = invoke("replay", recorded, "--from", text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--from" in done.stderr
