"""Processes that take pieces of work, one after another, and return their results.

Every process has its own pipe, and a thread that waits for it. A `ProcessPoolExecutor` has one queue for all
results: if a process is killed while it writes a result, the caller waits forever.
"""

import pickle
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from orderbook.errors import OptionError
from recorder.runtime.descriptors import allow_open_files
from recorder.runtime.signals import InterruptedRunError, on_signals
from replay.processes.starting import FORKS, SPAWN, ForkedProcesses, Processes, SpawnedProcesses, starting
from replay.processes.worker import WaitForStart, Worker, run_in_process

if TYPE_CHECKING:  # whoever starts processes shall not import Arrow first
    from orderbook.engine import Engine
    from recorder.settings import EngineName

P = TypeVar("P")
R = TypeVar("R")

_DESCRIPTORS: Final = 4
"""Of a process: both ends of its pipe, and what tells whether it runs."""

_HEAD_START_NS: Final = 20_000_000
"""Time for the start to reach all processes."""


def check_picklable(work: object) -> None:
    """Refuse work that another process cannot be sent, before one is started.

    Raises:
        OptionError: if it holds what no other process can import, such as a lambda.
    """
    try:
        pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        reason = f"only with a strategy that another process can import, as module:factory ({error})"
        raise OptionError(reason, option="processes") from None


class WorkerPool(AbstractContextManager["WorkerPool[P, R]"], Generic[P, R]):
    """Processes that do one job on different parts. They begin to start when the pool is entered.

    Args:
        work: a function of a module, so that another process can import it. It must end on SIGTERM. It calls
            the `WaitForStart` once for every part or for none; the first if there is a process for each.
        number: how many processes.
        engine: name of the engine that they load at once, if its compiled code is in the cache.
        module: a module that they import at once, if that of `work` does not do so.
        forks: whether they are forks of one, see `starting`.

    Raises:
        BooktapeError: if this process may not have so many files open.
    """

    def __init__(
        self,
        work: Callable[[P, WaitForStart], R],
        number: int,
        engine: str,
        module: str | None = None,
        forks: bool = FORKS,
    ) -> None:
        allow_open_files(number, _DESCRIPTORS, "process")
        pipes = [SPAWN.Pipe() for _ in range(number)]
        theirs = [their for _, their in pipes]
        run = partial(run_in_process, work, engine, module)
        self._processes: Processes = (
            ForkedProcesses(run, theirs, module or work.__module__)
            if forks
            else SpawnedProcesses(run, theirs)
        )
        self._workers = [
            Worker[P, R](our, partial(self._processes.exit_code, place))
            for place, (our, _) in enumerate(pipes)
        ]
        self._start_ns = 0
        self._all_ready = threading.Barrier(number or 1, self._set_start)

    def __enter__(self) -> "WorkerPool[P, R]":
        """Begin to start the processes.

        Raises:
            LostProcessError: if none can be started.
        """
        try:
            with starting():
                self._processes.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Terminate the processes and wait for their end."""
        self._processes.stop()
        self._processes.join()
        for worker in self._workers:
            worker.close()

    def ready_engine(self, engine: "Engine | EngineName") -> "Engine | EngineName":
        """Return the engine for the parts: its name if all processes have loaded it, else a ready one.

        Raises:
            EngineError: if `compiled` is requested and numba is not installed.
        """
        from recorder.runtime.loading import load_engine  # noqa: PLC0415  which imports Arrow

        have_loaded = [worker.has_loaded() for worker in self._workers]
        if not isinstance(engine, str) or engine == "plain":
            return engine
        if have_loaded and all(have_loaded):
            return "compiled"
        loaded = load_engine(engine)
        if not have_loaded:
            return loaded
        return "compiled" if loaded.name == "compiled" else "plain"  # each process loads its own

    def run(self, parts: Sequence[P]) -> list[R]:
        """Return the result of each part, in order; see `run_each`."""
        results: dict[int, R] = {}
        self.run_each(parts, results.__setitem__)
        return [results[number] for number in range(len(parts))]

    def run_each(self, parts: Sequence[P], take: Callable[[int, R], None]) -> None:
        """Run all parts. A signal or the first failure stops all processes.

        Args:
            parts: as many as there are processes, or more; they are pickled, and begun in order.
            take: called with the number and the result of each, as they come, one call at a time.

        Raises:
            BooktapeError: the first failure of a part.
            InterruptedRunError: if a signal ended the run.
            LostProcessError: if a process died.
        """
        interrupted = threading.Event()

        def interrupt() -> None:
            interrupted.set()
            self._processes.stop()

        waiting: SimpleQueue[tuple[int, P]] = SimpleQueue()
        for each in enumerate(parts):
            waiting.put(each)
        one_at_a_time = threading.Lock()

        def take_result(number: int, result: R) -> None:
            with one_at_a_time:
                take(number, result)

        with on_signals(interrupt), ThreadPoolExecutor(len(self._workers)) as threads:
            running = [
                threads.submit(self._run_parts, worker, waiting, take_result) for worker in self._workers
            ]
            ended = wait(running, return_when=FIRST_EXCEPTION).done
            failure = next((error for each in ended if (error := each.exception()) is not None), None)
            if failure is not None:
                self._processes.stop()
        if interrupted.is_set():
            raise InterruptedRunError("interrupted; nothing was written")
        if failure is not None:
            raise failure

    def _run_parts(
        self,
        worker: "Worker[P, R]",
        waiting: "SimpleQueue[tuple[int, P]]",
        take: Callable[[int, R], None],
    ) -> None:
        """Run parts in one process until none waits."""
        try:
            running = self._begin_next(worker, waiting)
            while running is not None:
                number, result = running, worker.receive(self._wait_for_start)
                running = self._begin_next(worker, waiting)  # it need not wait while the result is taken
                take(number, result)
        finally:
            self._all_ready.abort()  # nobody waits for a process that has ended

    @staticmethod
    def _begin_next(worker: "Worker[P, R]", waiting: "SimpleQueue[tuple[int, P]]") -> int | None:
        """Send the next part to a process; return its number, None without one."""
        try:
            number, part = waiting.get_nowait()
        except Empty:
            return None
        worker.send(part)
        return number

    def _wait_for_start(self) -> int:
        with suppress(threading.BrokenBarrierError):
            self._all_ready.wait()
        return self._start_ns

    def _set_start(self) -> None:
        self._start_ns = time.monotonic_ns() + _HEAD_START_NS
