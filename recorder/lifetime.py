"""How a recording ends: Ctrl-C, SIGTERM and `--duration` all drain and seal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from recorder.reader import FeedReader

JOIN_SECONDS = 10.0


@contextmanager
def until_stopped(reader: FeedReader, duration: float | None) -> Iterator[None]:
    """Stop a reader on SIGINT, SIGTERM or after `duration` seconds; what was received is then drained.

    bytewax's own SIGINT loses the items in flight and SIGTERM would kill at once, so both are ours
    for this long (in the main thread; elsewhere signals are left alone).

    Raises:
        BaseException: what the reader's thread failed with, where it did.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        reader.stop()

    timer = threading.Timer(duration, reader.stop) if duration is not None else None
    in_main = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)} if in_main else {}
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
        for each, handler in before.items():
            signal.signal(each, handler)
    if reader.failure is not None:
        raise reader.failure
