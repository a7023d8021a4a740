"""Running the commands of the documentation in a shell, with `python` and `booktape` on the path.

BOOKTAPE_TEST_PYTHON names another Python, into which booktape is installed: CI runs the pages once more with
the built wheel, away from the checkout.
"""

import os
import pty
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.commands import clean_environment
from tests.support.constants import ROOT, TIMEOUT_S
from tests.support.fork import run_command

PYTHON = os.environ.get("BOOKTAPE_TEST_PYTHON", sys.executable)


def make_workspace(directory: Path) -> Path:
    """Return a new directory for commands that holds `data`, with `python` and `booktape` on the path."""
    workspace = directory / "workspace"
    workspace.mkdir()
    (workspace / "data").symlink_to(ROOT / "data")
    programs = directory / "bin"
    programs.mkdir()
    for name, program in (("python", ""), ("booktape", "-m booktape ")):
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec {PYTHON} {program}"$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return workspace


def run_commands(text: str, workspace: Path) -> str:
    """Run commands in a shell and return stdout; they must exit with 0, and stderr may only name files."""
    done = subprocess.run(
        ["bash", "-euc", text],  # noqa: S607  any bash will do
        cwd=workspace,
        env=_environment(workspace),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    return _stdout_of(done)


def run_program(name: str, workspace: Path) -> str:
    """Run a program of Python and return stdout, as `run_commands` does; in a fork, as `run_on_terminal`."""
    if sys.executable != PYTHON:
        return run_commands(f"python {name}", workspace)
    return _stdout_of(run_command([name], cwd=workspace, env=_environment(workspace), timeout=TIMEOUT_S))


def _stdout_of(done: subprocess.CompletedProcess[str]) -> str:
    written = ("Results in ", "Report in ")
    unexpected = [line for line in done.stderr.splitlines() if not line.startswith(written)]
    assert (done.returncode, unexpected) == (0, []), f"exit {done.returncode}: {done.stderr}"
    return done.stdout


def run_on_terminal(text: str, workspace: Path, columns: int) -> list[str]:
    """Run commands whose stdout is a plain terminal, and return its lines; they must exit with 0.

    A single command of booktape needs no shell: it runs in a fork, unless another Python is tested.
    """
    environment = _environment(workspace) | {"TERM": "dumb", "COLUMNS": str(columns), "LINES": "50"}
    program, *words = shlex.split(text)
    is_single = (program, PYTHON) == ("booktape", sys.executable) and not set("|<>&;$*") & set(text)
    command = ["bash", "-euc", text]
    master, terminal = pty.openpty()
    with ThreadPoolExecutor() as reading:  # at the same time: a full terminal would stop the process
        printed = reading.submit(_read, master)
        if is_single:
            done = run_command(words, cwd=workspace, env=environment, timeout=TIMEOUT_S, stdout=terminal)
        else:
            done = subprocess.run(
                command,
                cwd=workspace,
                env=environment,
                stdout=terminal,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=TIMEOUT_S,
            )
            os.close(terminal)
    os.close(master)
    assert done.returncode == 0, done.stderr
    return printed.result().decode().splitlines()


def _read(terminal: int) -> bytes:
    """Read a terminal until its other end is closed."""
    data = b""
    try:
        while part := os.read(terminal, 1 << 16):
            data += part
    except OSError:  # Linux raises EIO at the end
        pass
    return data


def _environment(workspace: Path) -> dict[str, str]:
    environment = clean_environment()
    return environment | {"PATH": f"{workspace.parent / 'bin'}:{environment['PATH']}"}
