"""What a command does where its output cannot be written: reader gone, disk full, stdout closed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import booktape_process, clean_environment, invoke
from tests.support.constants import BTC, ROOT, SAMPLE, TIMEOUT_S
from tests.support.fork import run_command
from tests.support.tapes import snapshot, write_capture

FULL = "Error: stdout: No space left on device; make room and start again\n"
PRINTING = (  # a table, JSON, CSV, rows as they come, one line
    "inspect SAMPLE",
    "inspect SAMPLE --json",
    "compare SAMPLE --csv --to +1s",
    "replay SAMPLE --follow --threshold 0",
    "serve SAMPLE --port 0",
)
AS_USERS = ("--help", "inspect SAMPLE --json", "replay SAMPLE --follow --threshold 0")
"""Those that also show how a Python of their own ends; others are forks, which saves all imports."""
OTHERS = (
    "--help",
    "verify SAMPLE",
    "book SAMPLE -p BTC-USD --at +1s",
    "diff SAMPLE SAMPLE",
)


@contextmanager
def no_reader() -> Iterator[int]:
    """Open a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def run(command: str, stdout: int) -> tuple[int, str]:
    """Run a command of the sample tape with its output somewhere; return its exit code and its errors."""
    words = [str(SAMPLE) if word == "SAMPLE" else word for word in command.split()]
    if command in AS_USERS:
        done = booktape_process(*words, stdout=stdout, stderr=subprocess.PIPE)
    else:
        environment = clean_environment()
        done = run_command(words, cwd=None, env=environment, timeout=TIMEOUT_S, stdout=os.dup(stdout))
    lines = done.stderr.splitlines(keepends=True)
    return done.returncode, "".join(line for line in lines if " INFO " not in line)


def run_all(commands: Sequence[str], stdout: int) -> dict[str, tuple[int, str]]:
    """Run commands, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(commands, pool.map(lambda command: run(command, stdout), commands), strict=True))


def test_a_reader_that_is_gone() -> None:
    """Every command ends quietly, as by `| head`."""
    with no_reader() as pipe:
        found = run_all(PRINTING + OTHERS, pipe)
    assert dict.fromkeys(PRINTING + OTHERS, (1, "")) == found


def test_a_disk_that_is_full() -> None:
    """Whatever way a command prints, it says so in one line and exits 1."""
    with Path("/dev/full").open("w") as full:
        found = run_all(PRINTING, full.fileno())
    assert dict.fromkeys(PRINTING, (1, FULL)) == found


@pytest.mark.parametrize("command", ["inspect SAMPLE --json", "replay SAMPLE"])
def test_no_output_at_all(command: str) -> None:
    """A command that was started without stdout does its work for nobody."""
    words = command.replace("SAMPLE", str(SAMPLE))
    done = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} -m booktape {words} >&-"],  # noqa: S607  whichever bash
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_live_feed_ends_with_its_reader() -> None:
    """`live` keeps nothing, so it ends where nobody reads what it prints, and where it cannot be written."""
    with SyntheticExchange([MarketSettings("BTC-USD", depth=20)], ExchangeSettings(rate=200)) as exchange:
        command = f"live BTC-USD --all --url {exchange.url}"
        with no_reader() as pipe:
            assert run(command, pipe) == (1, "")
        with Path("/dev/full").open("w") as full:
            assert run(command, full.fileno()) == (1, FULL)


@pytest.mark.parametrize("command", ["inspect", "verify", "replay", "compact"])
def test_a_name_with_a_newline(tmp_path: Path, command: str) -> None:
    """An error stays one line, whatever a path is called; what the system refused is named with its words."""
    missing = tmp_path / "new\nline"
    assert invoke(command, missing).stderr == f"Error: {tmp_path}/new\\nline: no such tape\n"


def test_what_could_not_be_written_is_named(tmp_path: Path) -> None:
    """A lock that is a directory, and a tape below a file, are told by their names, without an errno."""
    tape = shutil.copytree(SAMPLE, tmp_path / "tape")
    (tape / "_maintenance.lock").mkdir()
    error = invoke("compact", tape).stderr
    assert f"({tape}/_maintenance.lock: Is a directory)" in error
    (tmp_path / "file").touch()
    capture = write_capture(tmp_path / "capture.jsonl", [(0, snapshot(BTC))])
    error = invoke("import", capture, "-o", tmp_path / "file" / "tape").stderr
    assert error == f"Error: {tmp_path}/file/tape: cannot hold a tape ({tmp_path}/file: Not a directory)\n"
