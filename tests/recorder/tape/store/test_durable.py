"""Systems and file systems that lack a call: the recording goes on, and one line says what is missing."""

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from recorder.tape.store import durable
from tests.support.commands import booktape, booktape_process, clean_environment
from tests.support.tapes import write_capture

LACKS = """
import errno, fcntl, os, stat
kind = os.environ["LACKS"]
real_fsync, real_flock, real_fcntl = os.fsync, fcntl.flock, fcntl.fcntl

def refuse(number):
    raise OSError(number, os.strerror(number))

def fsync(fd):
    return refuse(errno.EINVAL) if stat.S_ISDIR(os.fstat(fd).st_mode) else real_fsync(fd)

if kind in ("fdatasync", "full"):  # macOS
    del os.fdatasync
if kind == "full":
    fcntl.F_FULLFSYNC = 51
    fcntl.fcntl = lambda fd, what, *rest: refuse(errno.ENOTSUP) if what == 51 else real_fcntl(fd, what, *rest)
if kind == "directory":
    os.fsync = fsync
if kind == "locks":
    fcntl.flock = lambda fd, how: refuse(errno.ENOLCK)
"""


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("fdatasync", None),
        ("full", None),
        ("directory", "cannot sync a directory"),
        ("locks", "has no locks"),
    ],
)
def test_what_a_system_lacks(tmp_path: Path, kind: str, line: str | None) -> None:
    """An import writes a whole tape; what the system cannot do is told in one line for each directory."""
    (tmp_path / "sitecustomize.py").write_text(LACKS)
    environment = clean_environment()
    environment |= {"LACKS": kind, "PYTHONPATH": f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"}
    capture = write_capture(tmp_path / "a.jsonl", [(0, json.dumps({"product_id": "A-B"}))])
    done = booktape_process("import", capture, "--feed", "exchange", "-o", tmp_path / "tape", env=environment)
    assert done.returncode == 0, done.stderr
    told = [each for each in done.stderr.splitlines() if line is not None and line in each]
    assert len(told) == len(set(told)) == len(done.stderr.splitlines())
    assert bool(told) is (line is not None)
    assert booktape("verify", tmp_path / "tape").returncode == 0


def test_other_failures_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails is not a call that is missing."""

    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output"):
        durable.sync_directory(tmp_path)
    with pytest.raises(OSError, match="Input/output"):
        durable.lock(0, tmp_path / "_lock", wait=True)
