"""The local file system: modes of files, atomic replacement, and one holder of a lock."""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result

from recorder.settings import SealPolicy
from recorder.tape.store.local import acquire_lock, file_version
from recorder.tape.store.writing import replace_end, replace_file
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, MS
from tests.support.rows import file_size_limit, frames, open_writer, tally, to_batch
from tests.support.tapes import (
    edit_catalog,
    import_frames,
    list_path,
    make_format_1,
    segment_paths,
    snapshot,
    update,
    write_capture,
)


@pytest.mark.parametrize(("umask", "directory", "file"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_the_umask_decides(tmp_path: Path, umask: int, directory: int, file: int) -> None:
    """Others may read a tape if they may read what its user makes elsewhere; nobody else may hold a lock."""
    before = os.umask(umask)
    try:
        with open_writer(tmp_path / "tape", policy=SealPolicy(rows=5)) as writer:
            writer.products[BTC].append(to_batch(frames(7)))
            writer.products[BTC].seal(tally(), 7)
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tape").rglob("*")}
    finally:
        os.umask(before)
    assert {modes[path] for path in modes if path.is_dir()} == {directory}
    locks = {path for path in modes if "lock" in path.name}
    assert {modes[path] for path in locks} == {0o600}
    others = {modes[path] for path in modes if path.is_file() and path not in locks}
    assert len(modes) > 6
    assert others == {file}


def test_a_replaced_file_is_old_or_new(tmp_path: Path) -> None:
    """If the new content does not fit on the disk, the old content stays; otherwise the new is complete."""
    path = tmp_path / "_tape.json"
    replace_file(path, b"old")
    with file_size_limit(1000), pytest.raises(OSError, match="File too large"):
        replace_file(path, b"x" * 2000)
    assert path.read_bytes() == b"old"
    replace_file(path, b"x" * 2000)
    assert path.read_bytes() == b"x" * 2000
    assert [each.name for each in tmp_path.iterdir()] == ["_tape.json"]


def test_the_end_of_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    """If a new end does not fit on the disk, the file ends where it began; the next one follows there."""
    path = tmp_path / "_segments.jsonl"
    replace_end(path, 0, b"whole\ntorn")
    before = file_version(path)
    with file_size_limit(1000), pytest.raises(OSError, match="File too large"):
        replace_end(path, 6, b"x" * 2000)
    assert path.read_bytes() == b"whole\n"
    replace_end(path, 6, b"next\n")
    assert path.read_bytes() == b"whole\nnext\n"
    assert None is not before != file_version(path)


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    """A second holder is refused until the first closes it."""
    lock = acquire_lock(tmp_path / "_lock", wait=False)
    with pytest.raises(BlockingIOError):
        acquire_lock(tmp_path / "_lock", wait=False)
    lock.close()
    acquire_lock(tmp_path / "_lock", wait=True).close()


NAMES: Final = (
    "_tape.json",
    "_lock",
    "_maintenance.lock",
    f"product={BTC}/_segments/2026-08-09.jsonl",
    f"product={BTC}/_segments/2026-08-09.next.jsonl",
    f"product={BTC}/_segments.lock",
    f"product={BTC}/_journal/{60:020d}.journal",
    f"product={BTC}/_index/{0:020d}.book",
    f"product={BTC}/date=2026-08-09/{20:020d}.parquet",
    f"product={BTC}/date=2026-08-09/_{0:020d}.parquet.merged",
    "_tape.json.tmp",
    f"product={BTC}/_segments/2026-08-09.next.jsonl.tmp",
    f"product={BTC}/_segments.jsonl",
    f"product={BTC}/_index/_{0:020d}.book.tmp",
    f"product={BTC}/_index/_{60:020d}.book.tmp",
    f"product={BTC}/date=2026-08-09/_{60:020d}.parquet.tmp",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of a book with three segments. Do not change it."""
    sent = [(0, snapshot(BTC)), *((number * MS, update(BTC)) for number in range(1, 59))]
    return import_frames(tmp_path_factory.mktemp("whole"), sent, segment_rows=20)


@pytest.fixture
def tape(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of the tape, to be damaged."""
    return shutil.copytree(whole, tmp_path / "tape")


def use(tape: Path) -> list[Result]:
    """Run the commands that read and write a tape."""
    capture = write_capture(
        tape.parent / "more.jsonl", [(10**12, snapshot(BTC)), (2 * 10**12, snapshot(ETH))]
    )
    calls = (
        ("inspect", tape),
        ("verify", tape),
        ("index", tape),
        ("import", capture, "-o", tape),
        ("compact", tape),
    )
    return [invoke(*call) for call in calls]


@pytest.mark.parametrize("name", NAMES)
def test_a_fifo_is_not_waited_for(tape: Path, name: str) -> None:
    """A FIFO in the place of any file of a tape is refused, skipped or replaced."""
    (tape / name).unlink(missing_ok=True)
    os.mkfifo(tape / name)
    for done in use(tape):
        assert done.exit_code in (0, 1)
        assert "unexpected" not in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_through_a_symbolic_link(tape: Path, tmp_path: Path, name: str) -> None:
    """A symbolic link in the place of any file of a tape may be read, and its target is not changed."""
    outside = tmp_path / "outside"
    outside.write_bytes((tape / name).read_bytes() if (tape / name).exists() else b"mine")
    before = outside.read_bytes()
    (tape / name).unlink(missing_ok=True)
    (tape / name).symlink_to(outside)
    for done in use(tape):
        assert "unexpected" not in done.stderr
        assert outside.read_bytes() == before


@pytest.mark.parametrize(
    ("file", "suffix", "form"),
    [
        ("../../outside.parquet", ".jsonl", 1),
        ("../../outside.parquet", ".jsonl", 2),
        ("../../outside.parquet", ".next.jsonl", 1),
        ("../../outside.parquet", ".next.jsonl", 2),
        ("{tmp}/outside.parquet", ".jsonl", 2),
        ("date=2026-08-09/../../../outside.parquet", ".next.jsonl", 1),
        ("date=2026-08-09/{first:020d}.parquet/../../../../outside.parquet", ".jsonl", 2),
        ("date=2026-08-09/{first}.parquet", ".jsonl", 1),
        ("date=2026-08-10/{first:020d}.parquet", ".jsonl", 2),
        ("_index/{first:020d}.book", ".next.jsonl", 2),
        ("\x1b[2J.parquet", ".jsonl", 2),
    ],
)
def test_a_list_names_no_other_file(tape: Path, tmp_path: Path, file: str, suffix: str, form: int) -> None:
    """An entry with any name but the one of its rows is damage, and no other file is touched."""
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(segment_paths(tape)[1].read_bytes())
    path = list_path(make_format_1(tape) if form == 1 else tape)
    whole = path.read_bytes()
    edit_catalog(tape, BTC, 1, file=file.format(tmp=tmp_path, first=20))
    path.rename(path.with_suffix(suffix))
    if suffix != ".jsonl":
        path.write_bytes(whole)
    before = {
        path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "lock" not in path.name
    }
    for done in use(tape):
        assert done.exit_code == 1
        assert "\x1b" not in done.output
        assert "unexpected" not in done.output
    assert {path: path.read_bytes() for path in before} == before
