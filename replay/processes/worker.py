"""One process: as its parent sees it, and what runs in it."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from orderbook.errors import BooktapeError, OptionError, StepError, explain
from recorder.runtime.memory import collect_rarely, keep_freed_memory
from replay.processes.forks import CONTEXT, SIGNALS, LostProcessError, set_environment

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
    """

    def __init__(self, work: Callable[[P, WaitForStart], R], engine: str, module: str | None) -> None:
        self._pipe, self._theirs = CONTEXT.Pipe()
        arguments = (self._theirs, work, engine, module, dict(os.environ))
        self._process = CONTEXT.Process(target=_run_in_process, args=arguments, daemon=True)
        self._has_begun = False
        self._has_loaded: bool | None = None

    def start(self) -> None:
        """Start it."""
        self._process.start()
        self._theirs.close()  # so that the end of the process ends the pipe

    def has_loaded(self) -> bool:
        """Block until the process has loaded the engine, or could not."""
        if self._has_loaded is None:  # it says so once
            self._has_loaded = False
            with suppress(EOFError, OSError):  # it died: `run` will say so
                self._has_loaded = self._next_message() is True
        return self._has_loaded

    def _next_message(self) -> Any:
        message = self._pipe.recv()
        self._has_begun = True
        return message

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
            self._process.join()
            code = self._process.exitcode
            reason = f"a process of this run died (exit code {code})"
            if code == 1 and not self._has_begun:  # it runs the caller's program up to that line
                reason += ': a program that has processes needs `if __name__ == "__main__":`'
            raise LostProcessError(reason) from None
        if isinstance(message, BooktapeError):
            raise message
        result: R = message.result
        return result

    def stop(self) -> None:
        """Terminate it."""
        if self._process.pid is not None and self._process.is_alive():
            self._process.terminate()

    def join(self) -> None:
        """Wait for its end."""
        if self._process.pid is not None:
            self._process.join()
        self._pipe.close()
        self._theirs.close()


def _run_in_process(
    pipe: Connection,
    work: Callable[[Any, WaitForStart], Any],
    engine: str,
    module: str | None,
    environment: Mapping[str, str],
) -> None:
    """Run parts in a new process, and send the outcome of each, until the parent closes the pipe.

    Args:
        pipe: to the parent.
        work: see `WorkerPool`.
        engine: see `WorkerPool`.
        module: see `WorkerPool`.
        environment: that of the parent now; the process that was forked may have an older one.
    """
    # Ctrl-C and SIGHUP reach the whole group of processes; the parent passes them on as SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    set_environment(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
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


def _end_with_parent() -> None:
    """End this process when its parent has ended: nobody would receive the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _has_preloaded(engine: str) -> bool:
    from recorder.runtime.loading import preload_engine  # noqa: PLC0415  which imports Arrow

    try:
        return preload_engine(engine)
    except OptionError:  # the parent says it
        return False
