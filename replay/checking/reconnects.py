"""Audits of interruptions: the book before each compared with the snapshot after it."""

from collections.abc import Iterator

import msgspec
import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Engine, Step
from orderbook.times import format_time
from recorder.tape.row_batches import copy_rows


class ReconnectAudit(msgspec.Struct, frozen=True):
    """The difference between the books before and after an interruption, over both sides.

    Attributes:
        connection: number of the connection of the new snapshot.
        time: receive time of that snapshot, ISO 8601 in UTC.
        levels_before, levels_after: number of levels of the books.
        differ_10, differ_100, differ_all: number of levels that are in one book only or have another size,
            among the best 10 and the best 100 a side of either book, and among all.
    """

    connection: int
    time: str
    levels_before: int
    levels_after: int
    differ_10: int
    differ_100: int
    differ_all: int


def differing(before: Levels, after: Levels, depth: int | None) -> int:
    """Count the levels that differ among the best `depth` a side of either book, or all if None. O(levels).

    >>> before, after = Levels([(100, "1"), (99, "2")], []), Levels([(100, "1"), (98, "2")], [])
    >>> differing(before, after, 1), differing(before, after, None)
    (0, 2)
    """
    count = 0
    for old_levels, new_levels in zip(before, after, strict=True):
        prices = {price for price, _ in (*old_levels[:depth], *new_levels[:depth])}
        old, new = dict(old_levels), dict(new_levels)
        count += sum(old.get(price) != new.get(price) for price in prices)
    return count


class AuditedBook:
    """A book that is compared across interruptions.

    Attributes:
        audits: one for each snapshot after an interruption of a known book, in order.
    """

    def __init__(self, engine: Engine, product: str, feed: str) -> None:
        self._engine = engine
        self._product, self._feed = product, feed
        self._state = engine.start(product, feed)
        self._held: Levels | None = None
        self._is_waiting = False
        self.audits: list[ReconnectAudit] = []

    def steps(self, rows: pa.RecordBatch) -> Iterator[Step]:
        """Run rows through the book; yield one step, or several if there are interruptions."""
        kinds = rows.column("kind").to_pylist()
        start = 0
        while start < len(kinds):
            if kinds[start] != "frame":
                self._interrupt()
                end = start + 1
            elif self._is_waiting:
                end = start + 1  # row by row up to the snapshot, whose book is compared
            else:
                end = next((at for at in range(start, len(kinds)) if kinds[at] != "frame"), len(kinds))
            part = rows if end - start == len(kinds) else copy_rows(rows.slice(start, end - start))
            self._state, step = self._engine.step(self._state, part)
            if self._is_waiting and step.summaries.num_rows:
                self._compare(step)
            yield step
            start = end

    def load(self, saved: bytes | None) -> None:
        """Continue with a saved book; None begins with an empty one."""
        new = self._engine.start(self._product, self._feed)
        self._state = new if saved is None else self._engine.load(saved)

    def save(self) -> bytes:
        """Return the current book as `Engine.save` does. O(levels)."""
        return self._engine.save(self._state)

    def _interrupt(self) -> None:
        """Keep the book that an interruption ends, unless an earlier one has ended it."""
        levels = self._engine.levels(self._state)
        if levels is not None:
            self._held = levels
        self._is_waiting = self._held is not None

    def _compare(self, step: Step) -> None:
        nothing = Levels([], [])
        before, after = self._held or nothing, self._engine.levels(self._state) or nothing
        self._held, self._is_waiting = None, False
        self.audits.append(
            ReconnectAudit(
                step.span.last_connection or 0,
                format_time(step.span.last_time or 0),
                *(sum(map(len, book)) for book in (before, after)),
                *(differing(before, after, depth) for depth in (10, 100, None)),
            )
        )
