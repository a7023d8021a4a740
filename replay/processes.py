"""One job in several processes: each takes pieces of work, one after another, and returns their results.

No row travels between processes. What cannot be cut into pieces (`replay.pieces`) is shared out by product,
in as many groups as there are processes, of about as many bytes each.

Every process has its own pipe, and a thread that waits for it. A `ProcessPoolExecutor` has one queue for all
results: if a process is killed while it writes a result, the caller waits forever.

On Linux they are forks of a process that has imported what they need, while this one imports what it needs.
It runs no thread of ours, so to fork it is safe. On macOS libraries of the system may have threads in it.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from orderbook.errors import BooktapeError, OptionError, StepError, explain
from recorder.runtime.descriptors import allow_open_files
from recorder.runtime.memory import collect_rarely, keep_freed_memory
from recorder.runtime.signals import InterruptedRunError, on_signals

if TYPE_CHECKING:  # whoever starts processes shall not import Arrow first
    from orderbook.engine import Engine
    from recorder.settings import EngineName
    from recorder.tape.reader import Tape

WaitForStart = Callable[[], int]
"""Block until all processes are ready; return their common start, in nanoseconds of the monotonic clock."""

P = TypeVar("P")
R = TypeVar("R")

_FORKS: Final = sys.platform == "linux"
_CONTEXT: Final[Any] = multiprocessing.get_context("forkserver" if _FORKS else "spawn")

_DESCRIPTORS: Final = 8
"""Of a process: its pipe, and what tells whether it runs, here and while it is started."""

_SIGNALS: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

_HEAD_START_NS: Final = 20_000_000
"""Time for the start to reach all processes."""


class LostProcessError(BooktapeError):
    """A process ended without a result."""


def balanced(tapes: "Iterable[tuple[Tape, Sequence[str]]]", number: int) -> list[tuple[str, ...]]:
    """Divide the products of tapes into at most `number` groups, none empty, of about as many bytes each.

    The largest product comes first; each goes to the group that is smallest so far.
    """
    sizes: Counter[str] = Counter()
    for tape, products in tapes:
        sizes.update({product: tape.product(product).stored_bytes() for product in products})
    groups: list[list[str]] = [[] for _ in range(min(number, len(sizes)))]
    for product in sorted(sizes, key=lambda each: (-sizes[each], each)):
        min(groups, key=lambda group: sum(sizes[each] for each in group)).append(product)
    return [tuple(sorted(group)) for group in groups if group]


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
    """

    def __init__(
        self, work: Callable[[P, WaitForStart], R], number: int, engine: str, module: str | None = None
    ) -> None:
        self._workers = [_Worker[P, R](work, engine, module) for _ in range(number)]
        self._module = module or work.__module__
        self._is_started = False
        self._start_ns = 0
        self._all_ready = threading.Barrier(number or 1, self._set_start)

    def __enter__(self) -> "WorkerPool[P, R]":
        """Begin to start the processes.

        Raises:
            BooktapeError: if this process may not have so many files open.
            LostProcessError: if none can be started.
        """
        allow_open_files(len(self._workers), _DESCRIPTORS, "process")
        if _FORKS:
            with _starting():
                _ensure_server(self._module)
        else:
            self._ensure_started()
        return self

    def _ensure_started(self) -> None:
        """Start the processes, if they are not: as late as possible, while what they are forks of imports.

        Raises:
            LostProcessError: if one cannot be started.
        """
        if not self._is_started:
            self._is_started = True
            try:
                with _starting():
                    for worker in self._workers:
                        worker.start()
            except BaseException:
                self.__exit__()  # nobody else does, while the pool is entered
                raise

    def __exit__(self, *_: object) -> None:
        """Terminate the processes and wait for their end."""
        self._stop_all()
        for worker in self._workers:
            worker.join()

    def ready_engine(self, engine: "Engine | EngineName") -> "Engine | EngineName":
        """Return the engine for the parts: its name if all processes have loaded it, else a ready one.

        Raises:
            EngineError: if `compiled` is requested and numba is not installed.
        """
        from recorder.runtime.loading import load_engine  # noqa: PLC0415  which imports Arrow

        self._ensure_started()
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
            LostProcessError: if a process died, or could not be started.
        """
        self._ensure_started()
        interrupted = threading.Event()

        def interrupt() -> None:
            interrupted.set()
            self._stop_all()

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
                self._stop_all()
        if interrupted.is_set():
            raise InterruptedRunError("interrupted; nothing was written")
        if failure is not None:
            raise failure

    def _run_parts(
        self,
        worker: "_Worker[P, R]",
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
    def _begin_next(worker: "_Worker[P, R]", waiting: "SimpleQueue[tuple[int, P]]") -> int | None:
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

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.stop()


@dataclass(frozen=True, slots=True)
class _Done:
    """The last message about a part that did not fail."""

    result: Any


class _Worker(Generic[P, R]):
    """One process, as its parent sees it.

    It says whether it has loaded the engine. For each part that it receives, it may ask once for the start
    (None), and returns a result or a failure.
    """

    def __init__(self, work: Callable[[P, WaitForStart], R], engine: str, module: str | None) -> None:
        self._pipe, self._theirs = _CONTEXT.Pipe()
        arguments = (self._theirs, work, engine, module, dict(os.environ))
        self._process = _CONTEXT.Process(target=_run_in_process, args=arguments, daemon=True)
        self._has_loaded: bool | None = None

    def start(self) -> None:
        self._process.start()
        self._theirs.close()  # so that the end of the process ends the pipe

    def has_loaded(self) -> bool:
        """Block until the process has loaded the engine, or could not."""
        if self._has_loaded is None:  # it says so once
            self._has_loaded = False
            with suppress(EOFError, OSError):  # it died: `run` will say so
                self._has_loaded = self._pipe.recv() is True
        return self._has_loaded

    def send(self, part: P) -> None:
        with suppress(OSError):  # it died: `receive` will say so
            self._pipe.send(part)

    def receive(self, wait_for_start: WaitForStart) -> R:
        """Block until the part that was sent has ended; return its result."""
        try:
            while not isinstance(message := self._pipe.recv(), _Done | BooktapeError):
                if message is None:
                    self._pipe.send(wait_for_start())
        except (EOFError, OSError):
            self._process.join()
            raise LostProcessError(
                f"a process of this run died (exit code {self._process.exitcode})"
            ) from None
        if isinstance(message, BooktapeError):
            raise message
        result: R = message.result
        return result

    def stop(self) -> None:
        if self._process.pid is not None and self._process.is_alive():
            self._process.terminate()

    def join(self) -> None:
        if self._process.pid is not None:
            self._process.join()
        self._pipe.close()
        self._theirs.close()


@contextmanager
def _starting() -> Iterator[None]:
    """Start processes in the block: no signal ends it halfway, and they do not begin with one.

    Raises:
        LostProcessError: if the system refuses.
    """
    resource_tracker.ensure_running()  # it unblocks signals in the thread that first needs it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    except (OSError, EOFError) as error:
        raise LostProcessError(f"cannot start a process: {explain(error)}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ensure_server(module: str) -> None:
    """Start the process that is forked, if there is none; it goes on importing a module.

    It must not take a file of the working directory for that module.
    """
    multiprocessing.set_forkserver_preload([module])
    environment = dict(os.environ)
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        forkserver.ensure_running()
    finally:
        _set_environment(environment)


def _set_environment(environment: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


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
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    _set_environment(environment)
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
