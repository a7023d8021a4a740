"""When a segment ends: the rows of a journal so far, held against the seal policy of `recorder.settings`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from recorder.settings import SealPolicy
from recorder.tape.format.journal import JournalReader
from recorder.tape.row_batches import BATCH_ROWS, RowTuple, tuples_of


@dataclass(slots=True)
class UnsealedSegment:
    """The rows of a journal so far; times in nanoseconds since 1970.

    Attributes:
        first_seq, first_time: seq and recv_time of its first row.
        rows, payload_bytes: its size.
        last_time: recv_time of its last row.
        connections: the connections of its first and last row.
        book_before: the book before its first row in the form of `Engine.save`; None until it is known.
    """

    first_seq: int
    first_time: int
    rows: int = 0
    payload_bytes: int = 0
    last_time: int = 0
    connections: tuple[int, int] = (0, 0)
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
