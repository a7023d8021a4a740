"""Tapes of format 1 are read and recorded to as they are; a compaction brings them to format 2."""

import json
import shutil
from pathlib import Path

import pytest

from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.reader import Tape
from replay.checking.verify import verify
from replay.running import api as running
from tests.endurance.planned_recorder import PlannedRecorder, planned
from tests.support.constants import BTC
from tests.support.rows import read_rows
from tests.support.tapes import catalog, flip_byte, list_paths, make_format_1, segment_paths


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape of format 1 with 130 rows of two days."""
    with PlannedRecorder(tmp_path / "tape") as recorder:
        recorder.record(130)
        recorder.seal_all()
    return make_format_1(tmp_path / "tape")


def format_of(tape: Path) -> int:
    """Return the format that the manifest names."""
    return int(json.loads((tape / "_tape.json").read_bytes())["format"])


def test_a_recorder_goes_on_in_format_1(tape: Path) -> None:
    """Earlier versions read what is recorded to a tape of format 1, and what is merged beside it."""
    with PlannedRecorder(tape) as recorder:
        recorder.record(50)
        compact(tape)
        recorder.seal_all()
    assert format_of(tape) == 1
    assert [path.name for path in list_paths(tape)] == ["_segments.jsonl"]
    assert not (tape / f"product={BTC}" / "_segments").exists()
    assert read_rows(tape) == planned(0, 180)
    assert not verify(tape).damage


def test_a_compaction_brings_it_to_format_2(tape: Path) -> None:
    """The list is a file a day, the old one is gone, and rows, digest and facts are the same."""
    compact(tape)
    listed = catalog(tape, BTC)
    make_format_1(tape)
    digest = running.run(tape, keep=False).digest
    compact(tape)
    assert format_of(tape) == 2
    assert [path.name for path in list_paths(tape)] == ["2026-08-09.jsonl", "2026-08-10.jsonl"]
    assert not list(tape.glob("product=*/_segments.*jsonl"))
    assert catalog(tape, BTC) == listed
    assert running.run(tape, keep=False).digest == digest
    assert not verify(tape).damage
    with PlannedRecorder(tape) as recorder:
        recorder.record(50)
    assert read_rows(tape) == planned(0, 180)


def test_a_damaged_tape_is_not_migrated(tape: Path) -> None:
    """If a segment is damaged, the tape stays what it was."""
    flip_byte(segment_paths(tape)[0], 4)
    (segment_paths(tape)[1]).unlink()
    before = {path: path.read_bytes() for path in tape.rglob("*.json*")}
    with pytest.raises(DamagedTapeError):
        compact(tape)
    assert {path: path.read_bytes() for path in tape.rglob("*.json*")} == before


def test_an_old_list_beside_the_new_one_is_not_read(tape: Path) -> None:
    """A list of format 1 that came back, of a copy or a backup, hides no segment; a recorder removes it."""
    old = shutil.copy(tape / f"product={BTC}" / "_segments.jsonl", tape.parent)
    compact(tape)
    with PlannedRecorder(tape) as recorder:
        recorder.record(50)
        recorder.seal_all()
    back = Path(shutil.copy(old, tape / f"product={BTC}"))
    opened = Tape.open(tape).product(BTC)
    assert opened.sealed_rows() == 180
    assert not verify(tape).damage
    PlannedRecorder(tape).__exit__()
    assert not back.exists()


def test_what_a_dead_migration_left_is_not_believed(tape: Path) -> None:
    """Lists that were not renamed into place are written anew: they may be old."""
    aside = tape / f"product={BTC}" / "_segments.next"
    aside.mkdir()
    (aside / "2026-08-01.jsonl").write_text("{}\n")
    (aside / "2026-08-09.jsonl").write_text("{}\n")
    assert read_rows(tape) == planned(0, 130)
    compact(tape)
    assert len(list_paths(tape)) == 2
    assert read_rows(tape) == planned(0, 130)
    assert not verify(tape).damage
