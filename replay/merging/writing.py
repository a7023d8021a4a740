"""The rows of a merged product: those of the plan, numbered anew, on one clock, with new marks.

Time never goes back. A row of another recorder that would come before the row before it, by the milliseconds
by which two machines receive the same frame, gets the time of that row, and is counted as in an import.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.connection_marks import Disconnected, Origin, encode_mark
from orderbook.schema import TIME
from orderbook.times import NS, format_time
from recorder.tape.row_batches import to_batch
from replay.merging.connections import SourceConnection
from replay.merging.planning import MergedConnection, Span

_NO_WORD = Disconnected(None, "the recorder ended without a word")


class MergedRows:
    """The rows of a product.

    Attributes:
        clamped: number of rows that got the time of the row before.
        origins: of each connection so far, where its rows are from.
    """

    def __init__(self, plan: Sequence[MergedConnection]) -> None:
        self._plan = plan
        self._seq = 0
        self._time = 0
        self._clamped, self._most = 0, 0
        self.clamped = 0
        self.origins: list[list[Origin]] = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, in batches of `TAPE_SCHEMA`."""
        for number, merged in enumerate(self._plan):
            after = self._plan[number + 1] if number + 1 < len(self._plan) else None
            yield from self._connection(number, merged, after)

    def _connection(
        self, number: int, merged: MergedConnection, after: MergedConnection | None
    ) -> Iterator[pa.RecordBatch]:
        self._clamped = self._most = 0
        first, last = merged.spans[0], merged.spans[-1].connection
        is_at_end = not merged.dropped_for and merged.spans[-1].end.seq == last.end.seq
        stop = _stop(last, after) if is_at_end else None
        own_ends = (is_at_end and last.closed is not None) + (stop is not None)
        self.origins.append(self._origins(merged.spans, own_ends))
        opened = msgspec.structs.replace(first.connection.opened, origins=self.origins[-1])
        yield self._mark(number, first.start.time, "connected", encode_mark(opened))
        for span in merged.spans:
            yield from self._frames(number, span)
        closed = _closed(merged, self._clamped, self._most)
        ended = last.facts.last_time + last.shift if is_at_end and last.closed else self._time
        yield self._mark(number, ended, "disconnected", encode_mark(closed))
        self.clamped += self._clamped
        if stop is not None:
            yield self._mark(number, stop.time, "disconnected", stop.payload)

    def _origins(self, spans: Sequence[Span], own_ends: int) -> list[Origin]:
        """Return where the rows are from; the last recorder also gave so many rows that tell of the end."""
        origins, seq, time = [], self._seq, self._time
        for span in spans:
            rows = span.end.seq - span.start.seq + own_ends * (span is spans[-1])
            start, time = max(time, span.start.time), max(time, span.end.time, span.start.time)
            connection = span.connection
            origins.append(
                Origin(
                    connection.source.name,
                    connection.facts.number,
                    connection.opened.id,
                    seq,
                    rows,
                    format_time(start),
                    format_time(time),
                    connection.shift / NS,
                )
            )
            seq += rows
        return origins

    def _mark(self, number: int, time: int, kind: str, payload: str) -> pa.RecordBatch:
        self._time = max(self._time, time)
        self._seq += 1
        return to_batch([self._seq - 1], [self._time], [number], [kind], pa.array([payload]))

    def _frames(self, number: int, span: Span) -> Iterator[pa.RecordBatch]:
        connection = span.connection
        is_begun = span.start.seq != connection.first.seq
        first = span.start.seq if is_begun else span.start.seq + 1
        book = connection.book
        # Rows before the first book may have waited for the end of another connection.
        counted_from = first if is_begun or book is None else book.seq
        for rows in connection.source.rows(first, span.end.seq):
            received = rows.column("recv_time").view(pa.int64()).to_numpy() + connection.shift
            times = np.maximum(received, self._time)
            self._count(rows.column("seq").to_numpy() >= counted_from, times - received)
            self._time = int(times[-1])
            seqs = np.arange(self._seq, self._seq + rows.num_rows)
            self._seq += rows.num_rows
            columns = [
                pa.array(seqs),
                pa.array(times).view(TIME),
                pa.array(np.full(rows.num_rows, number, np.int32)),
                rows.column("kind"),
                rows.column("payload"),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=rows.schema)

    def _count(self, is_counted: npt.NDArray[np.bool_], raised: npt.NDArray[np.int64]) -> None:
        """Count the rows whose time was raised."""
        raised = raised[is_counted]
        self._clamped += int(np.count_nonzero(raised))
        self._most = max(self._most, int(raised.max(initial=0)))


class _Stop(NamedTuple):
    """The row that tells of the stop of a recording."""

    time: int
    payload: str


def _stop(last: SourceConnection, after: MergedConnection | None) -> _Stop | None:
    """Return the stop of the recording of a connection, unless another tape went on before."""
    if last.stop_seq is None:
        return None
    (row,) = last.source.rows(last.stop_seq, last.stop_seq + 1)
    time = row.column("recv_time")[0].value + last.shift
    if after is not None and after.spans[0].start.time < time:
        return None
    return _Stop(time, row.column("payload")[0].as_py())


def _closed(merged: MergedConnection, clamped: int, most: int) -> Disconnected:
    """Return how a merged connection ended, and what is known of the connections that it is from."""
    origins = [span.connection for span in merged.spans]
    marks = [each.closed or _NO_WORD for each in origins]
    closed = marks[-1]
    if merged.dropped_for:
        reason = f"merged: {merged.dropped_for} goes on from here, its book was not proven to be the same"
        closed = Disconnected(None, reason)
    elif merged.spans[-1].end.seq != origins[-1].end.seq:
        closed = Disconnected(None, "merged: messages are missing from here on")
    rows = clamped + sum(mark.clamped or 0 for mark in marks)
    seconds = max(most / NS, *(mark.clamped_s or 0.0 for mark in marks))
    oddities: Counter[str] = Counter()
    for mark in marks:
        oddities.update(mark.oddities or {})
    return msgspec.structs.replace(
        closed,
        gaps=_gaps(merged),
        clamped=rows or UNSET,
        clamped_s=seconds if rows else UNSET,
        oddities=dict(oddities) or UNSET,
    )


def _gaps(merged: MergedConnection) -> int | UnsetType:
    """Return the number of gaps in the sequence numbers of a merged connection, if its rows cannot tell."""
    connections = [span.connection for span in merged.spans]
    if not connections[0].source.venue.is_numbered:
        return UNSET
    if any(each.opened.is_shared for each in connections):
        gaps = [each.closed.gaps if each.closed else UNSET for each in connections]
        return UNSET if UNSET in gaps else sum(each or 0 for each in gaps)
    if len(connections) == 1:
        return UNSET  # the rows tell
    if not all(each.facts.is_numbered or not each.facts.is_counted for each in connections):
        return UNSET
    return sum(
        span.start.seq < seq < span.end.seq for span in merged.spans for seq in span.connection.gap_seqs
    )
