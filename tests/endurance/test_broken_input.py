"""Each command with each kind of broken input: one clear line, and never a traceback or a panic."""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from booktape.cli.main import cli
from orderbook.errors import explain
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.constants import BTC, SAMPLE
from tests.support.tapes import snapshot, write_capture

pytestmark = pytest.mark.timeout(TIMEOUT_S)

UNEXPECTED = ("unexpected", "Traceback", "panicked", "Aborted!")
NOT_UTF_8 = os.fsdecode(b"not\xff\xe9utf-8")
VALUES = (
    *("1e400", "9" * 30, "-1", "0", "1.5", "null", "true", "[]", "{}"),
    *('"x"', '"../../x"', '""', '"\\ud800"'),
)


def reads(tape: Path, new: Path) -> Iterator[tuple[object, ...]]:
    """Return each command that reads a tape, or writes one that exists."""
    yield "inspect", tape
    yield "verify", tape
    yield "replay", tape, "-o", new / "run"
    yield "replay", tape, "--json", "--from", "+1s", "--depth", 3
    yield "compare", tape, "--threshold", "1bps"
    yield "compare", tape, SAMPLE, "--threshold", "1bps"
    yield "book", tape, "-p", BTC, "--at", "+1s"
    yield "index", tape
    yield "compact", tape
    yield "diff", tape, SAMPLE
    yield "diff", SAMPLE, tape
    yield "serve", tape, "--port", 0, "--from", "2300-01-01T00:00:00Z"
    yield "import", new / "good.jsonl", "-o", tape


def writes(file: Path, new: Path) -> Iterator[tuple[object, ...]]:
    """Return each command with a file as its other input, or as its output."""
    yield "import", file, "-o", new / "tape"
    yield "import", new / "good.jsonl", "-o", file
    yield "replay", SAMPLE, "-o", file
    yield "replay", SAMPLE, "--html", file
    yield "compare", SAMPLE, "--threshold", "1bps", "-o", file
    yield "demo", "--keep", file / "below a file"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.fspath(path))


def _junk(path: Path) -> None:
    path.write_bytes(Random(1).randbytes(5000))


def _nothing(path: Path) -> None:
    """Leave it missing."""


def _copy(path: Path) -> None:
    shutil.copytree(SAMPLE, path)


PATHS: dict[str, Callable[[Path], None]] = {
    "missing": _nothing,
    "x" * 300: _nothing,
    "directory": Path.mkdir,
    "empty": Path.touch,
    "junk": _junk,
    "fifo": _fifo,
    "socket": _socket,
    "loop": lambda path: path.symlink_to(path.name),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "line\nfeed\x1b[31m": Path.mkdir,
    NOT_UTF_8: _copy,
}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Return a directory for outputs, which has a capture."""
    directory = tmp_path / "new"
    directory.mkdir()
    write_capture(directory / "good.jsonl", [(0, snapshot(BTC))])
    return directory


def assert_told(arguments: tuple[object, ...], capfd: pytest.CaptureFixture[str]) -> int:
    """Run a command; whatever is wrong must be told in one line of ours. Return the exit code."""
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    said = done.output + "".join(capfd.readouterr())
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        said += f"Error: {explain(done.exception)}"  # as `main` does
    assert not [word for word in UNEXPECTED if word in said], (arguments, said)
    assert done.exit_code in (0, 1, 2), (arguments, said)
    assert not done.exit_code or "Error: " in said or done.stdout, (arguments, said)
    return done.exit_code


@pytest.mark.parametrize("name", PATHS, ids=lambda name: ascii(name[:12]))
def test_what_is_no_tape_and_no_capture(
    tmp_path: Path, new: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A path to anything, in the place of a tape, of a capture and of an output."""
    path = tmp_path / name
    PATHS[name](path)
    before = sorted(each.name for each in tmp_path.iterdir())
    for command in (*reads(path, new), *writes(path, new)):
        if command[0] == "demo" and name in {"missing", "directory", "line\nfeed\x1b[31m", NOT_UTF_8}:
            continue  # nothing is wrong with it
        assert_told(command, capfd)
        if name in {"missing", "directory"}:  # where an output can be made
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            PATHS[name](path)
    assert sorted(each.name for each in tmp_path.iterdir()) == before


def _changed(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _other_value(data: bytes, rng: Random) -> bytes:
    places = list(re.finditer(rb'(?<=:)("[^"]*"|-?[\d.]+|\[[^\]]*\])', data))
    if not places:
        return b"\xef\xbb\xbf" + data
    place = rng.choice(places)
    return data[: place.start()] + rng.choice(VALUES).encode() + data[place.end() :]


CONTENTS: tuple[Callable[[bytes, Random], bytes], ...] = (
    lambda _data, _rng: b"",
    lambda data, rng: data[: rng.randrange(len(data))],
    lambda _data, rng: rng.randbytes(rng.randrange(1, 3000)),
    lambda data, _rng: data * 2,
    lambda _data, _rng: b"[" * 100_000,
    _changed,
    _changed,
    _other_value,
    _other_value,
)


def break_file(path: Path, rng: Random) -> None:
    """Break one file of a tape: its content, or what stands in its place."""
    if rng.random() < 0.8:
        path.write_bytes(rng.choice(CONTENTS)(path.read_bytes(), rng))
        return
    path.unlink()
    rng.choice((_nothing, Path.mkdir, PATHS["loop"], PATHS["zero"], _fifo))(path)


CASES = cases(3_000, 10)


def test_tapes_with_a_broken_file(tmp_path: Path, new: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Any file of a tape, broken in any way, with every command that reads a tape."""
    rng, codes = Random(5), [0, 0, 0]
    names = [path.relative_to(SAMPLE) for path in sorted(SAMPLE.rglob("*")) if path.is_file()]
    for number in range(CASES):
        tape = tmp_path / f"tape-{number}"
        shutil.copytree(SAMPLE, tape)
        break_file(tape / rng.choice(names), rng)
        for command in rng.sample([each for each in reads(tape, new) if each[0] != "serve"], 3):
            codes[assert_told(command, capfd)] += 1
            shutil.rmtree(new / "run", ignore_errors=True)
        shutil.rmtree(tape)
    report("broken tapes", commands=sum(codes), refused=codes[1])
    assert codes[1] > CASES // 2


ODD = ("", " ", "-1", "1e400", "9" * 40, "nan", "inf", "é", NOT_UTF_8, "1" * 5000)
SKIPPED = {"--processes", "--output", "--html"}


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_odd_values_of_options(new: Path, value: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Every option that takes a text, with a text that it cannot mean."""
    given = {
        "replay": (SAMPLE,),
        "compare": (SAMPLE,),
        "book": (SAMPLE, "-p", BTC, "--at", "+1s"),
        "verify": (SAMPLE,),
        "record": (BTC, "-o", new / "tape", "--url", "ws://127.0.0.1:1", "--duration", "10ms"),
        "live": (BTC, "--url", "ws://127.0.0.1:1", "--duration", "10ms"),
        "import": (new / "good.jsonl", "-o", new / "imported"),
    }
    for name, arguments in given.items():
        for param in cli.commands[name].params:
            flag = max(param.opts, key=len)
            if flag.startswith("--") and flag not in SKIPPED and not getattr(param, "is_flag", False):
                assert_told((name, *arguments, f"{flag}={value}"), capfd)
                shutil.rmtree(new / "tape", ignore_errors=True)
                shutil.rmtree(new / "imported", ignore_errors=True)
