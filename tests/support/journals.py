"""Small journals with rows of every kind."""

from collections.abc import Sequence
from pathlib import Path

from recorder.tape.format.journal import JournalExtent, JournalReader, encode_rows
from recorder.tape.store.writing import AppendedFile
from tests.support.constants import START
from tests.support.oracle import Row
from tests.support.rows import to_rows

RECORD_BYTES = 8 + 21
"""Bytes of a record without its payload: CRC and length; seq, recv_time, connection and kind."""
MIXED = [
    Row(0, START, 0, "connected", "{}"),
    Row(1, START, 0, "frame", ""),
    Row(2, START + 1, 0, "frame", "Größe 1\n\x00\U0001f600"),
    Row(3, START + 2, 0, "disconnected", "x" * 40),
    Row(4, START + 2, 1, "connected", "{}"),
]


def encoded(rows: Sequence[Row]) -> bytes:
    """Return consecutive rows as records of a journal."""
    return encode_rows(rows[0].seq, [row[1:] for row in rows]) if rows else b""


def write_journal(path: Path, rows: list[Row], batch_rows: int = 10_000) -> Path:
    """Write rows to a new journal."""
    writer = AppendedFile(path)
    for start in range(0, len(rows), batch_rows):
        writer.append(encoded(rows[start : start + batch_rows]))
    writer.close()
    return path


def read_journal(path: Path, first_seq: int = 0, size: int = 10_000) -> tuple[list[Row], JournalExtent]:
    """Return a journal's rows and the extent of its intact records."""
    with JournalReader(path) as journal:
        return to_rows(journal.batches(first_seq, size)), journal.extent()


def ends_of(rows: list[Row]) -> list[int]:
    """Return 0 and the offset at which each record ends, by the documented format."""
    ends = [0]
    for row in rows:
        ends.append(ends[-1] + RECORD_BYTES + len(row.payload.encode()))
    return ends
