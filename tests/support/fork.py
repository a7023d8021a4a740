"""Processes of tests that die, are killed, or do something meanwhile; and commands, each in a process."""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

FORK: Final = multiprocessing.get_context("forkserver")
"""Starts processes as forks of one that has loaded what they need: importing it took most of their time.

There is one such process, and its first use decides what it loads. So this is the one place that does.
"""
FORK.set_forkserver_preload(
    [
        "pytest",
        "booktape.cli.import_",
        "booktape.cli.main",
        "booktape.console.backtest",
        "booktape.console.comparison",
        "booktape.console.panel",
        "booktape.console.progress",
        "booktape.console.results",
        "booktape.examples.episode_alert",
        "recorder.api",
        "replay.checking.verify",
        "replay.comparing.api",
        "replay.running.api",
        "replay.simulation.api",
        "tests.endurance.planned_recorder",
        "tests.support.commands",
    ]
)


def run_command(
    words: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str],
    timeout: float,
    stdout: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a `booktape` command to its end, in a fork.

    Args:
        words: arguments of the command, or a program of Python.
        cwd: working directory; None for that of the tests.
        env: environment, all of it.
        timeout: seconds after which it is killed.
        stdout: descriptor of its output, which is closed here; None to return what it prints.
    """
    (output, printing), (errors, failing) = (FORK.Pipe(duplex=False) for _ in range(2))
    if stdout is not None:
        printing.close()
        printing = Connection(stdout, readable=False)
    process = FORK.Process(target=run_words, args=(words, cwd, dict(env), printing, failing))
    with output, errors, ThreadPoolExecutor(2) as pool:
        try:
            process.start()
        finally:
            printing.close()
            failing.close()
        texts = [pool.submit(_read, each.fileno()) for each in (output, errors)]
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout)
        printed, said = (each.result() for each in texts)
    return subprocess.CompletedProcess(words, process.exitcode, printed, said)


def _read(descriptor: int) -> str:
    data = b""
    while part := os.read(descriptor, 1 << 16):
        data += part
    return data.decode()


def run_words(
    words: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str],
    stdout: Connection,
    stderr: Connection,
    start_new_session: bool = False,
) -> None:
    """Do what `python -m booktape` does, in a fork; or what `python` does, if the first word is a program."""
    if start_new_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(env)
    if cwd is not None:
        os.chdir(cwd)
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    stdout.close()
    stderr.close()
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  to the end of the process
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    if words[0].endswith(".py"):
        sys.argv = list(words)
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_path(str(Path(words[0]).absolute()), run_name="__main__")
        return
    sys.argv = ["booktape", *words]
    from booktape.__main__ import main  # noqa: PLC0415  tests import this module for FORK alone

    main()
