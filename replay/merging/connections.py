"""The connections of a product on one of the tapes: where they begin, have a book, and can be trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.connection_marks import Connected, Disconnected
from orderbook.engine import Engine, Step
from orderbook.facts import last_lag
from orderbook.times import NS
from orderbook.trades import subscribes_to_trades
from orderbook.venues.base import Venue
from orderbook.venues.registry import venue
from recorder.tape.connections import Connection
from recorder.tape.format.segment import naming_damage
from recorder.tape.overview import overview
from recorder.tape.product_tape import ProductTape

_LIGHT: Final = ["recv_time", "connection", "kind"]
_PROBE_ROWS: Final = 256
_BREAKS: Final = pa.array(["gap", "malformed"])
"""Anomalies after which the book of a connection may differ from the venue's."""


class Row(NamedTuple):
    """A row: its seq, and its recv_time on the common clock of the merge."""

    seq: int
    time: int


@dataclass(frozen=True)
class Source:
    """A product on one of the tapes.

    Attributes:
        name: name of the tape.
        tape: the product's rows.
    """

    name: str
    tape: ProductTape

    def rows(self, first_seq: int, end_seq: int, size: int = 8192) -> Iterator[pa.RecordBatch]:
        """Yield the rows from a seq to before another one."""
        if first_seq >= end_seq:
            return
        for batch in self.tape.batches(size, first_seq):
            left = end_seq - batch.column("seq")[0].as_py()
            yield batch if left >= batch.num_rows else batch.slice(0, left)
            if left <= batch.num_rows:
                return

    @cached_property
    def venue(self) -> Venue:
        """The venue of its frames."""
        return venue(self.tape.feed)


@dataclass(frozen=True, kw_only=True)
class SourceConnection:
    """A connection of a source; times are on the common clock.

    Attributes:
        source: where it is.
        facts: what its tape says of it.
        first: its first row.
        end: the row after its last frame: `disconnected`, or what follows if there is none.
        stop_seq: seq of a second `disconnected` row, which tells when the recording was stopped.
        book: the row of its first summary; None if it never had a book.
        breaks: rows of frames that show that messages are missing, or that cannot be read.
        gaps: number of `breaks` that are gaps in the sequence numbers.
        clock: recv_time less the time of the frames, at least, in nanoseconds; None if it is not known.
        shift: nanoseconds that are added to its recv_time.
    """

    source: Source
    facts: Connection
    first: Row
    end: Row
    stop_seq: int | None
    book: Row | None
    breaks: tuple[Row, ...] = ()
    gap_seqs: frozenset[int] = frozenset()
    clock: int | None = None
    shift: int = 0

    @property
    def opened(self) -> Connected:
        """How it began."""
        return self.facts.opened

    @property
    def closed(self) -> Disconnected | None:
        """How it ended; None if no row tells."""
        return self.facts.closed

    @property
    def subscribes(self) -> bool | None:
        """Whether it subscribed to trades; None if that is not known."""
        messages = self.opened.subscribe
        return subscribes_to_trades(self.source.venue, messages) if messages else None

    def limit(self, seq: int) -> Row:
        """Return the first row after a seq up to which its frames can be trusted: a break, or its end."""
        return next((row for row in self.breaks if row.seq > seq), self.end)

    def shifted(self, nanoseconds: int) -> "SourceConnection":
        """Return it with all times shifted."""

        def moved(row: Row) -> Row:
            return Row(row.seq, row.time + nanoseconds)

        return replace(
            self,
            first=moved(self.first),
            end=moved(self.end),
            book=None if self.book is None else moved(self.book),
            breaks=tuple(map(moved, self.breaks)),
            shift=self.shift + nanoseconds,
        )


def connections_of(source: Source, engine: Engine) -> list[SourceConnection]:
    """Return the connections of a source, in order.

    Reads three light columns of all rows, and the frames of each connection up to its first book; all frames
    of those whose faults are known by number alone, or not at all.
    """
    known = {each.number: each for each in overview(source.tape).connections}
    marks, rows = _marks(source)
    found = []
    for place, mark in enumerate(marks):
        if mark.kind != "connected" or mark.connection not in known:
            continue
        same = [each for each in marks[place + 1 : place + 3] if each.connection == mark.connection]
        after = marks[place + 1].row if place + 1 < len(marks) else rows
        last_time = marks[place + 1].time_before if place + 1 < len(marks) else rows.time
        facts = known[mark.connection]
        probe = _Probe(source, mark.row.seq, after.seq, engine)
        probe.run(whole=not facts.is_counted or bool({"gap", "malformed"} & set(facts.faults)))
        found.append(
            SourceConnection(
                source=source,
                facts=facts,
                first=mark.row,
                end=Row(after.seq, last_time),
                stop_seq=same[1].row.seq if len(same) > 1 else None,
                book=probe.book,
                breaks=tuple(probe.breaks),
                gap_seqs=frozenset(probe.gap_seqs),
                clock=facts.lag[0] if facts.lag else probe.lag,
            )
        )
    return found


class _Mark(NamedTuple):
    """A `connected` or `disconnected` row, and recv_time of the row before it."""

    row: Row
    connection: int
    kind: str
    time_before: int


def _marks(source: Source) -> tuple[list[_Mark], Row]:
    """Return the rows that are no frames, in order, and what follows the last row."""
    marks: list[_Mark] = []
    seq = time = 0
    for batch in _light_batches(source.tape):
        times = batch.column("recv_time").view(pa.int64()).to_numpy()
        is_mark = pc.not_equal(batch.column("kind"), "frame").to_numpy(zero_copy_only=False)
        for place in np.flatnonzero(is_mark).tolist():
            connection, kind = (batch.column(name)[place].as_py() for name in ("connection", "kind"))
            before = int(times[place - 1]) if place else time
            marks.append(_Mark(Row(seq + place, int(times[place])), connection, kind, before))
        seq, time = seq + batch.num_rows, int(times[-1])
    return marks, Row(seq, time)


def _light_batches(tape: ProductTape) -> Iterator[pa.RecordBatch]:
    next_seq = 0
    for segment in tape.sealed():
        seq = segment.entry.first_seq
        with naming_damage(segment.path):
            for batch in segment.file.iter_batches(columns=_LIGHT, use_threads=False):
                skip = min(max(0, segment.start - seq), batch.num_rows)  # read before it was compacted
                seq += batch.num_rows
                if skip < batch.num_rows:
                    yield batch.slice(skip)
        next_seq = segment.entry.next_seq
    for batch in tape.batches(first_seq=next_seq):
        yield batch.select(_LIGHT)


class _Probe:
    """Runs the first rows of a connection, or all, and notes what a merge has to know of them."""

    def __init__(self, source: Source, first_seq: int, end_seq: int, engine: Engine) -> None:
        self._source = source
        self._span = first_seq, end_seq
        self._engine = engine
        self.book: Row | None = None
        self.breaks: list[Row] = []
        self.gap_seqs: list[int] = []
        self.lag: int | None = None

    def run(self, *, whole: bool) -> None:
        tape = self._source.tape
        state = self._engine.start(tape.product, tape.feed)
        for rows in self._source.rows(*self._span, size=8192 if whole else _PROBE_ROWS):
            state, step = self._engine.step(state, rows)
            self._note(step)
            if self.book is not None and not whole:
                return

    def _note(self, step: Step) -> None:
        summaries, anomalies = step.summaries, step.anomalies
        if self.book is None and summaries.num_rows:
            self.book = Row(summaries.column("seq")[0].as_py(), summaries.column("recv_time")[0].value)
        lag = last_lag(summaries)
        if lag is not None:
            self.lag = lag if self.lag is None else min(self.lag, lag)
        if anomalies.num_rows:
            found = anomalies.filter(pc.is_in(anomalies.column("kind"), _BREAKS))
            for place in range(found.num_rows):
                seq, time = found.column("seq")[place].as_py(), found.column("recv_time")[place].value
                self.breaks.append(Row(seq, time))
                if found.column("kind")[place].as_py() == "gap":
                    self.gap_seqs.append(seq)


_SKEW_NS: Final = NS
"""Clocks that differ by less are left as they are: networks and machines that keep time differ so."""

_BACKLOG_NS: Final = 5 * NS
"""A connection whose least lag is higher by less than this may have seen nothing but its backlog."""


def on_one_clock(connections: Sequence[SourceConnection]) -> list[SourceConnection]:
    """Return connections with the times of one clock.

    The clock of the recorder whose frames are the closest to their own time is taken for right. Those that
    differ from it by more than `_SKEW_NS` are shifted onto it.
    """
    least: dict[int, int] = {}  # of each source
    for each in connections:
        if each.clock is not None:
            least[id(each.source)] = min(each.clock, least.get(id(each.source), each.clock))
    right = min(least.values(), key=abs, default=0)

    def on_clock(connection: SourceConnection) -> SourceConnection:
        clock = connection.clock
        if clock is None:
            return connection
        usual = least[id(connection.source)]
        clock = usual if clock - usual < _BACKLOG_NS else clock  # else its recorder's clock was set
        is_wrong = abs(clock - right) > _SKEW_NS
        return replace(connection, clock=clock).shifted(right - clock if is_wrong else 0)

    return list(map(on_clock, connections))
