"""Ending a flow from inside: a failure in a step stops the sources, and is raised once all is drained.

An exception that leaves a bytewax step panics through its Rust side onto the user's screen, and its
items in flight are lost. So a step that fails in a way that the user can act on reports it here.
"""

import threading
from collections.abc import Callable


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
