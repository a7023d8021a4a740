"""The check of a product by replay: the order of its rows, digests, sidecars and the list of segments."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from orderbook.digest import Digest, RowChecks
from orderbook.digest_marks import DigestState
from orderbook.engine import Engine
from orderbook.facts import Facts, no_facts
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.times import format_time, parse_time
from orderbook.trades import TradeReader, TradeTally
from orderbook.venues.registry import venue
from recorder.tape.connections import Connection, ConnectionCollector
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.book_spacing import BookSpacing
from recorder.tape.format.layout import book_file
from recorder.tape.format.segment import SealedSegment
from recorder.tape.format.segment_entry import Part, SegmentEntry, listed_facts, parts_of
from recorder.tape.format.sidecars import Start, stored_book
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import split_at
from recorder.tape.store import files as store
from replay.checking.divergence import first_divergence
from replay.checking.reconnects import AuditedBook
from replay.checking.verdicts import SharedSequences
from replay.checking.verification import Findings


class ReplayCheck:
    """Replays the rows of a product and compares them with what was recorded.

    Args:
        tape: rows of the product.
        engine: runs the book.
        found: collects what is wrong.
        sequences: collects the sequence numbers of shared connections; None if the venue has none.

    Attributes:
        book: the book, with an audit of each interruption.
        tally: counts and digest of the rows so far.
    """

    def __init__(
        self,
        tape: ProductTape,
        engine: Engine,
        found: Findings,
        sequences: SharedSequences | None,
    ) -> None:
        self._tape = tape
        self._found = found
        self._sequences = sequences
        self._begin = 0
        self._books = BookSpacing()
        self._last: tuple[int, int] | None = None  # connection and recv_time of the last row
        self.book = AuditedBook(engine, tape.product, tape.feed)
        self._checks = RowChecks()
        self.tally = Tally(DEFAULT_THRESHOLD, Digest(checks=self._checks), trades=TradeTally())
        self._trades = TradeReader(tape.product, venue(tape.feed))
        self._collector = ConnectionCollector()
        self._facts = no_facts()

    def begin(self, start: Start, before: SegmentEntry | None) -> None:
        """Begin in the middle: with the book at a start, and the digest after a segment.

        Args:
            start: at or before the row from which that digest continues.
            before: the segment before the first one to check; None begins with the tape.

        Raises:
            DamagedTapeError: if a file is damaged, or the digest does not continue.
        """
        self.book.load(start.saved)
        if before is None:
            return
        self.tally.digest = Digest(bytes.fromhex(before.chain), self._checks)
        self._begin = before.next_seq
        for segment in self._tape.sealed(start.seq, before.next_seq):
            for rows in split_at(segment.batches(), {before.chain_seq}):
                steps = list(self.book.steps(rows))
                if rows.column("seq")[0].as_py() >= before.chain_seq:
                    for step in steps:
                        self.tally.add(step)
                _, self._last = ends_of(rows)
        self.tally.take_facts()
        if self.tally.digest.hexdigest() != before.digest:
            raise DamagedTapeError(
                f"{self._tape.directory}: the digest of the rows before row "
                f"{before.next_seq} is not the listed one",
                self._tape.directory,
            )

    def pass_over(self, parts: Iterable[Part]) -> None:
        """Note the books of the parts before where it began, and the connection that goes on there."""
        for part in parts:
            time = parse_time(part.first_recv_time) or 0
            self._books.needs_book(part.first_seq, time, has_book=part.book_sha256 != "")
        if self._last is not None:
            self._collector.begin_inside(*self._last)

    def check_sealed(self, end: int | None = None) -> int:
        """Check all sealed rows, from where it began; return the seq after them.

        Args:
            end: seq after the last segment to check; None for all.

        Raises:
            DamagedTapeError: if a file is damaged or a digest differs: the book is not known any more.
        """
        next_seq = self._begin
        for segment in self._tape.sealed(next_seq, end):
            self._check_entry(segment, self._check_rows_of(segment))
            next_seq = segment.entry.next_seq
        return next_seq

    def check_unsealed(self, first_seq: int) -> None:
        """Check the rows from a seq on.

        Raises:
            DamagedTapeError: if they cannot be read.
        """
        for rows in self._tape.batches(first_seq=first_seq):
            self._check_rows(rows, self._tape.journals)
        self._take_facts()

    def connections(self) -> tuple[Connection, ...]:
        """Return the facts of all connections of the checked rows."""
        return self._collector.connections(self._facts)

    def _check_rows_of(self, segment: SealedSegment) -> list[Part]:
        """Check the rows of a segment, and the sidecar before each part; return the parts as found."""
        starts = {part.first_seq: part for part in parts_of([segment.entry])}
        parts: list[Part] = []
        for rows in split_at(segment.batches(), starts):
            (connection, time), (last_connection, _) = ends_of(rows)
            seq = rows.column("seq")[0].as_py()
            if seq in starts or not parts:
                before = self.tally.digest.hexdigest()
                parts.append(Part(seq, format_time(time), (connection, connection), before))
            if seq in starts:
                parts[-1] = self._check_sidecar(parts[-1], is_listed=starts[seq].book_sha256 != "", time=time)
            self._check_rows(rows, segment.path)
            parts[-1] = replace(parts[-1], connections=(parts[-1].connections[0], last_connection))
        return parts

    def _check_sidecar(self, part: Part, *, is_listed: bool, time: int) -> Part:
        """Compare the sidecar of a part with the book before it; return the part with its checksum."""
        stored = stored_book(self._tape.directory, part)
        needs_book = self._books.needs_book(part.first_seq, time, has_book=is_listed or stored is not None)
        if not needs_book:
            return part
        saved = self.book.save()
        if stored is None:
            self._found.unindexed += 1
        elif stored == saved:
            self._found.sidecars += 1
        else:
            path = book_file(self._tape.directory, part.first_seq)
            self._found.damage.append(
                f"{path}: not the book before row {part.first_seq}; repair it with `booktape index --rebuild`"
            )
        return replace(part, book_sha256=store.sha256_of(saved)) if is_listed else part

    def _check_entry(self, segment: SealedSegment, parts: Sequence[Part]) -> None:
        """Compare the entry of a segment in the list of segments with its replayed rows and parts."""
        path, entry, digest = segment.path, segment.entry, self.tally.digest
        if digest.hexdigest() != entry.digest:
            divergence = first_divergence(self._tape, entry, digest, self._checks)
            self._found.divergences.append(divergence)
            raise DamagedTapeError(
                f"{path}: replay differs from live {divergence}; the digest is {digest.hexdigest()} "
                f"after row {entry.next_seq - 1}, {entry.digest} when it was recorded",
                path,
            )
        self._found.checked_digests += 1
        if segment.start > entry.first_seq:
            return  # a compaction merged it while we read: its first rows were checked in another file
        self._checks.take(entry.first_seq, entry.rows)  # equal, so they are not needed any more
        state = DigestState(entry.digest, digest.chain.hex(), digest.chain_seq)
        replayed = entry_of(entry, parts, self._last or (0, 0), self._take_facts(), state)
        if replayed != entry:
            names = (each.name for each in fields(entry))
            wrong = ", ".join(name for name in names if getattr(replayed, name) != getattr(entry, name))
            self._found.damage.append(f"{path}: the list of segments and the rows differ in: {wrong}")

    def _take_facts(self) -> Facts:
        """Return the facts since the last call, and add them to the tape's."""
        facts = self.tally.take_facts()
        self._facts.add(facts)
        return facts

    def _check_rows(self, rows: pa.RecordBatch, path: Path) -> None:
        """Check the order of rows, and replay them."""
        seq = rows.column("seq").to_numpy()
        times = rows.column("recv_time").view(pa.int64()).to_numpy()
        connections = rows.column("connection").to_numpy()
        first, last = ends_of(rows)
        connection_before, time_before = self._last or first
        back = np.flatnonzero(np.diff(times, prepend=time_before) < 0)
        if back.size:
            self._found.damage.append(f"{path}: recv_time goes back at row {int(seq[back[0]])}")
        jumps = np.flatnonzero(~np.isin(np.diff(connections, prepend=connection_before), (0, 1)))
        if jumps.size:
            row = int(seq[jumps[0]])
            self._found.damage.append(f"{path}: connections do not count up by one at row {row}")
        self._last = last
        self._collector.add(rows)
        for step in self.book.steps(rows):
            self.tally.add(step)
        self._check_trades(rows)
        if self._sequences is not None:
            self._sequences.add(self._tape.product, rows)

    def _check_trades(self, rows: pa.RecordBatch) -> None:
        """Count the trades of rows; late ones need the book."""
        assert self.tally.trades is not None  # noqa: S101  made above
        self.tally.trades.add(self._trades.of_rows(rows))


def entry_of(
    listed: SegmentEntry, parts: Sequence[Part], last: tuple[int, int], facts: Facts, state: DigestState
) -> SegmentEntry:
    """Return the entry of a segment as its rows have it.

    Args:
        listed: as the list has it.
        parts: its parts as its rows have them.
        last: connection and recv_time of its last row.
        facts: of its rows.
        state: the digest after its last row.
    """
    return replace(
        listed,
        first_recv_time=parts[0].first_recv_time,
        last_recv_time=format_time(last[1]),
        connections=(parts[0].connections[0], last[0]),
        digest=state.digest,
        chain=state.chain,
        chain_seq=state.chain_seq,
        **listed_facts(facts, is_complete=listed.lags is not None),
        book_sha256=parts[0].book_sha256,
        parts=tuple(parts) if listed.parts else (),
    )


def ends_of(rows: pa.RecordBatch) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return connection and recv_time of the first and of the last row."""
    connection, time = rows.column("connection"), rows.column("recv_time").view(pa.int64())
    return (connection[0].as_py(), time[0].as_py()), (connection[-1].as_py(), time[-1].as_py())
