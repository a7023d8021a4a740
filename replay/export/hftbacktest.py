"""hftbacktest: a file `PRODUCT_YYYYMMDD.npz` a UTC day, with the events of both of its sides in order.

A file `PRODUCT_YYYYMMDD_start.npz` holds the book before that day, for its `initial_snapshot`. The first file
begins with that book itself.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from replay.export.events import DEPTH, EMPTIED, IN_SNAPSHOT, TRADE, events_of, events_of_book
from replay.export.npz import NpzWriter
from replay.export.ordering import BOTH, EXCHANGE, LOCAL, Ordered, Ordering
from replay.export.passing import DAY_NS, Part, day_text
from replay.export.results import ExportedFile

EVENT: Final = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)
"""An event of hftbacktest 2: `event_dtype` of its `types`."""

_KINDS: Final = {DEPTH: 1, TRADE: 2, EMPTIED: 3, IN_SNAPSHOT: 4}
_SIDES: Final = (1 << 29, 1 << 28, 0)
"""Bits of a bid or a buyer, of an ask or a seller, and of neither, which empties both sides of a book."""
_WHERE: Final = {LOCAL: 1 << 30, EXCHANGE: 1 << 31, BOTH: 1 << 31 | 1 << 30}

_FLAGS: Final = np.array([[_KINDS[kind] | side for side in _SIDES] for kind in range(4)], np.uint64)
_PLACES: Final = np.array([_WHERE.get(sides, 0) for sides in range(4)], np.uint64)


class HftbacktestWriter:
    """Writes the files of one product.

    Args:
        directory: where they are written.
        product: id of the product.
        lag: the least lag of its frames, see `Ordering`.

    Attributes:
        ordering: puts the events in order.
    """

    def __init__(self, directory: Path, product: str, lag: int | None) -> None:
        self.ordering = Ordering(lag)
        self._directory = directory
        self._product = product
        self._file: NpzWriter | None = None
        self._written: list[ExportedFile] = []
        self._day = -1
        self._scratch = np.zeros(0, EVENT)

    def add(self, part: Part) -> None:
        """Add the next rows. O(events)."""
        if part.book is not None:
            book = events_of_book(part.book, part.first_time)
            if part.begins:
                self._write(self.ordering.add(book))
            else:
                self._write_start(book_events(book.price, book.size, book.side, part.first_time), part.day)
        self._write(self.ordering.add(events_of(part)))

    def close(self) -> list[ExportedFile]:
        """Write what is held, finish the last file, and return all."""
        self._write(self.ordering.finish())
        self._finish()
        return sorted(self._written, key=lambda file: file.path)

    def _write(self, found: Iterator[Ordered]) -> None:
        for ordered in found:
            days = ordered.day_time // DAY_NS
            cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
            for low, high in pairwise(cuts):
                self._open(int(days[low]))
                assert self._file is not None  # noqa: S101  it was opened
                values = self._array(ordered, low, high)
                self._file.write(values)

    def _open(self, day: int) -> None:
        if day != self._day:
            self._finish()
            self._day = day
            self._file = NpzWriter(self._path(day, ".npz"), EVENT)

    def _finish(self) -> None:
        if self._file is not None:
            self._file.close()
            self._note(self._file)

    def _note(self, file: NpzWriter) -> None:
        self._written.append(ExportedFile.of_path(file.path, self._directory, file.length))

    def _path(self, day: int, end: str) -> Path:
        return self._directory / f"{self._product}_{day_text(day).replace('-', '')}{end}"

    def _write_start(self, values: npt.NDArray[np.void], day: int) -> None:
        with NpzWriter(self._path(day, "_start.npz"), EVENT) as file:
            file.write(values)
        self._note(file)

    def _array(self, ordered: Ordered, low: int, high: int) -> npt.NDArray[np.void]:
        """Return some groups as events; valid until the next call."""
        events, group = ordered.events, ordered.group[low:high]
        count = events.first[group + 1] - events.first[group]
        ends = np.cumsum(count)
        total = int(ends[-1])
        start = int(events.first[group[0]])
        which: slice | npt.NDArray[np.int64] = slice(start, start + total)
        if group[-1] - group[0] != high - low - 1 or (np.diff(group) != 1).any():
            which = np.repeat(events.first[group] - (ends - count), count) + np.arange(total)
        if len(self._scratch) < total:
            self._scratch = np.zeros(total + total // 4, EVENT)
        made = self._scratch[:total]
        flags = _FLAGS.ravel()[events.what[which] * np.uint8(3) + events.side[which]]
        made["ev"] = flags | np.repeat(_PLACES[ordered.sides[low:high]], count)
        made["exch_ts"] = np.repeat(ordered.exch[low:high], count)
        made["local_ts"] = np.repeat(ordered.local[low:high], count)
        made["px"], made["qty"] = events.price[which], events.size[which]
        return made


def book_events(
    price: npt.NDArray[np.float64], size: npt.NDArray[np.float64], side: npt.NDArray[np.uint8], time: int
) -> npt.NDArray[np.void]:
    """Return a book as `initial_snapshot` reads it; the first event, which empties it, is left out."""
    made = np.zeros(len(price) - 1, EVENT)
    made["ev"] = _FLAGS[IN_SNAPSHOT][side[1:]] | _PLACES[BOTH]
    made["exch_ts"], made["local_ts"] = time - 1, time
    made["px"], made["qty"] = price[1:], size[1:]
    return made
