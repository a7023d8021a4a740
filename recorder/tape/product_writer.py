"""Writing the rows of one product: to the journal at once, into sealed segments later.

`write` comes before anything else uses the rows; it decides where a segment ends, and splits rows there.
`seal` comes after the engine has processed them, with the tally of their digest and faults. One thread may
write, another sync and a third seal.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from orderbook.digest import Checks, Digest
from orderbook.tally import Tally
from orderbook.times import parse_time
from recorder.runtime.memory import return_freed_memory
from recorder.settings import SealPolicy
from recorder.tape.compaction import finish_compaction
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.book_spacing import BookSpacing
from recorder.tape.format.journal import (
    JournalPlace,
    JournalReader,
    cut_torn_tail,
    encode_rows,
    journal_paths,
)
from recorder.tape.format.layout import JOURNALS, journal_file, product_dir
from recorder.tape.format.manifest import Manifest
from recorder.tape.format.migration import migrate_list
from recorder.tape.format.segment_entry import Part, SegmentEntry
from recorder.tape.format.segment_list import segment_list_lock, sync_segment_list
from recorder.tape.listing import Listing
from recorder.tape.row_batches import Position, RowTuple, copy_rows, tuples_of
from recorder.tape.sealing import UnsealedSegment, entry_of, scan_journal, seal_segment
from recorder.tape.store import files as store

_SEAL_ROWS: Final = 1024
"""Rows read at a time to seal them; bounds the memory of a recorder that runs for months."""

_SEAL_BYTES: Final = 256 * 2**10
"""Bytes read at a time to seal them: while Arrow makes a batch of them, no other thread runs."""


class ProductWriter:
    """The writer of one product's rows."""

    def __init__(
        self,
        tape: Path,
        manifest: Manifest,
        product: str,
        policy: SealPolicy,
        now_ns: Callable[[], int],
    ) -> None:
        self.product = product
        self._directory = product_dir(tape, product)
        self._journals = self._directory / JOURNALS
        self._policy = policy
        self._now_ns = now_ns
        self._books = BookSpacing(policy.book_rows)
        self._ended: deque[UnsealedSegment] = deque()
        self._open: UnsealedSegment | None = None
        self._journal: store.AppendedFile | None = None
        self._lock = threading.Lock()  # held to change or look up `_ended` and `_open`
        self._syncing = threading.Lock()  # held while the journal is synced or closed
        store.make_directory(self._journals)
        self.cut_bytes = 0
        self.written_rows = 0
        self.sealed_bytes = 0
        self.seal_seconds = 0.0
        self.position = self._recover(manifest)

    def _recover(self, manifest: Manifest) -> Position:
        """Continue after an earlier process: remove sealed journals, cut torn tails, queue the rest to seal.

        Raises:
            DamagedTapeError: if rows are missing between the files; then nothing was changed.
        """
        with segment_list_lock(self._directory):
            finish_compaction(self._directory)
            if manifest.format > 1:
                migrate_list(self._directory)
        listing = Listing(self._directory, manifest.sealed_rows.get(self.product, 0))
        last, self._books.last = listing.last(), listing.nearest(_last_book)
        position = _after(last) if last else Position()
        self._sealed_digest = last.digest if last else Digest().hexdigest()
        sealed = position.seq
        paths = journal_paths(self._journals)
        for path in paths:
            found = scan_journal(path)
            if found is None or found.first_seq < sealed:
                continue
            if found.first_seq != position.seq:
                raise DamagedTapeError(
                    f"{path}: begins with row {found.first_seq}, expected row {position.seq}", path
                )
            found.needs_book = self._books.needs_book(found.first_seq, found.first_time)
            self._ended.append(found)
            position = _after(found)
        # The last line of a dead recorder may not be durable yet; its journal must not be removed before.
        sync_segment_list(self._directory)
        waiting = {journal_file(segment.first_seq) for segment in self._ended}
        for path in paths:
            self.cut_bytes += cut_torn_tail(path)
            if path.name in waiting:
                store.sync_file(path)  # what comes after it must not be more durable than it is
            else:
                store.remove_file(path)
        return position

    @property
    def journal_bytes(self) -> int:
        """Bytes in the open journal."""
        journal = self._journal
        return 0 if journal is None else journal.size

    def append(self, rows: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Write a batch to the journal; return it, split where a segment ends.

        Raises:
            OSError: as `write` does.
        """
        if not rows.num_rows:
            return [rows]
        first = rows.column("seq")[0].as_py()
        places = self.write(first, tuples_of(rows))
        if len(places) == 1:
            return [rows]
        return [copy_rows(rows.slice(place.first_seq - first, place.rows)) for place in places]

    def write(self, first_seq: int, rows: Sequence[RowTuple]) -> list[JournalPlace]:
        """Write rows to the journal; return their places, one for each segment.

        Raises:
            OSError: if the journal cannot take them. Parts before the failure stay in it; the next writer
                processes and seals them.
        """
        places = []
        while rows:
            segment = self._open or self._begin_segment(first_seq, rows[0][0])
            number, size = segment.room(self._policy, rows)
            if not number:
                self._end_segment()
                continue
            part, rows = (rows, ()) if number == len(rows) else (rows[:number], rows[number:])
            path = self._journals / journal_file(segment.first_seq)
            if self._journal is None:
                self._journal = store.AppendedFile(path)
            start = self._journal.size
            self._journal.append(encode_rows(first_seq, part))
            places.append(JournalPlace(path, start, self._journal.size, first_seq, number))
            with self._lock:
                segment.add(part, size)
                self._open = segment
            first_seq += number
            self.written_rows += number
        return places

    def _begin_segment(self, first_seq: int, first_time: int) -> UnsealedSegment:
        needs_book = self._books.needs_book(first_seq, first_time)
        return UnsealedSegment(first_seq, first_time, needs_book=needs_book)

    def end_old_segment(self) -> None:
        """End the open segment if it is old enough, though no row arrives.

        Raises:
            OSError: if its journal cannot be made durable.
        """
        if self._open and self._now_ns() >= self._policy.time_limit(self._open.first_time):
            self._end_segment()

    def _end_segment(self) -> None:
        try:
            self._close_journal()  # durable before the next one exists
        except OSError:
            self._open = None  # its rows stay for the next writer
            raise
        with self._lock:
            ended, self._open = self._open, None
            if ended is not None:
                self._ended.append(ended)

    def _close_journal(self) -> None:
        with self._syncing:
            journal, self._journal = self._journal, None
            if journal is not None:
                journal.close()

    def sync(self) -> None:
        """Make the appended rows durable: until then a power failure can lose them, a crash cannot."""
        with self._syncing:
            if self._journal is not None:
                self._journal.sync()

    def is_in_place(self) -> bool:
        """Tell whether the open journal is where a reader looks for it."""
        with self._syncing:
            return self._journal is None or self._journal.is_in_place

    def seal(self, tally: Tally, next_seq: int) -> None:
        """Seal the ended segments of which the engine has processed all rows; see `take_ended`."""
        for seal in self.take_ended(tally, next_seq):
            seal()

    def take_ended(self, tally: Tally, next_seq: int) -> Iterator[Callable[[], None]]:
        """Yield what seals each ended segment of which the engine has processed all rows.

        Each is to be called once, in order, on any thread: it uses nothing of the tally any more.

        Args:
            tally: of the product's rows before `next_seq`; its digest and its facts go with the segment.
            next_seq: seq of the next row to process. Call this before and after each batch: batches are
                split where a segment ends, so at most one segment waits.
        """
        while self._ended and self._ended[0].next_seq <= next_seq:
            segment, digest = self._ended.popleft(), tally.digest
            checks = None if digest.checks is None else digest.checks.take(segment.first_seq, segment.rows)
            entry = entry_of(segment, tally)
            yield partial(self._seal, segment, entry, checks)

    def seal_all(self, tally: Tally, next_seq: int) -> None:
        """End the open segment, and seal it if the engine has processed all its rows."""
        self._end_segment()
        self.seal(tally, next_seq)

    def unsealed_ends(self) -> list[int]:
        """Return the `next_seq` of each ended segment that waits for its seal."""
        with self._lock:
            return [segment.next_seq for segment in self._ended]

    def begins_segment(self, seq: int) -> bool:
        """Tell whether an unsealed segment begins with this row."""
        return self._beginning_with(seq) is not None

    def needs_book(self, seq: int) -> bool:
        """Tell whether an unsealed segment begins with this row and keeps the book before it."""
        segment = self._beginning_with(seq)
        return segment is not None and segment.needs_book

    def hold_book(self, seq: int, saved: bytes) -> None:
        """Keep the book before the segment that begins with this row until the segment is sealed."""
        segment = self._beginning_with(seq)
        if segment is not None:
            segment.book_before = saved

    def _beginning_with(self, seq: int) -> UnsealedSegment | None:
        with self._lock:
            unsealed = (*self._ended, self._open)
        return next((each for each in unsealed if each is not None and each.first_seq == seq), None)

    def _seal(self, segment: UnsealedSegment, entry: SegmentEntry, checks: Checks | None) -> None:
        """Write a segment, list its entry once the file is known, and remove its journal."""
        started = time.monotonic()
        journal = self._journals / journal_file(segment.first_seq)
        with JournalReader(journal) as reader:
            batches = reader.batches(segment.first_seq, _SEAL_ROWS, max_bytes=_SEAL_BYTES)
            book = None if segment.book_before is None else (self._sealed_digest, segment.book_before)
            entry = seal_segment(self._directory, entry, batches, book, checks)
        store.remove_file(journal)
        self._sealed_digest = entry.digest
        return_freed_memory()
        self.seal_seconds += time.monotonic() - started
        self.sealed_bytes += entry.bytes  # last: metrics that tell these bytes tell their time as well

    def close(self) -> None:
        """Close the journal; its rows stay for the next writer."""
        self._open = None
        self._close_journal()


def _last_book(parts: Iterator[Part]) -> tuple[int, int] | None:
    """Return seq and time of the last of some parts that has a book, if it begins in the hour of the last."""
    first: str | None = None
    for part in parts:
        first = first or part.first_recv_time[:13]
        if part.first_recv_time[:13] != first:
            break
        if part.book_sha256:
            return part.first_seq, parse_time(part.first_recv_time) or 0
    return None


def _after(last: SegmentEntry | UnsealedSegment) -> Position:
    """Return where the tape continues after a segment; each recording begins another connection."""
    return Position(last.next_seq, last.connections[1] + 1, last.last_time)
