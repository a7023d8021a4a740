"""What killed replays leave beside RUN, and what of it the next replay removes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from replay.rundir import run_directory
from tests.replay.tapes import TIMEOUT_S, clean_environment

WRITER = """
import sys
from pathlib import Path
from replay.rundir import run_directory
with run_directory(Path(sys.argv[1])) as writer:
    writer.write_document({})
    print(writer.directory, flush=True)
    sys.stdin.read()
"""


@contextmanager
def writing(run: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Write to a RUN in a process of its own until its stdin ends; yields it and its directory aside."""
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
    """Write a RUN here."""
    with run_directory(run) as writer:
        writer.write_document({})


def test_what_a_killed_replay_left_is_removed(tmp_path: Path) -> None:
    """The next replay to the same RUN removes it, but neither one at work nor what is another RUN's."""
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


def test_what_looks_like_a_leftover_stays(tmp_path: Path) -> None:
    """A directory or file of such a name that no replay marked as its own is not touched."""
    (tmp_path / "_run.notours1").mkdir()
    (tmp_path / "_run.notours1" / "_lock").touch()
    (tmp_path / "_run.notours2").touch()
    write(tmp_path / "run")
    assert (tmp_path / "_run.notours1" / "_lock").exists()
    assert (tmp_path / "_run.notours2").exists()
