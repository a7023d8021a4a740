"""Writing one product's rows: to the journal at once, sealed into segments later.

`append` is called before anything looks at the rows; it also decides where a segment ends, and
splits batches there. `seal` is called once the rows have been through the core, with the tally.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.tally import Tally
from orderbook.times import format_time
from recorder.memory import return_freed_memory
from recorder.tape.catalog import (
    SegmentEntry,
    append_entry,
    catalog_lock,
    read_catalog,
    sync_catalog,
    unlisted_segments,
)
from recorder.tape.compaction import finish_compaction
from recorder.tape.errors import DamagedTapeError
from recorder.tape.files import make_directory, sync_file
from recorder.tape.index import digest_before, write_book, write_checks
from recorder.tape.journal import JournalReader, journal_paths
from recorder.tape.journal_writer import JournalWriter, cut_torn_tail
from recorder.tape.layout import CATALOG, journal_dir, journal_file, product_dir, segment_file
from recorder.tape.policy import SealPolicy
from recorder.tape.position import Position
from recorder.tape.reader import own
from recorder.tape.segment import write_segment
from recorder.tape.unsealed import UnsealedSegment, scan_journal

_SEAL_ROWS: Final = 1024
"""Rows that a seal reads at a time: its peak is what a recorder that runs for months keeps."""


class ProductWriter:
    """The writer of one product's rows."""

    def __init__(self, tape: Path, product: str, policy: SealPolicy, now_ns: Callable[[], int]) -> None:
        self.product = product
        self._directory = product_dir(tape, product)
        self._journals = journal_dir(tape, product)
        self._policy = policy
        self._now_ns = now_ns
        self._closed: deque[UnsealedSegment] = deque()
        self._open: UnsealedSegment | None = None
        self._journal: JournalWriter | None = None
        make_directory(self._journals)
        self.cut_bytes = 0
        self.sealed_bytes = 0
        self.seal_seconds = 0.0
        self.position = self._recover()

    def _recover(self) -> Position:
        """Take up what an earlier process left: drop sealed journals, cut torn tails, list the rest.

        Raises:
            DamagedTapeError: where rows are missing between the files; then nothing was changed.
        """
        with catalog_lock(self._directory):
            finish_compaction(self._directory)
            entries = read_catalog(self._directory)
        lost = unlisted_segments(self._directory)
        if lost:
            raise DamagedTapeError(
                f"{lost[0]}: a segment that {CATALOG} does not list; nothing is recorded over it"
            )
        self._sealed_digest = digest_before(entries, len(entries))
        sealed = entries[-1].next_seq if entries else 0
        position = Position(sealed, *_last_of(entries))
        paths = journal_paths(self._journals)
        for path in paths:
            left = scan_journal(path)
            if left is None or left.first_seq < sealed:
                continue
            if left.first_seq != position.seq:
                raise DamagedTapeError(
                    f"{path}: begins with row {left.first_seq} where row {position.seq} belongs"
                )
            self._closed.append(left)
            position = Position(left.next_seq, left.connections[1] + 1, left.last_time)
        # A dead recorder's last line may not be durable yet, and its journal must not go before.
        sync_catalog(self._directory)
        waiting = {journal_file(left.first_seq) for left in self._closed}
        for path in paths:
            self.cut_bytes += cut_torn_tail(path)
            if path.name in waiting:
                sync_file(path)  # what comes after it must not be more durable than it is
            else:
                path.unlink()
        return position

    @property
    def journal_bytes(self) -> int:
        """What the open journal holds."""
        return 0 if self._journal is None else self._journal.size

    def append(self, rows: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Write rows to the journal; return them, split where a segment ends.

        An empty batch (a tick) ends a segment that is old enough, and is returned as it is.

        Raises:
            OSError: where the journal cannot take them. Parts before the one that failed stay in it; the
                next writer takes them through the core.
        """
        if not rows.num_rows:
            if self._open and self._now_ns() >= self._policy.time_limit(self._open.first_time):
                self._end_segment()
            return [rows]
        parts = []
        whole = rows
        while rows.num_rows:
            lengths = np.cumsum(pc.binary_length(rows.column("payload")).to_numpy())
            room = self._room(rows, lengths)
            if not room:
                self._end_segment()
                continue
            part = whole if room == whole.num_rows else own(rows.slice(0, room))
            self._write(part, int(lengths[room - 1]))
            parts.append(part)
            rows = rows.slice(room)
        return parts

    def _room(self, rows: pa.RecordBatch, lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
        """Return how many leading rows still belong to the open segment; all limits in one look."""
        times = rows.column("recv_time").view(pa.int64()).to_numpy()
        held = self._open or UnsealedSegment(0, int(times[0]))
        if held.payload_bytes >= self._policy.bytes:
            return 0
        room: int = min(
            rows.num_rows,
            self._policy.rows - held.rows,
            int(np.searchsorted(lengths, self._policy.bytes - held.payload_bytes)) + 1,
            int(np.searchsorted(times, self._policy.time_limit(held.first_time))),
        )
        return room

    def _write(self, rows: pa.RecordBatch, payload_bytes: int) -> None:
        first_seq = rows.column("seq")[0].as_py()
        if self._journal is None:
            self._journal = JournalWriter(self._journals / journal_file(first_seq))
        self._journal.append(rows)
        if self._open is None:
            self._open = UnsealedSegment(first_seq, rows.column("recv_time").view(pa.int64())[0].as_py())
        self._open.take_up(rows, payload_bytes)

    def _end_segment(self) -> None:
        ended = self._open
        self.close()
        if ended is not None:
            self._closed.append(ended)

    def sync(self) -> None:
        """Make what was appended durable: until then a power cut may take it, a dying process never.

        Raises:
            OSError: as the operating system says.
        """
        if self._journal is not None:
            self._journal.sync()

    def seal(self, tally: Tally, next_seq: int) -> None:
        """Seal the ended segments whose rows have all been through the core.

        Args:
            tally: of the product's rows before `next_seq`: its digest and its faults go with the segment.
            next_seq: number of the next row to go through the core. Call it before and after each batch:
                batches are split where a segment ends, so then at most one segment waits.
        """
        while self._closed and self._closed[0].next_seq <= next_seq:
            started = time.monotonic()
            self._seal(self._closed.popleft(), tally)
            return_freed_memory()
            self.seal_seconds += time.monotonic() - started

    def seal_all(self, tally: Tally, next_seq: int) -> None:
        """End the open segment, and seal it if all its rows have been through the core."""
        self._end_segment()
        self.seal(tally, next_seq)

    def unsealed_ends(self) -> list[int]:
        """Return the next_seq of each ended segment that waits for its seal."""
        return [segment.next_seq for segment in self._closed]

    def begins_segment(self, seq: int) -> bool:
        """Tell whether an unsealed segment begins with a row: the book before it is wanted."""
        return self._beginning_with(seq) is not None

    def hold_book(self, seq: int, saved: bytes) -> None:
        """Take the book before the segment that begins with a row; it is written when that is sealed."""
        segment = self._beginning_with(seq)
        if segment is not None:
            segment.book_before = saved

    def _beginning_with(self, seq: int) -> UnsealedSegment | None:
        unsealed = (*self._closed, self._open)
        return next((each for each in unsealed if each is not None and each.first_seq == seq), None)

    def _seal(self, segment: UnsealedSegment, tally: Tally) -> None:
        name = segment_file(segment.first_seq, segment.first_time)
        journal = self._journals / journal_file(segment.first_seq)
        with JournalReader(journal) as reader:
            batches = reader.batches(segment.first_seq, _SEAL_ROWS)
            written = write_segment(
                self._directory / name, self.product, segment.first_seq, segment.rows, batches
            )
        if segment.book_before is not None:
            write_book(self._directory, segment.first_seq, self._sealed_digest, segment.book_before)
        faults, numbered = tally.take_faults()
        entry = SegmentEntry(
            file=name,
            first_seq=segment.first_seq,
            rows=segment.rows,
            first_recv_time=format_time(segment.first_time),
            last_recv_time=format_time(segment.last_time),
            connections=segment.connections,
            bytes=written.bytes,
            sha256=written.sha256,
            digest=tally.digest.hexdigest(),
            chain=tally.digest.chain.hex(),
            chain_seq=tally.digest.chain_seq,
            faults=faults,
            numbered=tuple(numbered),
        )
        if tally.digest.checks is not None:
            checks = tally.digest.checks.take(entry.first_seq, entry.rows)
            write_checks(self._directory, entry, checks)
        with catalog_lock(self._directory):
            finish_compaction(self._directory)
            append_entry(self._directory, entry)
        journal.unlink()
        self._sealed_digest = entry.digest
        self.sealed_bytes += written.bytes

    def close(self) -> None:
        """Release the journal; what it holds stays for the next writer."""
        journal, self._open, self._journal = self._journal, None, None
        if journal is not None:
            journal.close()


def _last_of(entries: Sequence[SegmentEntry]) -> tuple[int, int]:
    """Return the next connection and the last recv_time after sealed segments."""
    if not entries:
        return 0, 0
    return entries[-1].connections[1] + 1, entries[-1].last_time
