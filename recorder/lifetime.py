"""How a run ends before its end: Ctrl-C, SIGTERM and `--duration` all drain what was received."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from orderbook.errors import BooktapeError

if TYPE_CHECKING:  # a replay has no socket
    from recorder.reader import FeedReader

JOIN_SECONDS = 10.0


class InterruptedRunError(BooktapeError):
    """A run that had an end of its own was stopped before it."""


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT and SIGTERM while the block runs.

    bytewax's own SIGINT loses the items in flight and SIGTERM would kill at once, so both are ours
    for this long (in the main thread; elsewhere signals are left alone).
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop()

    in_main = threading.current_thread() is threading.main_thread()
    before = (
        {each: signal.signal(each, handle) for each in (signal.SIGINT, signal.SIGTERM)} if in_main else {}
    )
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def remembered_signals() -> Iterator[threading.Event]:
    """Yield an event that a signal sets while the block runs: what has no end yet is ended once it can be."""
    asked = threading.Event()
    with on_signals(asked.set):
        yield asked


@contextmanager
def interruptible(stop: Callable[[], None], what: str) -> Iterator[None]:
    """Let signals end a run that would end by itself; raises once the block has drained.

    Raises:
        InterruptedRunError: where a signal ended it; `what` says what that means.
    """
    interrupted = threading.Event()

    def end() -> None:
        interrupted.set()
        stop()

    with on_signals(end):
        yield
    if interrupted.is_set():
        raise InterruptedRunError(f"interrupted; {what}")


@contextmanager
def until_stopped(reader: "FeedReader", duration: float | None) -> Iterator[None]:
    """Stop a reader on a signal or after `duration` seconds; what was received is then drained.

    Raises:
        BaseException: what the reader's thread failed with, where it did.
    """
    timer = threading.Timer(duration, reader.stop) if duration is not None else None
    with on_signals(reader.stop):
        try:
            if timer:
                timer.daemon = True
                timer.start()
            yield
        finally:
            if timer:
                timer.cancel()
            reader.stop()
            reader.join(JOIN_SECONDS)
    if reader.failure is not None:
        raise reader.failure
