"""The journal: rows that are not sealed yet, as CRC-framed records in an append-only file.

A record, little-endian, without padding:

    uint32  crc32 of all that follows
    uint32  length of the body in bytes
    body:   int64 seq, int64 recv_time (ns since 1970), int32 connection, uint8 kind, payload (UTF-8)

kind is 0 frame, 1 connected, 2 disconnected. A process that dies in a write leaves a torn record at
the end; readers stop before it, the next writer cuts it.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from zlib import crc32

import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.tape.errors import DamagedTapeError
from recorder.tape.files import open_private, sync_directory, write_all

_HEADER = struct.Struct("<II")
_BODY = struct.Struct("<qqiB")
_KINDS: Final = ("frame", "connected", "disconnected")
_CODES: Final = {kind: code for code, kind in enumerate(_KINDS)}


def encode_rows(rows: pa.RecordBatch) -> bytes:
    """Return a batch of `TAPE_SCHEMA` as journal records. O(bytes)."""
    seq, recv_time, connection, kind, payload = rows.columns
    parts: list[bytes] = []
    for row_seq, row_time, row_connection, row_kind, text in zip(
        seq.to_pylist(),
        recv_time.view(pa.int64()).to_pylist(),
        connection.to_pylist(),
        kind.to_pylist(),
        payload.cast(pa.binary()).to_pylist(),
        strict=True,
    ):
        body = _BODY.pack(row_seq, row_time, row_connection, _CODES[row_kind]) + text
        length = len(body).to_bytes(4, "little")
        crc = crc32(body, crc32(length))
        parts += (crc.to_bytes(4, "little"), length, body)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class JournalExtent:
    """How far a journal can be trusted: `complete` bytes of whole records, then `torn` bytes."""

    rows: int
    complete: int
    torn: int


class JournalReader:
    """The rows of a journal, also while it is being written. Reads only; close it or use `with`."""

    def __init__(self, path: Path) -> None:
        """Open a journal.

        Raises:
            FileNotFoundError: where it has been sealed and dropped meanwhile.
        """
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(self._fd).st_size
        self._data: mmap.mmap | bytes = mmap.mmap(self._fd, size, prot=mmap.PROT_READ) if size else b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()
        os.close(self._fd)

    def extent(self) -> JournalExtent:
        """Check all records, return how far they are whole. O(bytes)."""
        rows = end = 0
        for _, _, end in self._records():  # noqa: B007  the last end is wanted
            rows += 1
        return JournalExtent(rows, end, len(self._data) - end)

    def batches(self, first_seq: int, size: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows from a seq on, in batches of at most `size`.

        Args:
            first_seq: rows before it are passed over (they are sealed already).
            size: rows in a batch, at least 1.

        Raises:
            DamagedTapeError: where whole records do not count up by one.
        """
        rows: list[tuple[int, int, int, str, bytes]] = []
        expected: int | None = None
        for start, body_length, _ in self._records():
            seq, recv_time, connection, code = _BODY.unpack_from(self._data, start)
            if (expected is not None and seq != expected) or code >= len(_KINDS):
                raise DamagedTapeError(f"{self.path}: row {seq} (kind {code}) where row {expected} belongs")
            expected = seq + 1
            if seq >= first_seq:
                payload = bytes(self._data[start + _BODY.size : start + body_length])
                rows.append((seq, recv_time, connection, _KINDS[code], payload))
            if len(rows) == size:
                yield _to_batch(rows)
                rows = []
        if rows:
            yield _to_batch(rows)

    def _records(self) -> Iterator[tuple[int, int, int]]:
        """Yield (start of the body, its length, end of the record) up to the first that is not whole."""
        data, offset = self._data, 0
        while offset + _HEADER.size <= len(data):
            crc, length = _HEADER.unpack_from(data, offset)
            start = offset + _HEADER.size
            end = start + length
            if length < _BODY.size or end > len(data) or crc32(data[offset + 4 : end]) != crc:
                return
            yield start, length, end
            offset = end


def _to_batch(rows: list[tuple[int, int, int, str, bytes]]) -> pa.RecordBatch:
    seq, recv_time, connection, kind, payload = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(seq, pa.int64()),
            pa.array(recv_time, pa.int64()).view(TIME),
            pa.array(connection, pa.int32()),
            pa.array(kind, pa.string()),
            pa.array(payload, pa.binary()).cast(pa.string()),
        ],
        schema=TAPE_SCHEMA,
    )


class JournalWriter:
    """Appends batches of rows to a new journal, one write each."""

    def __init__(self, path: Path) -> None:
        """Make a journal.

        Raises:
            FileExistsError: where there is one: a journal is never overwritten.
        """
        self.path = path
        self._fd = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        self.size = 0
        self._synced = 0
        sync_directory(path.parent)

    def append(self, rows: pa.RecordBatch) -> None:
        """Hand a batch to the operating system in one write.

        Raises:
            OSError: where it cannot be written whole; the journal is cut back to the last whole batch.
        """
        data = encode_rows(rows)
        try:
            write_all(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Make what was appended durable; free where nothing was."""
        if self._synced < self.size:
            os.fdatasync(self._fd)
            self._synced = self.size

    def close(self) -> None:
        """Make all of it durable and release the file."""
        try:
            self.sync()
        finally:
            os.close(self._fd)


def cut_torn_tail(path: Path) -> int:
    """Cut a journal after its last whole record; return the number of bytes cut."""
    with JournalReader(path) as journal:
        extent = journal.extent()
    if extent.torn:
        with path.open("r+b") as file:
            file.truncate(extent.complete)
            os.fsync(file.fileno())
    return extent.torn
