"""Running what documents say can be run: in a shell, with `python` and `booktape` on the path."""

import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.replay.tapes import ROOT, TIMEOUT_S, clean_environment


def make_place(directory: Path) -> Path:
    """Return a new directory for commands; `data` and `examples` are in it, the programs on their path."""
    place = directory / "place"
    place.mkdir()
    for name in ("data", "examples"):
        (place / name).symlink_to(ROOT / name)
    programs = directory / "bin"
    programs.mkdir()
    for name, program in (("python", ""), ("booktape", "-m booktape ")):
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {program}"$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return place


def run_commands(text: str, place: Path) -> str:
    """Run commands in a shell, insist that they end well and say nothing on stderr, and return stdout."""
    done = subprocess.run(
        ["bash", "-euc", text],  # noqa: S607  whichever bash is there
        cwd=place,
        env=_environment(place),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def run_on_terminal(text: str, place: Path, columns: int) -> list[str]:
    """Run commands whose stdout is a plain terminal, insist that they end well, and return its lines."""
    master, terminal = pty.openpty()
    with subprocess.Popen(
        ["bash", "-euc", text],  # noqa: S607  whichever bash is there
        cwd=place,
        env=_environment(place) | {"TERM": "dumb", "COLUMNS": str(columns), "LINES": "50"},
        stdout=terminal,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(terminal)
        assert process.stderr is not None
        with ThreadPoolExecutor() as reading:  # beside each other, or a full pipe stops the process
            printed, errors = reading.submit(_read, master), reading.submit(process.stderr.read)
            status = process.wait(TIMEOUT_S)
        os.close(master)
        assert status == 0, errors.result()
    return printed.result().decode().splitlines()


def _read(terminal: int) -> bytes:
    """Read a terminal until nobody holds its other end."""
    data = b""
    try:
        while part := os.read(terminal, 1 << 16):
            data += part
    except OSError:  # Linux says EIO in place of an end
        pass
    return data


def _environment(place: Path) -> dict[str, str]:
    environment = clean_environment()
    return environment | {"PATH": f"{place.parent / 'bin'}:{environment['PATH']}"}
