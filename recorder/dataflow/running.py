"""Running a flow to its end: what the flows of recordings and of replays share."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

from orderbook.errors import BooktapeError, StepError, explain
from recorder.dataflow.boundary import guard

_EPOCH: Final = timedelta(seconds=1)
"""At its end bytewax asks every step for recovery state, of which there is none."""

AWAKE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Time at which a source wants to be polled: always in the past, as the wall clock may be set back."""


class FirstFailure:
    """The first failure of a step in a flow; it stops the sources and is raised when the flow has drained.

    A step reports here what the user can act on, and the boundary in front of it whatever else it raises.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def report(self, error: BaseException) -> None:
        """Keep a failure, unless there was one before, and stop the sources."""
        with self._lock:
            self.error = self.error or error
        self._stop()

    def reraise(self) -> None:
        """Raise the failure, if there was one."""
        if self.error is not None:
            raise self.error


def run_to_end(flow: Dataflow, failure: FirstFailure) -> None:
    """Run a flow to its end, then raise the failure that a step reported.

    `run_main` is the only runner of bytewax that leaves signals alone; it has one worker.

    Raises:
        StepError: if a step raised what is no error for the user.
    """
    guard(flow, lambda step, error: failure.report(_as_reported(step, error)))
    try:
        run_main(flow, epoch_interval=_EPOCH)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    except BaseException as error:  # of bytewax itself; a panic of Rust is no Exception
        failure.reraise()
        raise _as_reported(flow.flow_id, error) from error
    failure.reraise()


def _as_reported(step: str, error: BaseException) -> BaseException:
    if isinstance(error, BooktapeError | KeyboardInterrupt):
        return error
    reported = StepError(f"{explain(error)} (in the step {step})")
    reported.__cause__ = error
    return reported
