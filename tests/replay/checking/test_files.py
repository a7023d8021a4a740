"""Damage of files: segments that are changed, cut, missing or not listed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import booktape as bt
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from tests.support import tapes
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, SECOND
from tests.support.tapes import flip_byte, segment_paths, snapshot, update, write_capture
from tests.support.verified import assert_damaged


@pytest.mark.parametrize("position", [4, 100, 0.5, 0.8, -9, -300, -1])
def test_flipped_byte(tape: Path, position: float) -> None:
    """One changed byte anywhere in a segment is found, and the file named."""
    path = tapes.segment_paths(tape, BTC)[1]
    at = int(position * path.stat().st_size) if isinstance(position, float) else position
    tapes.flip_byte(path, at)
    assert_damaged(tape, path)


@pytest.mark.parametrize("left", [0.0, 0.5, 1.0])
def test_truncated_segment(tape: Path, left: float) -> None:
    """A segment that lacks even one byte at its end is found and named."""
    path = tapes.segment_paths(tape, ETH)[0]
    data = path.read_bytes()
    path.write_bytes(data[: min(len(data) - 1, int(left * len(data)))])
    assert_damaged(tape, path)


def test_missing_segment(tape: Path) -> None:
    """A missing segment is found and named."""
    path = tapes.segment_paths(tape, BTC)[-1]
    path.unlink()
    assert_damaged(tape, path)


def test_swapped_segments(imported: Path) -> None:
    """Two segments with each other's content are found."""
    first, second, _ = tapes.segment_paths(imported, BTC)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert_damaged(imported, first)


def test_invalid_entry(imported: Path) -> None:
    """An invalid line in the list of segments is found and named."""
    path = tapes.list_path(imported)
    path.write_text("{}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert_damaged(imported, path)


@pytest.mark.parametrize("kept_lines", [0, 2])
def test_unlisted_segments(imported: Path, kept_lines: int) -> None:
    """If lines of the list are lost, the rows that other readers still see are reported."""
    path = tapes.list_path(imported)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:kept_lines]), encoding="utf-8")
    assert_damaged(imported, f"product={BTC}")


def test_damage_of_one_segment_hides_no_other(imported: Path) -> None:
    """Every damaged file of a product is named, not only the first."""
    first, second, third = tapes.segment_paths(imported, BTC)
    first.unlink()
    tapes.flip_byte(second, -9)
    third.write_bytes(third.read_bytes()[:-1])
    for path in (first, second, third):
        assert_damaged(imported, path)


DAY = 86_400 * SECOND


def imported(directory: Path, days: int, first: int = 0) -> Path:
    """Return a tape with three segments and a connection for each day."""
    for day in range(first, first + days):
        changes = (update(BTC, ("buy", "98", str(number + 1))) for number in range(9))
        rows = [(day * DAY + place * SECOND, text) for place, text in enumerate([snapshot(BTC), *changes])]
        capture = write_capture(directory / f"{day}.jsonl", rows)
        import_captures([capture], directory / "tape", ImportSettings(seal=SealPolicy(rows=4)))
    return directory / "tape"


def contents(tape: Path) -> dict[Path, bytes]:
    """Return all files but locks."""
    return {path: path.read_bytes() for path in tape.rglob("*") if path.is_file() and "lock" not in path.name}


def edited(number: int, **values: object) -> Callable[[Path], None]:
    """Return a change of the fields of a line of the list."""

    def edit(tape: Path) -> None:
        tapes.edit_catalog(tape, BTC, number, **values)

    return edit


def flipped(number: int) -> Callable[[Path], None]:
    """Return a change of a byte in the middle of a segment."""

    def flip(tape: Path) -> None:
        segment = segment_paths(tape)[number]
        flip_byte(segment, segment.stat().st_size // 3)

    return flip


@pytest.mark.parametrize(
    "damage",
    [
        *(edited(number, chain="0" * 63 + "1") for number in (0, 4, 5, 8)),
        edited(4, faults={"1": {"crossed": 1}}),
        edited(3, book_sha256="0" * 64),
        edited(7, lags={"2": [0, 1]}),
        *map(flipped, (1, 8)),
    ],
)
def test_no_damage_is_merged(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """If a segment or its line is not what was written, nothing is changed and the exit code is 1."""
    tape = imported(tmp_path, 3)
    damage(tape)
    before = contents(tape)
    done = invoke("compact", tape)
    assert (done.exit_code, done.stdout) == (1, "")
    assert contents(tape) == before
    assert invoke("verify", tape).exit_code == 1


def test_a_single_segment_is_checked(tmp_path: Path) -> None:
    """A tape with nothing to merge is not called compact if it is damaged."""
    import_captures([write_capture(tmp_path / "c.jsonl", [(0, snapshot(BTC))])], tmp_path / "tape")
    flipped(0)(tmp_path / "tape")
    assert invoke("compact", tmp_path / "tape").exit_code == 1


def test_what_is_known_of_lags_is_not_merged_away(tmp_path: Path) -> None:
    """Segments of an earlier version, of which no lag is known, are merged for themselves."""
    tape = imported(tmp_path, 1)
    path = tapes.list_path(tape)
    first, *others = (json.loads(line) for line in path.read_text().splitlines())
    assert first.pop("lags") is not None
    path.write_text("".join(json.dumps(each) + "\n" for each in (first, *others)))
    assert bt.open(tape).compact()[BTC].after == 2
    assert [("lags" in json.loads(line)) for line in path.read_text().splitlines()] == [False, True]
    assert not bt.open(tape).verify().damage


def test_days_are_merged_as_they_come(tmp_path: Path) -> None:
    """The check of a later day continues from the book and digest before it, with or without saved books."""
    tape = imported(tmp_path, 2)
    bt.open(tape).compact()
    imported(tmp_path, 2, first=2)
    shutil.rmtree(tape / f"product={BTC}" / "_index")
    digest = bt.open(tape).replay().digest
    assert bt.open(tape).compact()[BTC].after == 4
    assert bt.open(tape).replay().digest == digest
    assert not bt.open(tape).verify().damage
