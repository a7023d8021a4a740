"""Running what documents say can be run: in a shell, with `python` and `booktape` on the path."""

import subprocess
import sys
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


def run_commands(text: str, place: Path, *, logs: bool = False) -> str:
    """Run commands in a shell, insist that they end well, and return what they print on stdout.

    Args:
        text: the commands.
        place: where, as `make_place` makes it.
        logs: whether they may say something on stderr.
    """
    environment = clean_environment()
    environment["PATH"] = f"{place.parent / 'bin'}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", text],  # noqa: S607  whichever bash is there
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, "" if logs else done.stderr) == (0, ""), done.stderr
    return done.stdout
