"""One product of a tape as the page sees it: its extent, its end as it grows, its passages."""

import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orderbook.engine import Engine
from orderbook.times import format_time
from recorder.installed import tape_name
from recorder.tape.overview import Overview, overview
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from recorder.tape.tail import follow
from replay.checking.interruptions import interruptions
from replay.viewing.books import KeptBooks
from replay.viewing.overview import TapeOverview
from replay.viewing.own import OwnOrders
from replay.viewing.reading import ProductReader
from replay.viewing.strip import MidPrices

_POLL_S: Final = 0.2
"""Seconds between two looks at a tape that grows, however many pages ask."""
_OVERVIEW_S: Final = 2.0
"""Seconds between two looks for interruptions."""
_OVERVIEW_PART: Final = 20
"""A look for interruptions takes one part in so many of the time, at most."""
_MOST_INTERRUPTIONS: Final = 2000
_MOST_MARKS: Final = 64


class Source:
    """A product of a tape.

    Args:
        tape: the tape.
        product: product id.
        own: the orders of a RUN on it; None for none.
        engine: runs the book.
        books: the books that are kept, of other products too.

    Attributes:
        reader: reads its passages.
        segments: its segments.
        mids: its mid price over all of its time.
        own: the orders of a RUN on it.
    """

    def __init__(
        self, tape: Tape, product: str, own: OwnOrders | None, engine: Engine, books: KeptBooks
    ) -> None:
        self._tape = tape
        self._product: ProductTape = tape.product(product)
        self.own = own
        self.reader = ProductReader(self._product, engine, books)
        self.segments = TapeOverview(self._product)
        self.mids = MidPrices(self._product, engine)
        self._seen: Overview = overview(self._product)
        self._last = (self._seen.next_seq - 1, self._seen.last_time)
        self._rows: Iterator[pa.RecordBatch | None] = follow(self._product, self._seen.next_seq)
        self._polled_at = time.monotonic()
        self._look_at = 0.0

    @cached_property
    def origin(self) -> int:
        """Time of the first row, nanoseconds since 1970: 0 on the page.

        Raises:
            ViewError: if there is no row yet.
        """
        return self.reader.time_of(0)

    def last(self) -> tuple[int, int | None]:
        """Return seq and time of the last row; -1 and None if there is none yet."""
        if time.monotonic() - self._polled_at >= _POLL_S:
            while (rows := next(self._rows)) is not None:
                self._last = (rows.column("seq")[-1].as_py(), rows.column("recv_time")[-1].value)
            self._polled_at = time.monotonic()
        return self._last

    def now(self) -> dict[str, Any]:
        """Return the end of the tape, to be asked again and again."""
        seq, last_time = self.last()
        return {
            "last_seq": seq,
            "last_time": None if last_time is None else last_time - self.origin,
            "age_s": None if last_time is None else max(0.0, time.time() - last_time / 1e9),
        }

    def _overview(self) -> Overview:
        """Return an overview of some seconds ago at most: it opens each segment of a tape that has grown."""
        begin = time.monotonic()
        if begin >= self._look_at:
            self._seen = overview(self._product)
            took = time.monotonic() - begin
            self._look_at = begin + max(_OVERVIEW_S, took * _OVERVIEW_PART)
        return self._seen

    def described(self) -> dict[str, Any]:
        """Return what does not change, and the interruptions so far."""
        seen, now = self._overview(), self.now()
        if now["last_time"] is None:
            return {"product": self._product.product, **now}
        found = list(interruptions(seen.connections, seen.last_time))
        begin = None if self.own is None else self.own.first_time()
        return {
            "tape": tape_name(self._tape.path),
            "product": self._product.product,
            "feed": self._tape.feed,
            "synthetic": self._tape.manifest.synthetic,
            "origin": format_time(self.origin),
            **now,
            "interruptions": len(found),
            "interrupted": [
                (each.start - self.origin, each.end - self.origin, _reason(each.code, each.reason))
                for each in found[-_MOST_INTERRUPTIONS:]
            ],
            "lanes": [] if self.own is None else self.own.titles(),
            "missing": "" if self.own is None else self.own.missing(),
            "is_indexed": self.segments.is_indexed(),
            "begin": None if begin is None else begin - self.origin,
            "last_book": self._last_frame() if any(each.closed for each in seen.connections[-1:]) else None,
        }

    def _last_frame(self) -> tuple[int, int] | None:
        """Return seq and time of the last frame, if it is near the end: what follows ends a connection."""
        found = None
        for rows in self._product.batches(
            first_seq=max(self._product.first_seq, self._last[0] + 1 - _MOST_MARKS)
        ):
            frames = np.flatnonzero(rows.column("kind").to_numpy(zero_copy_only=False) == "frame")
            if len(frames):
                last = int(frames[-1])
                found = rows.column("seq")[last].as_py(), rows.column("recv_time")[last].value - self.origin
        return found


def _reason(code: int | None, reason: str) -> str:
    return " ".join(each for each in ("" if code is None else str(code), reason) if each)
