"""Disks that are full at the n-th call, for every n: earlier rows are kept, the next writer continues."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from shutil import which

import pytest

from booktape.cli.main import main
from recorder.tape.errors import TapeError
from replay.checking.verify import verify
from replay.running import api as running
from tests.endurance.faults import NEEDING_SPACE, FullDisk, intercepted
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.endurance.planned_recorder import PlannedRecorder, planned
from tests.support.commands import invoke
from tests.support.constants import BTC, SECOND
from tests.support.fork import FORK
from tests.support.rows import file_size_limit, journals, read_rows
from tests.support.tapes import snapshot, update, write_capture

pytestmark = pytest.mark.timeout(TIMEOUT_S)

FRAMES = [snapshot(BTC), *(update(BTC, ("buy", "98", str(number))) for number in range(1, 31))]


def importing(capture: Path, tape: Path) -> tuple[object, ...]:
    """Return the command that puts the capture on a tape, in segments of 10 rows.

    By the engine that a process need not load for seconds: hundreds of them run here.
    """
    return ("import", capture, "-o", tape, "--segment-rows", 10, "--engine", "plain")


def held_frames(tape: Path) -> list[str]:
    """Return the frames on a tape; none if it did not become a tape."""
    if not (tape / "_tape.json").exists():
        return []
    return [row.payload for row in read_rows(tape) if row.kind == "frame"]


def import_on_a_full_disk(arguments: tuple[object, ...], fails_at: int, is_torn: bool, output: Path) -> None:
    """Run the command line as its own process does, the n-th call failing; its outputs go to files."""
    sys.argv = ["booktape", *map(str, arguments)]
    with (
        output.with_suffix(".out").open("w", encoding="utf-8") as out,
        output.with_suffix(".err").open("w", encoding="utf-8") as err,
        redirect_stdout(out),
        redirect_stderr(err),
        intercepted(FullDisk(fails_at, is_torn=is_torn), NEEDING_SPACE),
    ):
        main()


@pytest.mark.parametrize("is_torn", [False, True], ids=["refused", "torn"])
def test_a_full_disk_at_any_call_harms_nothing(tmp_path: Path, is_torn: bool) -> None:
    """Whichever call fails: exit 1, one line, and an exact prefix on the tape; an empty tape takes it all.

    A tape with a prefix refuses the capture: it would hold the prefix twice.
    """
    capture = write_capture(tmp_path / "a.jsonl", [(n * SECOND, text) for n, text in enumerate(FRAMES)])
    kept = unexpected = number = 0
    wrong: list[str] = []
    for number in range(1, 1_000, cases(1, 7 if is_torn else 5)):
        tape, output = tmp_path / f"tape-{number}", tmp_path / f"output-{number}"
        process = FORK.Process(
            target=import_on_a_full_disk, args=(importing(capture, tape), number, is_torn, output)
        )
        process.start()
        process.join(60)
        if process.exitcode == 0:
            break
        stdout, stderr = (
            output.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".out", ".err")
        )
        if (process.exitcode, stdout, stderr.count("\n"), stderr[:7]) != (1, "", 1, "Error: "):
            wrong.append(f"call {number}: exit {process.exitcode}, {stdout!r}, {stderr!r}")
        unexpected += "unexpected" in stderr
        before = held_frames(tape)
        kept += len(before)
        assert before == FRAMES[: len(before)]
        again = invoke(*importing(capture, tape), "--json")  # stderr reports cut and clamped rows
        if before:
            assert again.exit_code == 1
            assert "a capture is imported once" in again.stderr
            assert held_frames(tape) == before
            continue
        if again.exit_code:
            wrong.append(f"after call {number}: {again.stderr.strip()}")
            continue
        assert held_frames(tape) == FRAMES
        assert not journals(tape)
        assert not verify(tape).damage
        assert json.loads(again.stdout)["digest"] == running.run(tape, keep=False).digest
    form = "torn" if is_torn else "refused"
    report(f"ENOSPC, {form}", calls=number - 1, frames_kept=kept, wrong=len(wrong), unexpected=unexpected)
    assert not wrong, "\n".join(wrong[:10])


def test_a_writer_that_cannot_sync_releases_the_tape(tmp_path: Path) -> None:
    """If closing the journal fails, the lock is released even so: the next writer can open the tape."""
    with suppress(OSError, TapeError), PlannedRecorder(tmp_path / "tape") as recorder:
        recorder.record(5)
        disk = intercepted(FullDisk(1), ("fdatasync",))
        disk.__enter__()
    disk.__exit__(None, None, None)
    with PlannedRecorder(tmp_path / "tape") as recorder:
        assert recorder.next_seq == 5


def test_a_disk_that_is_full_at_the_start_is_reported(tmp_path: Path) -> None:
    """If the disk has no space for the manifest, the user gets one line and no traceback."""
    capture = write_capture(tmp_path / "a.jsonl", [(0, FRAMES[0])])
    with intercepted(FullDisk(1), ("write", "fsync")):
        done = invoke(*importing(capture, tmp_path / "tape"))
    assert done.exit_code == 1
    assert "No space left" in done.stderr


SIZES = cases(88, 6)


@pytest.mark.parametrize("nth", range(SIZES))
def test_a_segment_that_does_not_fit_stays_in_the_journal(tmp_path: Path, nth: int) -> None:
    """Wherever Arrow's writer runs out of space, no half segment is published and no row is lost."""
    with PlannedRecorder(tmp_path / "whole", segment_rows=1_000) as recorder:
        recorder.record(40)
        recorder.seal_all()
    (whole,) = (tmp_path / "whole").glob("product=*/*/*.parquet")
    size = 200 + (whole.stat().st_size - 200) * nth // SIZES
    tape = tmp_path / "tape"
    with PlannedRecorder(tape, segment_rows=1_000) as recorder:
        recorder.record(40)
        recorder.sync()
        with file_size_limit(size), pytest.raises((OSError, TapeError)):
            recorder.seal_all()
    _assert_continues(tape, 40)


@contextmanager
def small_disk(directory: Path, mib: int) -> Iterator[Path]:
    """Mount a small tmpfs while the block runs; skip the test if that is not permitted."""
    mount, umount = which("mount"), which("umount")
    directory.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={mib}m", "booktape-test", str(directory)]
    if mount is None or umount is None or subprocess.run([mount, *options], capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip("mounting a small tmpfs is not permitted here")
    try:
        yield directory
    finally:
        subprocess.run([umount, str(directory)], check=True)


@pytest.mark.parametrize("pages", [0, 1, 2, 4, 8])
def test_a_disk_that_is_really_full(tmp_path: Path, pages: int) -> None:
    """With few pages left on a real file system a seal fails at some step, or not; no row is lost."""
    with small_disk(tmp_path / "disk", 140) as disk:
        tape, filler = disk / "tape", disk / "filler"
        with PlannedRecorder(tape, segment_rows=1_000) as recorder:
            recorder.record(40)
            recorder.sync()
            room = os.statvfs(disk)
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, (room.f_bavail - pages) * room.f_frsize)
            try:
                recorder.seal_all()
            except (OSError, TapeError) as error:
                assert pages < 8, error  # noqa: PT017  with enough room it must work
        assert read_rows(tape) == planned(0, 40)
        filler.unlink()
        _assert_continues(tape, 40)


def _assert_continues(tape: Path, number: int) -> None:
    assert read_rows(tape) == planned(0, number)
    assert not verify(tape).damage
    with PlannedRecorder(tape) as recorder:
        recorder.record(3)
        recorder.seal_all()
    assert read_rows(tape) == planned(0, number + 3)
    assert not journals(tape)
    assert not verify(tape).damage
