"""How processes are started.

On Linux they are forks of a process that has imported what they need, while this one imports what it needs.
It runs no thread of ours, so to fork it is safe. On macOS libraries of the system may have threads in it.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Any, Final

from orderbook.errors import BooktapeError, explain

FORKS: Final = sys.platform == "linux"
"""Whether processes are forks."""

CONTEXT: Final[Any] = multiprocessing.get_context("forkserver" if FORKS else "spawn")
"""Makes processes and pipes."""

SIGNALS: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""Those that are blocked where a process begins."""

_STARTING: Final = threading.Lock()
_SAFE_PATH: Final = "PYTHONSAFEPATH"


class LostProcessError(BooktapeError):
    """A process ended without a result."""


@contextmanager
def starting() -> Iterator[None]:
    """Start processes in the block: no signal ends it halfway, and they do not begin with one.

    Raises:
        LostProcessError: if the system refuses.
    """
    resource_tracker.ensure_running()  # it unblocks signals in the thread that first needs it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    except (OSError, EOFError) as error:
        raise LostProcessError(f"cannot start a process: {explain(error)}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ensure_server(module: str) -> None:
    """Start the process that is forked, if there is none; it goes on importing a module.

    It must not take a file of the working directory for that module.

    Raises:
        OSError: if the system refuses.
    """
    with _STARTING:
        multiprocessing.set_forkserver_preload([module])
        before = os.environ.get(_SAFE_PATH)
        os.environ[_SAFE_PATH] = "1"
        try:
            forkserver.ensure_running()
        finally:
            del os.environ[_SAFE_PATH]
            if before is not None:
                os.environ[_SAFE_PATH] = before


def set_environment(environment: Mapping[str, str]) -> None:
    """Set the variables of the environment, and remove all others."""
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
