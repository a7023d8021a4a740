"""`verify`: whether a tape is what was written, and whether its replay is what was seen live."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from orderbook.digest import Digest
from orderbook.engine import Engine
from orderbook.row_checks import RowChecks
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from orderbook.times import format_time
from recorder.engines import ready_engine
from recorder.options import EngineName
from recorder.tape.catalog import Faults, Part, SegmentEntry, merge_faults, unlisted_segments
from recorder.tape.errors import DamagedTapeError
from recorder.tape.index import parts_of, read_book
from recorder.tape.journal import damaged_copies
from recorder.tape.layout import CATALOG, book_file
from recorder.tape.overview import overview
from recorder.tape.reader import ProductTape, SealedSegment, Tape, cut_at
from replay.audit import AuditedBook
from replay.divergence import first_divergence
from replay.sequences import SharedSequences
from replay.verdicts import judge
from replay.verification import Verification

FEED_FAULTS = ("malformed", "early_update", "crossed", "gap")
"""Anomalies that are the feed's doing and make a tape fail under --strict."""


def verify(path: Path, engine: Engine | EngineName = "auto") -> Verification:
    """Check a whole tape: files, numbering, order of time, sequence numbers, and live = replay.

    Raises:
        NotATapeError, NewerTapeError: where the path is no tape of ours.
    """
    running = ready_engine(engine)
    found = Verification(Tape.open(path), running.name)
    sequences = SharedSequences()
    checks = {}
    for product in found.tape.select(()):
        check = _ProductCheck(found, found.tape.product(product), running, sequences)
        try:
            check.run()
        except DamagedTapeError as error:
            if str(error) not in found.damage:
                found.damage.append(str(error))
        else:
            checks[product] = check
        found.tallies[product] = check.tally
        found.audits[product] = check.book.audits
        for kind in FEED_FAULTS:
            if check.tally.anomalies[kind]:
                found.feed_faults.append(f"{product}: {check.tally.anomalies[kind]:,} {kind}")
    missing = sequences.missing()
    for product, check in checks.items():  # of a damaged product nothing is known to the end
        marks = overview(found.tape.product(product)).marks
        found.verdicts[product] = judge(found.tape.feed, marks, check.faults, check.numbered, missing)
    found.feed_faults += [
        f"connection {connection}: {number:,} sequence numbers are missing"
        for connection, number in missing.items()
        if number
    ]
    return found


class _ProductCheck:
    """One product, row by row; after damage its book is unknown, so its digests are not judged further."""

    def __init__(
        self, found: Verification, tape: ProductTape, engine: Engine, sequences: SharedSequences
    ) -> None:
        self._found = found
        self._tape = tape
        self._sequences = sequences
        self._next_seq = 0
        self._last = (0, 0)  # connection and recv_time of the last row
        self.book = AuditedBook(engine, tape.product, found.tape.feed)
        self._checks = RowChecks()
        self.tally = Tally(DEFAULT_THRESHOLD, Digest(checks=self._checks))
        self.faults: Faults = {}
        self.numbered: set[int] = set()

    def run(self) -> None:
        """Check all rows, sealed or not.

        Raises:
            DamagedTapeError: where what follows cannot be judged any more.
        """
        for entry in self._tape.segments():
            self._check_file(entry)
        sealed = 0
        for segment in self._tape.sealed():
            self._check_entry(segment, self._take_up_segment(segment))
            sealed = segment.entry.next_seq
        for path in unlisted_segments(self._tape.directory):
            self._found.damage.append(f"{path}: a segment that {CATALOG} does not list")
        for rows in self._tape.batches(first_seq=sealed):
            self._take_up(rows, self._tape.journals)
        self._found.kept += damaged_copies(self._tape.journals)
        for journal in self._tape.open_journals():
            with journal:
                extent = journal.extent()
            if extent.is_damaged:
                self._found.damage.append(f"{journal.path}: a bad record after row {extent.last_seq}")
            else:
                self._found.torn_bytes += extent.torn
        self._take_faults()

    def _check_file(self, entry: SegmentEntry) -> None:
        """Hold a file against its checksum; all of them, before the rows of any are judged."""
        try:
            segment = self._tape.open_segment(entry)
            segment.file.close()
            with segment.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except DamagedTapeError as error:
            self._found.damage.append(str(error))
        except OSError as error:
            self._found.damage.append(f"{self._tape.directory / entry.file}: {error.strerror}")
        else:
            if digest != entry.sha256:
                self._found.damage.append(f"{segment.path}: the SHA-256 is not the one that was sealed")

    def _take_up_segment(self, segment: SealedSegment) -> list[Part]:
        """Take up a segment's rows and check the book before each part; return the parts that they show."""
        starts = {part.first_seq for part in parts_of([segment.entry])}
        parts: list[Part] = []
        for rows in cut_at(segment.batches(), starts):
            (connection, time), (last_connection, _) = _ends(rows)
            seq = rows.column("seq")[0].as_py()
            if seq in starts or not parts:
                before = self.tally.digest.hexdigest()
                parts.append(Part(seq, format_time(time), (connection, connection), before))
            if seq in starts:
                self._check_sidecar(parts[-1])
            self._take_up(rows, segment.path)
            parts[-1] = replace(parts[-1], connections=(parts[-1].connections[0], last_connection))
        return parts

    def _check_sidecar(self, part: Part) -> None:
        """Hold the sidecar of a part against the book as it stands before it."""
        held = read_book(self._tape.directory, part)
        if held is None:
            self._found.unindexed += 1
        elif held == self.book.save():
            self._found.sidecars += 1
        else:
            path = book_file(self._tape.directory, part.first_seq)
            self._found.damage.append(
                f"{path}: not the book before row {part.first_seq}; mend it by `booktape index --rebuild`"
            )

    def _check_entry(self, segment: SealedSegment, parts: Sequence[Part]) -> None:
        """Hold what the catalog says of a segment against its rows, and the parts that these show."""
        path, entry, digest = segment.path, segment.entry, self.tally.digest
        if digest.hexdigest() != entry.digest:
            differs = first_divergence(self._tape, entry, digest, self._checks)
            self._found.divergences.append(differs)
            raise DamagedTapeError(
                f"{path}: replay differs from live {differs}; the digest is {digest.hexdigest()} after row "
                f"{entry.next_seq - 1}, {entry.digest} when it was recorded"
            )
        self._found.checked_digests += 1
        if segment.start > entry.first_seq:
            return  # merged by a compaction while we were half through it: the rest was judged before
        self._checks.take(entry.first_seq, entry.rows)  # they are equal: forget them
        faults, numbered = self._take_faults()
        facts = replace(
            entry,
            first_recv_time=parts[0].first_recv_time,
            last_recv_time=format_time(self._last[1]),
            connections=(parts[0].connections[0], self._last[0]),
            chain=digest.chain.hex(),
            chain_seq=digest.chain_seq,
            faults=faults,
            numbered=tuple(numbered),
            parts=tuple(parts) if entry.parts else (),
        )
        if facts != entry:
            names = (each.name for each in fields(entry))
            wrong = ", ".join(name for name in names if getattr(facts, name) != getattr(entry, name))
            self._found.damage.append(f"{path}: {CATALOG} says another {wrong} than the rows")

    def _take_faults(self) -> tuple[Faults, list[int]]:
        """Move faults and numbered connections since the last segment to those of the tape; return them."""
        faults, numbered = self.tally.take_faults()
        self.faults = merge_faults((self.faults, faults))
        self.numbered.update(numbered)
        return faults, numbered

    def _take_up(self, rows: pa.RecordBatch, path: Path) -> None:
        seq = rows.column("seq").to_numpy()
        times = rows.column("recv_time").view(pa.int64()).to_numpy()
        connections = rows.column("connection").to_numpy()
        before = self._last if self._next_seq else _ends(rows)[0]
        back = np.flatnonzero(np.diff(times, prepend=before[1]) < 0)
        if back.size:
            self._found.damage.append(f"{path}: recv_time goes back at row {int(seq[back[0]])}")
        jumps = np.flatnonzero(~np.isin(np.diff(connections, prepend=before[0]), (0, 1)))
        if jumps.size:
            row = int(seq[jumps[0]])
            self._found.damage.append(f"{path}: connections do not count up by one at row {row}")
        self._next_seq = int(seq[-1]) + 1
        self._last = _ends(rows)[1]
        for step in self.book.steps(rows):
            self.tally.add(step)
        if self._found.tape.feed == "advanced":
            self._sequences.take_up(self._tape.product, rows)


def _ends(rows: pa.RecordBatch) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return connection and recv_time of the first and of the last row."""
    connection, time = rows.column("connection"), rows.column("recv_time").view(pa.int64())
    return (connection[0].as_py(), time[0].as_py()), (connection[-1].as_py(), time[-1].as_py())
