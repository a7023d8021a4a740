"""A segment before its seal: what one journal holds."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from recorder.tape.journal import JournalReader
from recorder.tape.reader import BATCH_ROWS


@dataclass(slots=True)
class UnsealedSegment:
    """The rows of a journal, so far; times in nanoseconds since 1970.

    Attributes:
        first_seq, first_time: of its first row.
        rows, payload_bytes: how many.
        last_time: of its last row.
        connections: of its first and last row.
        book_before: the book before its first row, as `Engine.save` gives it, once it is known.
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
        """Number of the row after its last."""
        return self.first_seq + self.rows

    def take_up(self, rows: pa.RecordBatch, payload_bytes: int) -> None:
        """Count rows that its journal has taken."""
        _, recv_time, connection, _, _ = rows.columns
        first = connection[0].as_py() if not self.rows else self.connections[0]
        self.rows += rows.num_rows
        self.payload_bytes += payload_bytes
        self.last_time = recv_time.view(pa.int64())[-1].as_py()
        self.connections = (first, connection[-1].as_py())


def scan_journal(path: Path) -> UnsealedSegment | None:
    """Return what a journal left behind holds; None where it holds no whole record. O(bytes)."""
    found: UnsealedSegment | None = None
    with JournalReader(path) as reader:
        for rows in reader.batches(0, BATCH_ROWS):
            if found is None:
                first_time = rows.column("recv_time").view(pa.int64())[0].as_py()
                found = UnsealedSegment(rows.column("seq")[0].as_py(), first_time)
            found.take_up(rows, int(pc.binary_length(rows.column("payload")).to_numpy().sum()))
    return found
