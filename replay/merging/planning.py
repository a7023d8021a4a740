"""The plan of a merge: which rows of which connections follow one another.

A connection is followed to its end, or to the first frame that shows that messages are missing. There the
merge goes on, in this order of preference:

1. with a connection of another tape from the same state of the book, which is proven: a *seam*;
2. with a connection of another tape whose book was not proven to be the same. It has one book that needs no
   proof, its snapshot, so it is followed from its beginning, and what was taken since then is dropped: no
   time is lost but that between two rows, which is an interruption;
3. with the same connection, behind messages that are missing;
4. with the next connection that any tape has: an interruption, in which no recorder had a book.

Among several, the one that lasts longest. Each step ends later than the one before, so the plan ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.engine import Engine
from orderbook.times import NS
from replay.merging.connections import Row, SourceConnection
from replay.merging.seams import Seam, find_seam

_WORTH_NS: Final = NS
"""A connection that cannot be proven must last longer by this: it costs an interruption."""


_Usable = tuple[SourceConnection, Row]
"""A connection, and the row of its first book."""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive rows of a connection.

    Attributes:
        connection: the connection.
        start: the first row, on the clock of the merge.
        end: the row after the last, with the time of the last.
    """

    connection: SourceConnection
    start: Row
    end: Row


@dataclass(frozen=True, slots=True)
class MergedConnection:
    """A connection of the merged tape: spans that continue one another's book.

    Attributes:
        spans: in order, the first of which begins with its `connected` row.
        dropped_for: name of the tape that goes on in its place, before its end; empty at its own end.
    """

    spans: tuple[Span, ...]
    dropped_for: str = ""


@dataclass(slots=True)
class _Path:
    """The plan so far."""

    done: list[MergedConnection] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    @property
    def last(self) -> Span:
        return self.spans[-1]

    def begin(self, connection: SourceConnection, book: Row) -> None:
        """Go on with a connection from its beginning."""
        self.close()
        self.spans = [Span(connection, connection.first, connection.limit(book.seq))]

    def join(self, place: int, seam: Seam, connection: SourceConnection) -> None:
        """Go on with a connection from a seam in one of the spans, in place of those after it."""
        self.spans[place:] = [replace(self.spans[place], end=Row(seam.end, seam.last_time))]
        self.spans.append(Span(connection, seam.start, connection.limit(seam.start.seq - 1)))

    def extend(self) -> None:
        """Go on with the same connection behind the end of its last span."""
        self.spans[-1] = replace(self.last, end=self.last.connection.limit(self.last.end.seq))

    def close(self, dropped_for: str = "") -> None:
        """End the current connection."""
        if self.spans:
            self.done.append(MergedConnection(tuple(self.spans), dropped_for))
        self.spans = []

    def cut(self, time: int, name: str) -> None:
        """Drop all rows after a time, for a tape that goes on from there."""
        self.close()
        while self.done:
            before = self.done.pop()
            spans = [span for span in before.spans if span.start.time <= time]
            spans = [*spans[:-1], *(_cut(span, time) for span in spans[-1:])]
            if spans and _has_book(spans):
                is_cut = tuple(spans) != before.spans
                self.done.append(MergedConnection(tuple(spans), name if is_cut else before.dropped_for))
                return


def plan(connections: Sequence[SourceConnection], engine: Engine) -> list[MergedConnection]:
    """Return what a product's merged tape is made of.

    Args:
        connections: of all tapes, on one clock, in an order that does not depend on that of the tapes.
        engine: runs the books near the seams.
    """
    usable = [(each, each.book) for each in connections if each.book is not None]
    path, begun = _Path(), set[int]()
    later = usable
    while later:
        connection, book = min(later, key=lambda found: (found[1].time, -found[0].end.time))
        path.begin(connection, book)
        begun.add(id(connection))
        _follow(path, usable, engine)
        end = path.last.end.time
        later = [found for found in usable if found[1].time >= end and id(found[0]) not in begun]
    path.close()
    return path.done


def _follow(path: _Path, usable: Sequence[_Usable], engine: Engine) -> None:
    """Go on to where no recorder has a book."""
    while True:
        now, limit = path.last.connection, path.last.end
        up = [
            (each, book)
            for each, book in usable
            if each.source is not now.source and book.time < limit.time < each.end.time
        ]
        up.sort(key=lambda found: -found[0].end.time)
        behind: set[int] = set()
        if _join(path, [each for each, _ in up], engine, behind):
            continue
        lasting = [
            (each, book)
            for each, book in up
            if id(each) not in behind and each.limit(book.seq).time > limit.time + _WORTH_NS
        ]
        if lasting:
            connection, book = max(lasting, key=lambda found: found[0].limit(found[1].seq).time)
            path.cut(book.time, connection.source.name)
            path.begin(connection, book)
        elif limit.seq < now.end.seq:
            path.extend()
        else:
            return


def copied(connections: Sequence[SourceConnection]) -> list[MergedConnection]:
    """Return the plan that takes all rows of the only tape with a product."""
    return [MergedConnection((Span(each, each.first, each.end),)) for each in connections]


def _join(path: _Path, others: Sequence[SourceConnection], engine: Engine, behind: set[int]) -> bool:
    """Join the first connection that continues the path's book; collect those that end before it does."""
    for other in others:
        for place in reversed(range(len(path.spans))):
            span = path.spans[place]
            end = path.last.end if span is path.last else span.connection.limit(span.start.seq)
            found = find_seam(span.connection, end, other, engine)
            if found.is_behind and span is path.last:
                behind.add(id(other))
            seam = found.seam
            if seam is None or other.limit(seam.start.seq - 1).time <= path.last.end.time:
                break
            if seam.end > span.start.seq:
                path.join(place, seam, other)
                return True
            # It is before the span began: the span before may have the same moment.
    return False


def _cut(span: Span, time: int) -> Span:
    """Return a span up to a time."""
    last = span.start.time
    for rows in span.connection.source.rows(span.start.seq, span.end.seq):
        times = rows.column("recv_time").view(pa.int64()).to_numpy() + span.connection.shift
        number = int(np.searchsorted(times, time, side="right"))
        last = int(times[number - 1]) if number else last
        if number < rows.num_rows:
            return replace(span, end=Row(rows.column("seq")[0].as_py() + number, last))
    return span


def _has_book(spans: Sequence[Span]) -> bool:
    book = spans[0].connection.book
    return book is not None and spans[0].end.seq > book.seq
