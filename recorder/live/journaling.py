"""Threads that nothing else holds up: one writes what is received to the journals, one makes them durable.

Seals, strategies, outputs and the book come after the journal, on the thread of the dataflow.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from recorder.live.backlog import Backlog
from recorder.live.clock import ClockWatch
from recorder.live.queue import ReceiveQueue
from recorder.tape.writer import TapeWriter

Report = Callable[[Exception], None]
"""Called with a failure, which must end the recording."""

_TICK_S: Final = 1.0  # interval at which segments end by their age
_MAX_ROWS: Final = 8192


class _Worker(AbstractContextManager[None]):
    """A thread that runs while the block does; what it raises is reported."""

    def __init__(self, name: str, report: Report) -> None:
        self._report = report
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  a defect too: nothing may go on without its journal
            self._report(error)
        finally:
            self._finish()

    def _work(self) -> None:
        """Do the work, until `_ending` is set."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Do what follows the work in any case."""


class Syncing(_Worker):
    """Makes the journals of a tape durable, so that what is appended is durable `sync_s` later.

    Each time it looks whether the tape is still where it was.

    Args:
        writer: the tape.
        report: called with a failure.
        on_beat: called each time.
    """

    def __init__(
        self, writer: TapeWriter, report: Report, on_beat: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__("journal-sync", report)
        self._writer = writer
        self._on_beat = on_beat

    def _work(self) -> None:
        interval, took = self._writer.policy.sync_s, 0.0
        # A row that just misses one sync is durable at the end of the next one.
        while not self._ending.wait(max(interval - 2 * took, interval / 10)):
            began = time.monotonic()
            try:
                self._writer.sync()
            except OSError as error:
                raise self._writer.failure(error) from None
            if not self._writer.is_in_place():
                raise self._writer.failure(None)
            self._on_beat()
            took = time.monotonic() - began


class Journaling(_Worker):
    """Numbers what is received, writes it to the journals and puts it in the backlog."""

    def __init__(
        self, queue: ReceiveQueue, writer: TapeWriter, gather_s: float, report: Report, backlog: Backlog
    ) -> None:
        super().__init__("journal", report)
        self._queue = queue
        self._writer = writer
        self._gather_s = gather_s
        self._backlog = backlog
        self._syncing = Syncing(writer, report, ClockWatch().look)
        self._threads = ExitStack()
        self._next_seq = {product: each.position.seq for product, each in writer.products.items()}

    def __enter__(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(self._syncing)
            super().__enter__()
            self._threads = stack.pop_all()

    def __exit__(self, *_: object) -> None:
        with self._threads:
            super().__exit__()

    def _work(self) -> None:
        queue, products = self._queue, self._writer.products
        is_busy = False
        while not (self._ending.is_set() and queue.is_empty) and not all(map(queue.is_drained, products)):
            if not self._ending.is_set():
                if not is_busy:
                    queue.wait(_TICK_S)
                queue.gather(self._gather_s)
            try:
                is_busy = self._write()
            except OSError as error:
                raise self._writer.failure(error) from None

    def _write(self) -> bool:
        """Write what is queued; return whether that was anything."""
        queue, backlog = self._queue, self._backlog
        is_busy = False
        for product, writer in self._writer.products.items():
            rows = queue.pop(product, _MAX_ROWS)
            if rows:
                is_busy = True
                places = writer.write(self._next_seq[product], rows)
                self._next_seq[product] += len(rows)
                for place in places:
                    backlog.put(product, place, rows[: place.rows])
                    rows = rows[place.rows :]
            else:
                writer.end_old_segment()
        if is_busy:
            backlog.notify()
        return is_busy

    def _finish(self) -> None:
        self._backlog.finish()
