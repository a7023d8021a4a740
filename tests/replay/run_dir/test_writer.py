"""Writing RUN directories: row groups, and that a RUN is complete or absent."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.tape.errors import TapeError
from replay.run_dir.writer import RunError, RunWriter, piece_files, run_directory
from replay.running import api as running
from replay.running.settings import ReplaySettings
from tests.support import tapes
from tests.support.commands import clean_environment
from tests.support.constants import BTC
from tests.support.tapes import Recording


def test_row_groups_of_small_batches(short_tape: Path, tmp_path: Path) -> None:
    """A replay in steps of one row writes the same RUN, in as few row groups, as one in large steps."""
    for name, batch_rows in (("large", 8192), ("single", 1)):
        running.run(short_tape, ReplaySettings(batch_rows=batch_rows), output=tmp_path / name, keep=False)
    files = sorted(path.relative_to(tmp_path / "large") for path in (tmp_path / "large").rglob("*.parquet"))
    assert files
    for file in files:
        single = pq.ParquetFile(tmp_path / "single" / file)
        assert single.read() == pq.ParquetFile(tmp_path / "large" / file).read()
        assert single.num_row_groups == 1
        assert single.metadata.num_rows > 256 or file.parts[0] != "summaries"


def test_row_groups_of_a_long_stream(tmp_path: Path) -> None:
    """A long stream is written in row groups of similar size, every row once and in order."""
    with run_directory(tmp_path / "run") as writer:
        for first in range(0, 100_000, 40):
            writer.write("numbers", BTC, pa.record_batch({"seq": list(range(first, first + 40))}))
    (path,) = (tmp_path / "run").rglob("*.parquet")
    file = pq.ParquetFile(path)
    assert file.read()["seq"].to_pylist() == list(range(100_000))
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert all(10_000 < size < 30_000 for size in sizes[:-1])
    assert len(sizes) > 3


@pytest.mark.parametrize("made", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_existing_run_is_refused(short_tape: Path, tmp_path: Path, made: Any) -> None:
    """Anything with the name of the RUN, even a dangling link, is never overwritten."""
    run = tmp_path / "run"
    made(run)
    with pytest.raises(RunError, match="exists already"):
        running.run(short_tape, output=run)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (run.is_dir() and list(run.iterdir()))


def test_run_without_a_parent_is_refused(short_tape: Path, tmp_path: Path) -> None:
    """A RUN is not made in a directory that does not exist."""
    with pytest.raises(RunError, match="nowhere"):
        running.run(short_tape, output=tmp_path / "nowhere" / "run")
    assert not list(tmp_path.iterdir())


def test_run_is_published_whole(recording: Recording, tmp_path: Path) -> None:
    """An unfinished RUN has another name, which data sets skip, until it is renamed as a whole."""
    run = tmp_path / "run"
    seen: set[bool] = set()

    def progress(_product: str, _step: object) -> None:
        seen.add(run.exists())
        assert all(path.name.startswith("_") for path in tmp_path.iterdir())

    running.run(recording.tape, ReplaySettings(batch_rows=1000), output=run, keep=False, progress=progress)
    assert seen == {False}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("line", [0, -1])
def test_damaged_tape_leaves_no_run(recording: Recording, tmp_path: Path, line: int) -> None:
    """If the tape is damaged, the error names the file and nothing of the RUN is left."""
    damaged = tapes.copy_of(recording.tape, tmp_path)
    path = tapes.segment_paths(damaged, BTC)[line]
    tapes.flip_byte(path, path.stat().st_size // 2)
    with pytest.raises(TapeError, match=path.name):
        running.run(damaged, output=tmp_path / "run")
    assert [each.name for each in tmp_path.iterdir()] == ["copied"]


def test_full_disk_leaves_no_run(recording: Recording, tmp_path: Path) -> None:
    """If a RUN cannot be written, one line says so, the exit code is 1, and nothing of it is left."""
    command = [
        sys.executable,
        "-B",
        "-m",
        "booktape",
        "replay",
        str(recording.tape),
        "-o",
        str(tmp_path / "run"),
    ]
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *command]
    done = subprocess.run(
        limited, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())
    assert [line[:7] for line in done.stderr.splitlines()] == ["Error: "]
    assert "unexpected" not in done.stderr
    assert str(tmp_path / "run") in done.stderr


def test_a_worker_that_does_not_share_the_directory_is_refused(tmp_path: Path) -> None:
    """It makes no directory of its own, whose rows would be missing from the RUN without a word."""
    with (
        pytest.raises(RunError, match="does not see what is written there: write to a directory that all"),
        piece_files(RunWriter(tmp_path / "elsewhere" / "_run.0")),
    ):
        pytest.fail("its rows would be lost")
    assert list(tmp_path.iterdir()) == []
