"""Stopping a run by Ctrl-C, another signal or `--duration`: what was received is processed before it ends."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from orderbook.errors import BooktapeError

if TYPE_CHECKING:  # a replay has no socket
    from recorder.live.client import FeedReader


_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_S: Final = 0.01
_LOOKS: Final = 200
"""How often, and how many times, it is looked whether an import has ended."""
_TIDY_S: Final = 1.0


class InterruptedRunError(BooktapeError):
    """A signal stopped a run before its end."""


class Interrupting:
    """A handler that ends a command before its run: by an exception.

    Not while a module is imported, as what imports it may swallow the exception, print a traceback, raise
    another one, or keep a lock: the exception comes after the import, or after 2 s. Nor twice in a second,
    while what was ended tidies up. A run that begins nevertheless is stopped at once, see `on_signals`.

    Attributes:
        has_come: whether a signal has come.
        has_run: whether a run has ended, see `stops_once`.
    """

    def __init__(self) -> None:
        self.has_come = self.has_run = False
        self._looks_left = _LOOKS
        self._raised_at = -math.inf

    def __call__(self, _signal: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.has_come = True
        if self._looks_left and _is_importing(frame):
            self._looks_left -= 1
            signal.signal(signal.SIGALRM, self)
            signal.setitimer(signal.ITIMER_REAL, _LOOK_S)
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        if time.monotonic() >= self._raised_at + _TIDY_S:
            self._raised_at = time.monotonic()
            raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


class _StopsOnce(Interrupting):
    """A handler that ends a command before its run, and does nothing from the end of a run on."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.has_run:
            try:
                super().__call__(number, frame)
            except KeyboardInterrupt:
                self.has_run = True
                raise


def _handle_each(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Install a handler of the signals that stop a run; return the handlers of before.

    SIGHUP, which comes when a terminal or an ssh session ends, stays ignored if it is: `nohup` sets that.
    """
    return {
        each: signal.signal(each, handler)
        for each in _STOPPING
        if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN
    }


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first signal that stops a run in the block; change nothing outside the main thread.

    A second signal may come while `stop` holds a lock, which it would wait for forever. bytewax's own handler
    of SIGINT loses the items in flight, and the others would kill the process.
    """
    is_stopped = False

    def handle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_stopped
        if not is_stopped:
            is_stopped = True
            stop()

    in_main = threading.current_thread() is threading.main_thread()
    before = _handle_each(handle) if in_main else {}
    if any(isinstance(handler, Interrupting) and handler.has_come for handler in before.values()):
        signal.setitimer(signal.ITIMER_REAL, 0)
        handle(signal.SIGINT, None)
    try:
        yield
    finally:
        for each, handler in before.items():
            if isinstance(handler, _StopsOnce):
                handler.has_run = True
            signal.signal(each, handler)


@contextmanager
def stops_once() -> Iterator[None]:
    """Ignore these signals from the end of the block's run on; for a command that ends after the block.

    The first signal stops the run (`on_signals`). A second one, which comes while the result is printed, must
    not change the exit code. `ignore_repeats` does the same while Python ends.
    """
    handler = _StopsOnce()
    before = _handle_each(handler)
    try:
        yield
    finally:
        if not handler.has_run:
            for each, earlier in before.items():
                signal.signal(each, earlier)


def ignore_repeats() -> None:
    """Ignore signals until the process is gone if one has come, as Python takes handlers away before."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for each in _STOPPING:
        handler = signal.getsignal(each)
        if isinstance(handler, Interrupting) and (handler.has_come or handler.has_run):
            signal.signal(each, signal.SIG_IGN)


@contextmanager
def deferred_signals() -> Iterator[threading.Event]:
    """Defer SIGINT, SIGTERM and SIGHUP while the block runs; yield an event that they set."""
    received = threading.Event()
    with on_signals(received.set):
        yield received


@contextmanager
def interruptible(stop: Callable[[], None], consequence: str) -> Iterator[None]:
    """Stop a run that would end by itself on a signal, and raise once it has drained.

    Raises:
        InterruptedRunError: if a signal stopped it; the text ends with `consequence`.
    """
    interrupted = threading.Event()

    def interrupt() -> None:
        interrupted.set()
        stop()

    with on_signals(interrupt):
        yield
    if interrupted.is_set():
        raise InterruptedRunError(f"interrupted; {consequence}")


@contextmanager
def until_stopped(reader: "FeedReader", duration: float | None) -> Iterator[None]:
    """Stop a reader on a signal or after `duration` seconds, and join it after the block.

    Raises:
        BaseException: the failure that ended the reader's thread, if any.
    """
    timer = threading.Timer(duration, reader.stop) if duration is not None else None
    with on_signals(reader.interrupt):
        try:
            if timer:
                timer.daemon = True
                timer.start()
            yield
        finally:
            if timer:
                timer.cancel()
            reader.stop()
            reader.join()
    if reader.failure is not None:
        raise reader.failure
