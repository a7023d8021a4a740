"""What an interruption cost: the book held before it against the snapshot that came after it."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from orderbook.engine import Engine, Step
from orderbook.feeds import Feed
from orderbook.saved import SavedState
from orderbook.times import format_time
from recorder.tape.reader import own

_SAVED = msgspec.msgpack.Decoder(SavedState)

Sides = tuple[dict[int, str], dict[int, str]]


@dataclass(frozen=True, slots=True)
class ReconnectAudit:
    """How far two books differ, over both sides.

    Attributes:
        connection: the one that the new snapshot came on.
        recv_time: of that snapshot, nanoseconds since 1970.
        levels_before, levels_after: levels of the books.
        differ_10, differ_100, differ_all: levels that are in one book only or have another size, among
            the best 10 and the best 100 a side of either book, and among all.
    """

    connection: int
    recv_time: int
    levels_before: int
    levels_after: int
    differ_10: int
    differ_100: int
    differ_all: int

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "connection": self.connection,
            "time": format_time(self.recv_time),
            "levels_before": self.levels_before,
            "levels_after": self.levels_after,
            "differ_10": self.differ_10,
            "differ_100": self.differ_100,
            "differ_all": self.differ_all,
        }


def differing(before: Sides, after: Sides, depth: int | None) -> int:
    """Count the levels that differ among the best `depth` a side of either book; None: among all. O(levels).

    >>> differing(({100: "1", 99: "2"}, {}), ({100: "1", 98: "2"}, {}), 1)
    0
    >>> differing(({100: "1", 99: "2"}, {}), ({100: "1", 98: "2"}, {}), None)
    2
    """
    count = 0
    for old, new, best_first in zip(before, after, (True, False), strict=True):
        prices: set[int] = set()
        for side in (old, new):
            prices.update(sorted(side, reverse=best_first)[:depth])
        count += sum(old.get(price) != new.get(price) for price in prices)
    return count


class AuditedBook:
    """A book that is compared across interruptions.

    Attributes:
        audits: one for each snapshot that followed an interruption of a known book, in order.
    """

    def __init__(self, engine: Engine, product: str, feed: Feed) -> None:
        self._engine = engine
        self._state = engine.start(product, feed)
        self._held: Sides | None = None
        self._is_waiting = False
        self.audits: list[ReconnectAudit] = []

    def steps(self, rows: pa.RecordBatch) -> Iterator[Step]:
        """Run rows through the book; one step where nothing is interrupted, several around interruptions."""
        kinds = rows.column("kind").to_pylist()
        start = 0
        while start < len(kinds):
            if kinds[start] != "frame":
                self._interrupt()
                end = start + 1
            elif self._is_waiting:
                end = start + 1  # row by row up to the snapshot, whose book is the one to compare
            else:
                end = next((at for at in range(start, len(kinds)) if kinds[at] != "frame"), len(kinds))
            part = rows if end - start == len(kinds) else own(rows.slice(start, end - start))
            self._state, step = self._engine.step(self._state, part)
            if self._is_waiting and step.summaries.num_rows:
                self._compare(step)
            yield step
            start = end

    def save(self) -> bytes:
        """Return the book as it stands, as `Engine.save` gives it. O(levels)."""
        return self._engine.save(self._state)

    def _interrupt(self) -> None:
        """Hold the book that an interruption is about to end, unless it ended already."""
        saved = _SAVED.decode(self.save())
        if saved.is_known:
            self._held = (dict(saved.bids), dict(saved.asks))
        self._is_waiting = self._held is not None

    def _compare(self, step: Step) -> None:
        saved = _SAVED.decode(self.save())
        after = (dict(saved.bids), dict(saved.asks))
        before, self._held, self._is_waiting = self._held or ({}, {}), None, False
        self.audits.append(
            ReconnectAudit(
                step.span.last_connection or 0,
                step.span.last_time or 0,
                sum(map(len, before)),
                sum(map(len, after)),
                differing(before, after, 10),
                differing(before, after, 100),
                differing(before, after, None),
            )
        )
