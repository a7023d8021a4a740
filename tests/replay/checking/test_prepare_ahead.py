"""`--prepare auto`: what is missing is made before a run, and whatever hinders that, the run goes on."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import booktape
from orderbook.compiled.loading import packed_version
from orderbook.times import NS
from recorder.settings import SealPolicy
from recorder.tape.compaction import maintenance_lock
from recorder.tape.reader import Tape
from tests.support.commands import clean_environment, invoke
from tests.support.constants import BTC, ROOT, SAMPLE
from tests.support.rows import to_rows, write_tape


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a copy of the sample, not prepared."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "tape"))


@pytest.fixture(scope="module")
def expected() -> object:
    """Return the digest of the sample, from its frames."""
    return booktape.open(SAMPLE).replay(keep=False).document()["digest"]


def prepared_files(tape: Path) -> list[Path]:
    """Return the prepared files."""
    return sorted(tape.glob("product=*/_columns/*"))


def digest(tape: Path) -> object:
    """Return the digest of a replay that prepares first."""
    return booktape.open(tape).replay(keep=False, engine="compiled", prepare="auto").document()["digest"]


def test_made_once_and_used(tape: Path, expected: object) -> None:
    """The first run writes a file for each segment, the next ones leave them; a stale one is replaced."""
    assert digest(tape) == expected
    files = {path: path.stat().st_mtime_ns for path in prepared_files(tape)}
    assert len(files) == len(booktape.open(tape).products)
    assert digest(tape) == expected
    assert {path: path.stat().st_mtime_ns for path in prepared_files(tape)} == files
    stale = next(iter(files))
    whole = stale.read_bytes()
    stale.write_bytes(whole.replace(packed_version().encode(), b"0" * 64))
    assert digest(tape) == expected
    assert stale.read_bytes() == whole


def test_damaged_is_read_from_frames(tape: Path, expected: object) -> None:
    """A damaged file changes no digest."""
    digest(tape)
    for path in prepared_files(tape):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert digest(tape) == expected


def test_default_writes_nothing(tape: Path) -> None:
    """Without the option no command writes to a tape."""
    booktape.open(tape).replay(keep=False, engine="compiled")
    assert prepared_files(tape) == []


def test_compare_and_backtest(tape: Path) -> None:
    """Both prepare what they read, with the results of a tape that is not prepared."""
    for run in (
        lambda path, prepare: booktape.open(path).compare([0.001], engine="compiled", prepare=prepare),
        lambda path, prepare: booktape.open(path).backtest(engine="compiled", prepare=prepare, keep=False),
    ):
        shutil.rmtree(tape / f"product={BTC}" / "_columns", ignore_errors=True)
        found = run(tape, "auto").document()["rows"]
        assert prepared_files(tape)
        assert found == run(SAMPLE, "off").document()["rows"]


def test_only_what_is_read(tmp_path: Path) -> None:
    """Of a window and of some products, only the segments that are read are prepared."""
    rows = to_rows(Tape.open(SAMPLE).product(BTC).batches())
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=300, seconds=1e6), batch_rows=300)
    entries = Tape.open(tape).product(BTC).segments()
    assert len(entries) > 3
    end = rows[350].recv_time / NS
    booktape.open(tape).replay(end=end, keep=False, engine="compiled", prepare="auto")
    assert len(prepared_files(tape)) == 2


def test_locked(tape: Path, expected: object, caplog: pytest.LogCaptureFixture) -> None:
    """Beside another preparation or compaction, a run says so and reads the frames."""
    with caplog.at_level(logging.WARNING), maintenance_lock(tape):
        assert digest(tape) == expected
    assert [record.message for record in caplog.records] == [
        f"{tape} is read without being prepared: it is being prepared, indexed or compacted"
    ]
    assert prepared_files(tape) == []


def test_plain_engine(tape: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For the plain engine nothing is prepared, as it reads the frames."""
    with caplog.at_level(logging.WARNING):
        booktape.open(tape).replay(keep=False, engine="plain", prepare="auto")
    assert "the plain engine" in caplog.text
    assert prepared_files(tape) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="a superuser writes anywhere")
def test_read_only(tape: Path, expected: object, caplog: pytest.LogCaptureFixture) -> None:
    """A tape that cannot be written is read."""
    for directory in (tape, *tape.glob("product=*")):
        directory.chmod(0o500)
    assert digest(tape) == expected
    assert "is read without being prepared: " in caplog.text


def test_no_place(tape: Path, expected: object, caplog: pytest.LogCaptureFixture) -> None:
    """If the files cannot be written, the run reads the frames and nothing half-done is left."""
    for directory in tape.glob("product=*"):
        (directory / "_columns").write_bytes(b"a file in the way")
    assert digest(tape) == expected
    assert "is read without being prepared: " in caplog.text


def test_two_processes(tape: Path, expected: object) -> None:
    """Two processes that prepare the same tape at once have its digest, and leave whole files."""
    code = (
        "import sys, booktape; print(booktape.open(sys.argv[1]).replay(keep=False, engine='compiled',"
        " prepare='auto').document()['digest'])"
    )
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, tape], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == [expected, expected]
    assert all(each.made == 0 for each in booktape.open(tape).prepare().values())


def test_command(tape: Path) -> None:
    """The command line has the option, and says in one line why a tape is not prepared."""
    assert invoke("replay", tape, "--engine", "compiled", "--prepare", "auto").exit_code == 0
    assert prepared_files(tape)
    found = invoke("compare", tape, "--threshold", "10bps", "--engine", "plain", "--prepare", "auto")
    assert found.exit_code == 0
