"""One process: as its parent sees it, and what runs in it."""

import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from orderbook.errors import BooktapeError, OptionError, StepError, explain
from recorder.runtime.memory import collect_rarely, keep_freed_memory
from replay.processes.starting import LostProcessError

WaitForStart = Callable[[], int]
"""Block until all processes are ready; return their common start, in nanoseconds of the monotonic clock."""

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Done:
    """The last message about a part that did not fail."""

    result: Any


class Worker(Generic[P, R]):
    """One process, as its parent sees it.

    It says whether it has loaded the engine. For each part that it receives, it may ask once for the start
    (None), and returns a result or a failure.

    Args:
        pipe: to the process.
        exit_code: waits for the end of the process and returns its exit code, None if that is not known.
    """

    def __init__(self, pipe: Connection, exit_code: Callable[[], int | None]) -> None:
        self._pipe = pipe
        self._exit_code = exit_code
        self._has_begun = False
        self._has_loaded: bool | None = None

    def has_loaded(self) -> bool:
        """Block until the process has loaded the engine, or could not.

        Raises:
            BooktapeError: if it cannot begin.
        """
        if self._has_loaded is None:  # it says so once
            self._has_loaded = False
            with suppress(EOFError, OSError):  # it died: `run` will say so
                message = self._next_message()
                if isinstance(message, BooktapeError):
                    raise message
                self._has_loaded = message is True
        return self._has_loaded

    def send(self, part: P) -> None:
        """Begin the next part."""
        with suppress(OSError):  # it died: `receive` will say so
            self._pipe.send(part)

    def receive(self, wait_for_start: WaitForStart) -> R:
        """Block until the part that was sent has ended; return its result.

        Raises:
            BooktapeError: its failure.
            LostProcessError: if the process died.
        """
        try:
            while not isinstance(message := self._next_message(), _Done | BooktapeError):
                if message is None:
                    self._pipe.send(wait_for_start())
        except (EOFError, OSError):
            code = self._exit_code()
            reason = f"a process of this run died (exit code {code})"
            if code == 1 and not self._has_begun:  # it runs the caller's program up to that line
                reason += ': a program that has processes needs `if __name__ == "__main__":`'
            raise LostProcessError(reason) from None
        if isinstance(message, BooktapeError):
            raise message
        result: R = message.result
        return result

    def _next_message(self) -> Any:
        message = self._pipe.recv()
        self._has_begun = True
        return message

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()


def run_in_process(
    work: Callable[[Any, WaitForStart], Any], engine: str, module: str | None, pipe: Connection
) -> None:
    """Run parts in a new process, and send the outcome of each, until the parent closes the pipe.

    Args:
        work: see `pool.WorkerPool`.
        engine: the same.
        module: the same.
        pipe: to the parent.
    """
    keep_freed_memory()
    collect_rarely()

    def wait_for_start() -> int:
        pipe.send(None)
        start_ns: int = pipe.recv()
        return start_ns

    if module is not None:
        import_module(module)
    try:
        pipe.send(_has_preloaded(engine))
    except OSError:  # the parent has ended
        return
    try:
        while True:
            try:
                part = pipe.recv()
            except (EOFError, OSError):  # the parent has no more parts
                return
            pipe.send(_Done(work(part, wait_for_start)))
    except BrokenPipeError:  # the parent has ended
        pass
    except BooktapeError as error:
        pipe.send(error)
    except BaseException as error:  # noqa: BLE001  it would be a traceback on stderr, and a lost process
        if os.environ.get("BOOKTAPE_TRACEBACK"):
            traceback.print_exception(error)
        pipe.send(StepError(explain(error)))


def _has_preloaded(engine: str) -> bool:
    from recorder.runtime.loading import preload_engine  # noqa: PLC0415  which imports Arrow

    try:
        return preload_engine(engine)
    except OptionError:  # the parent says it
        return False
