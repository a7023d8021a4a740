"""Schedulers and workers of Dask as real processes on loopback, and work that waits to be killed."""

import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from replay.pieces.cutting import ProductPiece
from replay.pieces.dask_cluster import DaskCluster
from tests.support.commands import clean_environment
from tests.support.constants import TIMEOUT_S
from tests.support.fork import FORK

HOST = "127.0.0.1"
_ALONE = ("--nthreads", "1", "--no-nanny")


@dataclass(frozen=True)
class DaskProcesses:
    """A scheduler with its workers: the address, and the id of its process."""

    address: str
    scheduler: int


def client_of(processes: DaskProcesses) -> Any:
    """Return a client; it closes itself at the end of a block."""
    from distributed import Client  # noqa: PLC0415  takes a second, in each process of a test run

    return Client(processes.address, timeout="5s")  # type: ignore[no-untyped-call]  # of Dask


@contextmanager
def dask_processes(directory: Path, workers: int) -> Iterator[DaskProcesses]:
    """Yield a scheduler and workers of one thread each, without nannies: what is killed stays dead."""
    file = directory / "scheduler.json"
    options = ("--host", HOST, "--no-dashboard")
    with _starting() as start:
        scheduler = start("scheduler", *options, "--port", "0", "--scheduler-file", str(file))
        wait_for(lambda: file.exists() and file.read_text(encoding="utf-8").rstrip().endswith("}"))
        address: str = json.loads(file.read_text(encoding="utf-8"))["address"]
        for _ in range(workers):
            start("worker", address, *options, *_ALONE, "--local-directory", str(directory))
        yield DaskProcesses(address, scheduler)


@contextmanager
def _starting() -> "Iterator[Callable[..., int]]":
    """Yield a function that runs a command of dask and returns the id of its process; kill all at the end.

    They are forks of a process that has imported Dask and booktape, which takes each of them a second.
    """
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=_run_commands, args=(theirs, clean_environment()))
    process.start()
    theirs.close()

    def start(*words: str) -> int:
        ours.send(words)
        number: int = ours.recv()
        return number

    try:
        yield start
    finally:
        ours.close()
        process.join()


def _run_commands(words: Connection, environment: dict[str, str]) -> None:
    """Run each command of dask that is sent in a fork, and kill them all when no more can come."""
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for name in ("scheduler", "worker"):
        importlib.import_module(f"distributed.cli.dask_{name}")
    from dask.cli import run_cli  # noqa: PLC0415  takes a second, in each process of a test run

    numbers: list[int] = []
    while (command := _received(words)) is not None:
        if not (number := os.fork()):
            words.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            sys.argv = ["dask", *command]
            run_cli()  # type: ignore[no-untyped-call]  # of Dask; it ends the process
        numbers.append(number)
        words.send(number)
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _received(words: Connection) -> tuple[str, ...] | None:
    """Return what is sent next; None if it was all."""
    try:
        received: tuple[str, ...] = words.recv()
    except EOFError:
        return None
    return received


def wait_for(holds: Callable[[], object]) -> None:
    """Wait until a condition holds; fail after a time that no machine needs."""
    until = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


class DoomedCluster(DaskCluster):
    """A cluster whose first worker that has run a piece waits to be killed, before it returns the result.

    Args:
        client: of Dask.
        mark: a file that takes the id of this worker's process.
    """

    def __init__(self, client: Any, mark: Path) -> None:
        super().__init__(client)
        self._mark = mark

    def map(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Begin a task for each call."""
        if any(isinstance(each, ProductPiece) for call in calls for each in call):  # no merge
            function = partial(_run_and_wait, self._mark, function)
        return super().map(function, calls)


def _run_and_wait(mark: Path, run: Callable[..., Any], *call: Any) -> Any:
    found = run(*call)
    try:
        descriptor = os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return found
    os.write(descriptor, str(os.getpid()).encode())
    os.close(descriptor)
    threading.Event().wait()
    raise AssertionError


def marked(mark: Path) -> int:
    """Return the id of the process that waits in a `DoomedCluster`, once it does."""
    wait_for(lambda: mark.exists() and mark.read_text(encoding="utf-8"))
    return int(mark.read_text(encoding="utf-8"))
