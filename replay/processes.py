"""One job in several processes: each on products of its own, the results put together.

The book of a product is one process's work, so N processes take N groups of products. bytewax spreads keys
by their hash, whatever their weight; here groups are balanced by bytes, and no row travels between processes.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar, cast

from orderbook.engine import Engine
from orderbook.errors import BooktapeError
from recorder.engines import has_loaded, ready_engine
from recorder.lifetime import InterruptedRunError, on_signals
from recorder.options import EngineName
from recorder.tape.overview import stored_bytes
from recorder.tape.reader import Tape

Meet = Callable[[], int]
"""Waits until all processes are ready; returns when to start, on the monotonic clock of the machine (ns)."""

P = TypeVar("P")
R = TypeVar("R")

_SPAWN: Final = multiprocessing.get_context("spawn")


_HEAD_START_NS: Final = 20_000_000  # for the word to reach all of them


class LostProcessError(BooktapeError):
    """A process ended without a result."""


def balanced(tapes: Iterable[tuple[Tape, Sequence[str]]], number: int) -> list[tuple[str, ...]]:
    """Return at most `number` groups of the products of tapes with about as many bytes each, none empty.

    Largest first, each to the group that is lightest so far.
    """
    sizes: Counter[str] = Counter()
    for tape, products in tapes:
        sizes.update({product: stored_bytes(tape.product(product)) for product in products})
    groups: list[list[str]] = [[] for _ in range(min(number, len(sizes)))]
    for product in sorted(sizes, key=lambda each: (-sizes[each], each)):
        min(groups, key=lambda group: sum(sizes[each] for each in group)).append(product)
    return [tuple(sorted(group)) for group in groups if group]


class Crew(AbstractContextManager["Crew[P, R]"], Generic[P, R]):
    """Processes that do one job on products of their own; they start, and import, as soon as it is entered.

    Args:
        work: a function of a module, so that it can be found in another process. Like all long runs it
            must end on SIGTERM. It may meet the others once, or not.
        number: how many.
        engine: name of the one whose code they load meanwhile, where it is kept on disk.
    """

    def __init__(self, work: Callable[[P, Meet], R], number: int, engine: str) -> None:
        self._workers = [_Worker(work, engine) for _ in range(number)]

    def __enter__(self) -> "Crew[P, R]":
        """Start them."""
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End them: none is left behind."""
        self._stop_all()
        for worker in self._workers:
            worker.join()

    def ready_engine(self, engine: Engine | EngineName) -> Engine | EngineName:
        """Return the engine for the parts, ready here; or its name, where all processes have it ready.

        Raises:
            EngineError: where `compiled` is asked for and numba is not installed.
        """
        have_loaded = [worker.has_loaded() for worker in self._workers]
        if isinstance(engine, str) and have_loaded and all(have_loaded):
            return "compiled"
        return ready_engine(engine)

    def run(self, parts: Sequence[P]) -> list[R]:
        """Return what each makes of its part. A signal, or the failure of one, stops all of them.

        Args:
            parts: as many as there are processes; they are pickled.

        Raises:
            BooktapeError: what the first that failed raised.
            InterruptedRunError: where a signal ended them.
            LostProcessError: where a process died.
        """
        interrupted = threading.Event()

        def interrupt() -> None:
            interrupted.set()
            self._stop_all()

        with on_signals(interrupt):
            for worker, part in zip(self._workers, parts, strict=True):
                worker.give(part)
            failure = _follow(self._workers, self._stop_all)
        if interrupted.is_set():
            raise InterruptedRunError("interrupted; nothing was written")
        if failure is not None:
            raise failure
        return [worker.result for worker in self._workers]

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.stop()


def _follow(workers: "Sequence[_Worker]", stop_all: Callable[[], None]) -> BooktapeError | None:
    """Take what the processes say until all have ended; give the start once all are ready for it.

    Returns the first failure: those after it are of processes that were stopped for it.
    """
    failure: BooktapeError | None = None
    waiting = {worker.pipe: worker for worker in workers}
    has_started = False
    while waiting:
        for pipe in wait(list(waiting)):
            worker = waiting[cast(Connection, pipe)]
            worker.take()
            if worker.has_ended:
                del waiting[worker.pipe]
            if worker.failure is not None:
                failure = failure or worker.failure
                stop_all()
        if not has_started and all(worker.is_ready or worker.has_ended for worker in workers):
            has_started = True
            start_ns = time.monotonic_ns() + _HEAD_START_NS
            for worker in waiting.values():
                with suppress(OSError):  # its end is the next thing to be heard of it
                    worker.pipe.send(start_ns)
    return failure


class _Worker:
    """One process, seen from the one that started it."""

    def __init__(self, work: Callable[[Any, Meet], Any], engine: str) -> None:
        self.pipe, self._theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_run_part, args=(self._theirs, work, engine), daemon=True)
        self.is_ready = self.has_ended = False
        self.failure: BooktapeError | None = None
        self.result: Any = None

    def start(self) -> None:
        self._process.start()
        self._theirs.close()  # so that its end is seen here when the process dies

    def has_loaded(self) -> bool:
        """Wait until it has loaded the engine, or could not."""
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionResetError):  # it died; that is the next thing to be heard of it
            return False
        return isinstance(message, _Loaded) and message.is_so

    def give(self, part: object) -> None:
        with suppress(BrokenPipeError):  # it died; its end is the next thing to be heard of it
            self.pipe.send(part)

    def take(self) -> None:
        """Take one message: how far it is, what it found, what went wrong, or its end without a word."""
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            message = LostProcessError(f"a process of this run died (exit code {self._process.exitcode})")
        self.is_ready = self.is_ready or isinstance(message, _Ready)
        self.has_ended = not isinstance(message, _Loaded | _Ready)
        if isinstance(message, _Done):
            self.result = message.value
        elif isinstance(message, BooktapeError):
            self.failure = message

    def stop(self) -> None:
        if self._process.pid is not None and self._process.is_alive():
            self._process.terminate()

    def join(self) -> None:
        if self._process.pid is not None:
            self._process.join()
        self.pipe.close()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Says whether a process has the compiled engine."""

    is_so: bool


class _Ready:
    """Says that a process waits for the start."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A result on its way."""

    value: object


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: nobody would take the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_part(pipe: Connection, work: Callable[[Any, Meet], Any], engine: str) -> None:
    """Run one part in a process of its own and say what came of it."""
    # Ctrl-C reaches the whole group of processes: the first of them passes it on as SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def meet() -> int:
        pipe.send(_Ready())
        start_ns: int = pipe.recv()
        return start_ns

    try:
        pipe.send(_Loaded(has_loaded(engine)))
        part = pipe.recv()
    except (EOFError, OSError):  # there is nothing to do after all
        return
    try:
        outcome: object = _Done(work(part, meet))
    except BooktapeError as error:
        outcome = error
    with suppress(BrokenPipeError):  # nobody waits any more
        pipe.send(outcome)
