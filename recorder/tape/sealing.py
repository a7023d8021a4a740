"""When a segment ends, by the seal policy of `recorder.settings`; writing and listing it then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.digest import Checks
from orderbook.tally import Tally
from orderbook.times import format_time
from recorder.settings import SealPolicy
from recorder.tape.compaction import finish_compaction
from recorder.tape.format.journal import JournalReader
from recorder.tape.format.layout import product_of, segment_file
from recorder.tape.format.segment_entry import SegmentEntry, listed_facts
from recorder.tape.format.segment_list import append_entry, segment_list_lock
from recorder.tape.format.segment_writer import COMPRESSION_LEVEL, write_segment
from recorder.tape.format.sidecars import write_book, write_checks
from recorder.tape.row_batches import BATCH_ROWS, RowTuple, tuples_of


@dataclass(slots=True)
class UnsealedSegment:
    """The rows of a journal so far; times in nanoseconds since 1970.

    Attributes:
        first_seq, first_time: seq and recv_time of its first row.
        rows, payload_bytes: its size.
        last_time: recv_time of its last row.
        connections: the connections of its first and last row.
        needs_book: whether the book before its first row is kept.
        book_before: that book in the form of `Engine.save`; None until it is known.
    """

    first_seq: int
    first_time: int
    rows: int = 0
    payload_bytes: int = 0
    last_time: int = 0
    connections: tuple[int, int] = (0, 0)
    needs_book: bool = False
    book_before: bytes | None = None

    @property
    def next_seq(self) -> int:
        """Seq of the row after its last."""
        return self.first_seq + self.rows

    def room(self, policy: SealPolicy, rows: Sequence[RowTuple]) -> tuple[int, int]:
        """Return how many of the next rows still belong to this segment, and their payload bytes. O(rows).

        Args:
            policy: the limits.
            rows: the next rows, of which the first opened the segment if it is empty.
        """
        number, size = self.rows, self.payload_bytes
        too_late = policy.time_limit(self.first_time)
        for recv_time, _, _, payload in rows:
            if number == policy.rows or size >= policy.bytes or recv_time >= too_late:
                break
            number += 1
            size += len(payload) if payload.isascii() else len(payload.encode())
        return number - self.rows, size - self.payload_bytes

    def add(self, rows: Sequence[RowTuple], payload_bytes: int) -> None:
        """Count rows that were written to the journal."""
        (_, first, _, _), (last_time, last, _, _) = rows[0], rows[-1]
        self.connections = (self.connections[0] if self.rows else first, last)
        self.rows += len(rows)
        self.payload_bytes += payload_bytes
        self.last_time = last_time


def scan_journal(path: Path) -> UnsealedSegment | None:
    """Return what a journal holds; None if it holds no complete record. O(bytes)."""
    found: UnsealedSegment | None = None
    with JournalReader(path) as reader:
        for batch in reader.batches(0, BATCH_ROWS):
            rows = tuples_of(batch)
            found = found or UnsealedSegment(batch.column("seq")[0].as_py(), rows[0][0])
            found.add(rows, int(pc.binary_length(batch.column("payload")).to_numpy().sum()))
    return found


def entry_of(segment: UnsealedSegment, tally: Tally) -> SegmentEntry:
    """Return the entry of a segment whose file is not written yet, and take the facts of the tally.

    Args:
        segment: the segment.
        tally: of all rows up to its last.
    """
    digest = tally.digest
    return SegmentEntry(
        file=segment_file(segment.first_seq, segment.first_time),
        first_seq=segment.first_seq,
        rows=segment.rows,
        first_recv_time=format_time(segment.first_time),
        last_recv_time=format_time(segment.last_time),
        connections=segment.connections,
        bytes=0,
        sha256="",
        digest=digest.hexdigest(),
        chain=digest.chain.hex(),
        chain_seq=digest.chain_seq,
        **listed_facts(tally.take_facts()),
    )


def seal_segment(
    product_dir: Path,
    entry: SegmentEntry,
    batches: Iterable[pa.RecordBatch],
    book: tuple[str, bytes] | None,
    checks: Checks | None,
    level: int = COMPRESSION_LEVEL,
) -> SegmentEntry:
    """Write a segment and its sidecars, and list it; return its entry.

    Args:
        product_dir: the product's directory.
        entry: as `entry_of` returns it.
        batches: its rows.
        book: the digest of all summaries before it, and the book before it; None if it is not kept.
        checks: of its rows.
        level: zstd level of the file.
    """
    path, product = product_dir / entry.file, product_of(product_dir)
    written = write_segment(path, product, entry.first_seq, entry.rows, batches, level)
    book_sha256 = "" if book is None else write_book(product_dir, entry.first_seq, *book)
    entry = replace(entry, bytes=written.bytes, sha256=written.sha256, book_sha256=book_sha256)
    if checks is not None:
        write_checks(product_dir, entry, checks)
    with segment_list_lock(product_dir):
        finish_compaction(product_dir)
        append_entry(product_dir, entry)
    return entry
