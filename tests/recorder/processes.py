"""Recording in tests: a real `booktape` process, or the same job inside this one."""

import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from orderbook.feeds import Feed
from recorder.backoff import Backoff
from recorder.feeds import endpoint
from recorder.flows import Show
from recorder.reader import ReaderSettings
from recorder.record import record
from recorder.recorded import Recorded
from tests.replay.tapes import TIMEOUT_S, clean_environment

QUICK: Final = Backoff(first=0.01, longest=0.02)


@contextmanager
def running_booktape(
    *arguments: object,
    cwd: Path | None = None,
    file_size: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a `booktape` process while the block runs; it is killed where it outlives it.

    Args:
        arguments: of the command line.
        cwd: where it runs.
        file_size: bytes beyond which it can make no file grow.
        env: its environment; ours without what would change how things look, unless given.
    """
    command = [sys.executable, "-m", "booktape", *map(str, arguments)]
    if file_size is not None:
        limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({file_size}, {resource.RLIM_INFINITY}))"
        code = f"import os, resource, sys; {limit}; os.execv(sys.executable, sys.argv[1:])"
        command = [sys.executable, "-c", code, *command]
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=clean_environment() if env is None else env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], by: signal.Signals | None = signal.SIGTERM) -> tuple[str, str]:
    """Send a process a signal, if any, wait for its end and return its output; its exit code must be 0."""
    if by is not None:
        process.send_signal(by)
    stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    return stdout, stderr


def record_here(
    url: str,
    tape: Path,
    done: Mapping[str, Callable[[pa.RecordBatch], bool]],
    feed: Feed = "exchange",
    **settings: Any,
) -> Recorded:
    """Record in this process until each product's condition on its summaries held once, then stop by Ctrl-C.

    Args:
        url: of the exchange.
        tape: where to.
        done: by product, what is asked of every batch of its summaries.
        feed: the dialect.
        settings: of the reader.
    """
    waiting = set(done)

    def take(product: str, summaries: pa.RecordBatch) -> None:
        if product in waiting and done[product](summaries):
            waiting.remove(product)
            if not waiting:
                signal.raise_signal(signal.SIGINT)

    chosen = ReaderSettings(endpoint(feed, url), **{"backoff": QUICK, "spacing": 0.0, **settings})
    return record(list(done), tape, chosen, show=Show(None, take))


def summaries(number: int, connection: int = 0) -> Callable[[pa.RecordBatch], bool]:
    """Return a condition: so many summaries of a connection have come."""
    left = number

    def enough(batch: pa.RecordBatch) -> bool:
        nonlocal left
        left -= int(batch.column("connection").to_pylist().count(connection))
        return left <= 0

    return enough


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
