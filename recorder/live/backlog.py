"""Rows that are in the journal and wait for the dataflow: in memory up to a bound, beyond it only on disk.

However far a seal, a strategy or an output falls behind, nothing received is lost and memory stays bounded.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pyarrow as pa

from recorder.live.queue import Received, ReceiveQueue
from recorder.tape.errors import TapeError
from recorder.tape.format.journal import JournalPlace
from recorder.tape.row_batches import numbered_batch

log = logging.getLogger(__name__)

_BATCH_ROWS: Final = 8192
_BATCH_BYTES: Final = 8 * 2**20  # pieces are taken together up to these
_READ_ROWS: Final = 1024
_ROW_BYTES: Final = 128  # what a row costs in memory beside its bytes in the journal

_Piece = tuple[JournalPlace, list[Received], int]
"""Rows of one segment: where they are in its journal, and what they cost in memory; there are none if they
must be read from there."""


class Backlog:
    """Journaled rows in order per product. One thread puts them and another takes them."""

    def __init__(
        self, products: Iterable[str], queue: ReceiveQueue, report: Callable[[Exception], None]
    ) -> None:
        self._queue = queue
        self._report = report
        self._pieces: dict[str, deque[_Piece]] = {product: deque() for product in products}
        self._reading: dict[str, Iterator[pa.RecordBatch]] = {}
        self._is_over = False
        self._has_told = False
        self._has_failed = False
        self._arrival = threading.Condition()

    def put(self, product: str, place: JournalPlace, rows: list[Received]) -> None:
        """Add rows that have been written to a place in the journal."""
        cost = place.end - place.start + _ROW_BYTES * place.rows
        pieces = self._pieces[product]
        with self._arrival:
            if self._has_failed:
                return
            last = pieces[-1] if pieces else None
            # Once rows are left in the journal, those after them are too: they are read in one go.
            if (last is None or last[1]) and self._queue.used_bytes + cost <= self._queue.max_bytes // 2:
                pieces.append((place, rows, cost))
                self._queue.hold(product, cost)
                return
            if last is not None and not last[1] and last[0].path == place.path:
                pieces.pop()
                place = last[0]._replace(end=place.end, rows=last[0].rows + place.rows)
            pieces.append((place, [], 0))

    def notify(self) -> None:
        """Wake the thread that waits for rows."""
        with self._arrival:
            self._arrival.notify_all()

    def finish(self) -> None:
        """Mark the end of all rows."""
        with self._arrival:
            self._is_over = True
            self._arrival.notify_all()

    def take(self, product: str) -> pa.RecordBatch | None:
        """Remove and return the next rows, all of one segment; None if there are none.

        If they cannot be read from the journal, that is reported, and no more rows of any product come.
        """
        try:
            rows = self._next_read(product)
            return self._next(product) if rows is None else rows
        except (OSError, TapeError) as error:
            self._report(error)
            self._end()
            return None

    def _end(self) -> None:
        with self._arrival:
            self._has_failed = True
            self._reading.clear()
            for pieces in self._pieces.values():
                pieces.clear()

    def _next(self, product: str) -> pa.RecordBatch | None:
        with self._arrival:
            pieces = self._pieces[product]
            if not pieces:
                return None
            place, rows, cost = pieces.popleft()
            while rows and pieces:
                following, more, its_cost = pieces[0]
                is_small = len(rows) + len(more) <= _BATCH_ROWS and cost + its_cost <= _BATCH_BYTES
                if not more or following.path != place.path or not is_small:
                    break
                pieces.popleft()
                rows += more
                cost += its_cost
            self._queue.hold(product, -cost)
        if rows:
            return numbered_batch(place.first_seq, rows)
        if not self._has_told:
            self._has_told = True
            log.warning(
                "%s: the book is far behind what is received; the rows between are read from the journal",
                product,
            )
        self._reading[product] = place.batches(_READ_ROWS)
        return self._next_read(product)

    def _next_read(self, product: str) -> pa.RecordBatch | None:
        reading = self._reading.get(product)
        rows = None if reading is None else next(reading, None)
        if rows is None:
            self._reading.pop(product, None)
        return rows

    def is_drained(self, product: str) -> bool:
        """Return whether all rows have been taken and none will come."""
        with self._arrival:
            return self._is_over and not self._pieces[product] and product not in self._reading

    def wait(self, seconds: float) -> None:
        """Block until rows of any product are put, at most so many seconds."""
        with self._arrival:
            if not self._is_over and not any(self._pieces.values()) and not self._reading:
                self._arrival.wait(seconds)
