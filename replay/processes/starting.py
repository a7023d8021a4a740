"""Processes that begin and end together.

On Linux one process imports what all of them need, while the caller imports what it needs itself, and the
others are its forks. It runs no thread of Python's, and NumPy and Arrow make theirs ready for a fork.
On macOS libraries of the system may have threads that are not, so each process begins anew.
"""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Protocol

from orderbook.errors import BooktapeError, explain
from recorder.runtime.signals import deferred_signals

FORKS: Final = sys.platform == "linux"
"""Whether processes are forks."""

SPAWN: Final = multiprocessing.get_context("spawn")
"""Makes pipes."""


class LostProcessError(BooktapeError):
    """A process ended without a result."""


class Processes(Protocol):
    """Several processes, each with a pipe, which ends with it."""

    def start(self) -> None:
        """Begin to start them; their pipes are closed here."""

    def stop(self) -> None:
        """Terminate them. Returns at once."""

    def join(self) -> None:
        """Wait for their end."""

    def exit_code(self, number: int) -> int | None:
        """Wait for the end of one; return its exit code, None if that is not known."""


Run = Callable[[Connection], None]
"""The work of a process, picklable; its argument is the pipe of the process. It raises nothing."""


@contextmanager
def starting() -> Iterator[None]:
    """Start processes in the block: a signal ends it only when they have all that they need to begin.

    They begin with Ctrl-C blocked, as it reaches all processes of a terminal, and have to unblock it.

    Raises:
        KeyboardInterrupt: if a signal came.
        LostProcessError: if the system refuses, or this process may have no others.
    """
    if multiprocessing.current_process().daemon:
        reason = "a daemonic process, such as one of a multiprocessing.Pool, can start no others"
        raise LostProcessError(f"{reason}: work in one process there, or use a ProcessPoolExecutor")
    resource_tracker.ensure_running()  # it unblocks signals in the thread that first needs it
    with deferred_signals() as received:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        except OSError as error:
            raise LostProcessError(f"cannot start a process: {explain(error)}") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if received.is_set():
        raise KeyboardInterrupt


@contextmanager
def _closing(pipes: Sequence[Connection]) -> Iterator[None]:
    """Close pipes after the block."""
    try:
        yield
    finally:
        for pipe in pipes:
            pipe.close()


class SpawnedProcesses:
    """Processes that each begin anew, see `Processes`.

    Args:
        run: what each does.
        pipes: that of each.
    """

    def __init__(self, run: Run, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes
        self._processes = [
            SPAWN.Process(target=_run_spawned, args=(run, pipe), daemon=True) for pipe in pipes
        ]

    def start(self) -> None:
        """Start all."""
        with _closing(self._pipes):
            for each in self._processes:
                each.start()

    def stop(self) -> None:
        """Terminate those that run."""
        for each in self._processes:
            if each.pid is not None and each.is_alive():
                each.terminate()

    def join(self) -> None:
        """Wait for all."""
        for each in self._processes:
            if each.pid is not None:
                each.join()

    def exit_code(self, number: int) -> int | None:
        """Wait for one."""
        self._processes[number].join()
        return self._processes[number].exitcode


class ForkedProcesses:
    """Forks of one process, see `Processes`.

    Args:
        run: what each does.
        pipes: that of each.
        module: what is imported before the others are forked.
    """

    def __init__(self, run: Run, pipes: Sequence[Connection], module: str) -> None:
        self._codes, theirs = SPAWN.Pipe(duplex=False)
        self._pipes = (*pipes, theirs)
        arguments = (run, tuple(pipes), module, theirs)
        self._first = SPAWN.Process(target=_fork_each, args=arguments, daemon=True)
        self._known: dict[int, int] = {}
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Start the process that is forked, which does the rest."""
        with _closing(self._pipes):
            self._first.start()

    def stop(self) -> None:
        """Terminate that process, which terminates its forks."""
        if self._first.pid is not None and self._first.is_alive():
            self._first.terminate()

    def join(self) -> None:
        """Wait for that process, which waits for its forks."""
        if self._first.pid is not None:
            self._first.join()
        self._codes.close()

    def exit_code(self, number: int) -> int | None:
        """Wait for a fork; the code is that of the process that is forked if that died."""
        with self._one_at_a_time:
            try:
                while number not in self._known:
                    ended, code = self._codes.recv()
                    self._known[ended] = code
            except (EOFError, OSError):
                self._first.join()
                return self._first.exitcode
            return self._known[number]


def _run_spawned(run: Run, pipe: Connection) -> None:
    _ignore_those_of_terminals()
    threading.Thread(target=_end_with, args=(_sentinel_of_parent(),), daemon=True).start()
    run(pipe)


def _fork_each(run: Run, pipes: Sequence[Connection], module: str, codes: Connection) -> None:
    """Import a module, fork a process for each pipe, and send the exit code of each.

    An error goes to all pipes whose processes cannot begin.
    """
    _ignore_those_of_terminals()
    alive, kept = os.pipe()  # the second end is closed with this process
    running: dict[int, int] = {}

    def stop(*_: object) -> None:
        for pid in tuple(running):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    with _closing(pipes):
        try:
            import_module(module)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            for number, pipe in enumerate(pipes):
                pid = _fork()
                if pid == 0:
                    _run_forked(run, pipe, alive, (kept, codes, *pipes[:number], *pipes[number + 1 :]))
                running[pid] = number
        except Exception as error:  # noqa: BLE001  the parent raises it
            failure = LostProcessError(f"cannot start a process: {explain(error)}")
            for pipe in pipes[len(running) :]:
                with suppress(OSError):
                    pipe.send(failure)
    signal.signal(signal.SIGTERM, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with, args=(_sentinel_of_parent(),), daemon=True).start()
    while running:
        pid, status = os.waitpid(-1, 0)
        if pid in running:  # the caller's program may have started others
            with suppress(OSError):  # the parent has ended
                codes.send((running.pop(pid), os.waitstatus_to_exitcode(status)))


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 counts threads of libraries
        return os.fork()


def _run_forked(run: Run, pipe: Connection, alive: int, others: Sequence[Connection | int]) -> None:
    """Run in a fork, which ends here: what Python does at the end of a process is for the one it is of.

    Args:
        run: its work.
        pipe: its pipe.
        alive: what ends with the process that was forked.
        others: pipes that are not for it.
    """
    code = 1
    try:
        for other in others:
            os.close(other if isinstance(other, int) else other.fileno())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with, args=(_sentinel_of_parent(), alive), daemon=True).start()
        run(pipe)
        code = 0
    except BaseException as error:  # noqa: BLE001  as Python does it where a process ends
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)


def _ignore_those_of_terminals() -> None:
    """Ignore Ctrl-C and SIGHUP, which reach the whole group of processes: the parent sends SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _sentinel_of_parent() -> int:
    """Return what can be read when the process that started all has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101  this one was started by it
    return parent.sentinel


def _end_with(*sentinels: Any) -> None:
    """End this process when another one has ended: nobody would receive its result."""
    wait(sentinels)
    os._exit(1)
