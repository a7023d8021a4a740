"""Threads that seal: a seal waits for the disk a dozen times, and all products end a segment at once.

Segments of one product are sealed in order, those of several products beside one another, and whoever
processes rows waits for none of them, unless so many are left that the disk cannot keep up.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from recorder.tape.store.durable import DISK_THREADS

_WAITING: Final = 2
"""Seals of one product that may be unfinished: each keeps its journal, and the checks of its rows."""


class SealThreads:
    """Runs seals on threads until one fails; the others are left out then, as their rows are in the journals.

    Args:
        report: called with a failure, on the thread of the seal.
    """

    def __init__(self, report: Callable[[Exception], None]) -> None:
        self._report = report
        self._pool = ThreadPoolExecutor(DISK_THREADS, "seal")
        self._unfinished: dict[str, deque[Future[None]]] = defaultdict(deque)
        self._has_failed = False

    def submit(self, product: str, seal: Callable[[], object]) -> None:
        """Seal after the product's earlier segments; waits while too many of them are unfinished."""
        unfinished = self._unfinished[product]
        while unfinished and (unfinished[0].done() or len(unfinished) >= _WAITING):
            unfinished.popleft().result()
        before = unfinished[-1] if unfinished else None
        unfinished.append(self._pool.submit(self._run, before, seal))

    def _run(self, before: "Future[None] | None", seal: Callable[[], object]) -> None:
        if before is not None:
            wait([before])  # it has its thread already: the pool takes them in the order of their coming
        if self._has_failed:
            return
        try:
            seal()
        except Exception as error:  # noqa: BLE001  a defect too: no later segment may be sealed
            self._has_failed = True
            self._report(error)

    def join(self) -> None:
        """Wait for every seal, and end the threads."""
        self._pool.shutdown()
