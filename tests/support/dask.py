"""Schedulers and workers of Dask as real processes on loopback, and work that waits to be killed."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from replay.pieces.cutting import ProductPiece
from replay.pieces.dask_cluster import DaskCluster
from tests.support.commands import clean_environment
from tests.support.constants import ROOT, TIMEOUT_S

HOST = "127.0.0.1"
_ALONE = ("--nthreads", "1", "--no-nanny")


@dataclass(frozen=True)
class DaskProcesses:
    """A scheduler with its workers."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: "list[subprocess.Popen[bytes]]"


def client_of(processes: DaskProcesses) -> Any:
    """Return a client; it closes itself at the end of a block."""
    from distributed import Client  # noqa: PLC0415  takes a second, in each process of a test run

    return Client(processes.address, timeout="5s")  # type: ignore[no-untyped-call]  # of Dask


@contextmanager
def dask_processes(directory: Path, workers: int) -> Iterator[DaskProcesses]:
    """Yield a scheduler and workers of one thread each, without nannies: what is killed stays dead."""
    file = directory / "scheduler.json"
    with ExitStack() as stack:
        options = ("--host", HOST, "--no-dashboard")
        scheduler = stack.enter_context(
            _process("scheduler", *options, "--port", "0", "--scheduler-file", str(file))
        )
        wait_for(lambda: file.exists() and file.read_text(encoding="utf-8").rstrip().endswith("}"))
        address: str = json.loads(file.read_text(encoding="utf-8"))["address"]
        started = [
            stack.enter_context(
                _process("worker", address, *options, *_ALONE, "--local-directory", str(directory))
            )
            for _ in range(workers)
        ]
        yield DaskProcesses(address, scheduler, started)


@contextmanager
def _process(*arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


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
