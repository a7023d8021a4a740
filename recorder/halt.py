"""Ending a flow from inside: a failure in a step stops the sources, and is raised once all is drained.

An exception that leaves a bytewax step panics through its Rust side onto the user's screen, and its
items in flight are lost. So a step that fails in a way that the user can act on reports it here.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

EPOCH_S: Final = 1.0
"""Length of an epoch: so often a recording makes its journal durable."""


class Halt:
    """The first failure of a flow, and what to do when it happens."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self.failure: Exception | None = None

    def __call__(self, failure: Exception) -> None:
        """Report a failure; the first one counts."""
        with self._lock:
            self.failure = self.failure or failure
        self._stop()

    def raise_failure(self) -> None:
        """Raise the failure, where there was one."""
        if self.failure is not None:
            raise self.failure


def run_to_end(flow: Dataflow, halt: Halt, epoch_s: float = EPOCH_S) -> None:
    """Run a flow to its end, then raise what halted it.

    `run_main` is bytewax's one-worker runner; of its runners it is the one that leaves signals to us.

    Raises:
        Exception: the failure that a step reported to `halt`.
    """
    run_main(flow, epoch_interval=timedelta(seconds=epoch_s))  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    halt.raise_failure()
