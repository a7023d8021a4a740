"""The leftovers of killed replays beside RUN, and which of them the next replay removes."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from replay.run_dir.writer import run_directory
from tests.support.commands import clean_environment, invoke
from tests.support.constants import SAMPLE, TIMEOUT_S

WRITER = """
import sys
from pathlib import Path
from replay.run_dir.writer import run_directory
with run_directory(Path(sys.argv[1])) as writer:
    writer.write_document({})
    print(writer.directory, flush=True)
    sys.stdin.read()
"""


@contextmanager
def writing(run: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Write to a RUN in another process until its stdin ends; yield it and its directory."""
    command = [sys.executable, "-c", WRITER, str(run)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=clean_environment(), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def write(run: Path) -> None:
    """Write a RUN in this process."""
    with run_directory(run) as writer:
        writer.write_document({})


def test_leftovers_of_a_killed_replay_are_removed(tmp_path: Path) -> None:
    """The next replay to the same RUN removes them, but not a directory in use or of another RUN."""
    run = tmp_path / "a[b]*"
    with ExitStack() as stack:
        (dead, left), (alive, used), (other, others) = (
            stack.enter_context(writing(each)) for each in (run, run, tmp_path / "ab")
        )
        for process in (dead, other):
            process.kill()
            process.wait(TIMEOUT_S)
        assert (left / "run.json").exists()
        write(run)
        assert not left.exists()
        assert (used / "run.json").exists()
        assert (others / "run.json").exists()
        _, stderr = alive.communicate(timeout=TIMEOUT_S)
    assert "exists already" in stderr
    write(tmp_path / "ab")
    assert {path.name for path in tmp_path.iterdir()} == {"a[b]*", "ab"}
    assert [path.name for path in run.iterdir()] == ["run.json"]


def test_other_files_with_such_names_stay(tmp_path: Path) -> None:
    """A directory or file with the name of a leftover but without the lock file is not touched."""
    (tmp_path / "_run.notours1").mkdir()
    (tmp_path / "_run.notours1" / "_lock").touch()
    (tmp_path / "_run.notours2").touch()
    write(tmp_path / "run")
    assert (tmp_path / "_run.notours1" / "_lock").exists()
    assert (tmp_path / "_run.notours2").exists()


@pytest.mark.parametrize(("umask", "directory", "file"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_the_umask_decides(tmp_path: Path, umask: int, directory: int, file: int) -> None:
    """Others may read a RUN and a report if they may read what the user makes elsewhere."""
    before = os.umask(umask)
    try:
        output = ("-o", tmp_path / "run", "--html", tmp_path / "report.html")
        done = invoke("replay", SAMPLE, "--to", "+1s", *output)
    finally:
        os.umask(before)
    assert done.exit_code == 0
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {modes[path] for path in modes if path.is_dir()} == {directory}
    assert {modes[path] for path in modes if path.suffix in (".parquet", ".html")} == {file}
