"""Reading a journal: rows that are not sealed yet, as CRC-framed records in an append-only file.

A record, little-endian, without padding:

    uint32  crc32 of all that follows
    uint32  length of the body in bytes
    body:   int64 seq, int64 recv_time (ns since 1970), int32 connection, uint8 kind, payload (UTF-8)

kind is 0 frame, 1 connected, 2 disconnected. A process that dies in a write leaves a torn record at
the end; readers stop before it, the next writer cuts it.
"""

import logging
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from zlib import crc32

import numpy as np
import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.tape.errors import DamagedTapeError

log = logging.getLogger(__name__)

HEADER = struct.Struct("<II")
BODY = struct.Struct("<qqiB")
_SCAN: Final = 1 << 20  # bytes searched at once for a record behind a bad one
_FAR: Final = 10**7  # rows that one journal may hold, generously
KINDS: Final = ("frame", "connected", "disconnected")


def journal_paths(directory: Path) -> list[Path]:
    """Return the journals in a directory, in order; none where it is missing.

    Raises:
        DamagedTapeError: where it cannot be listed: that must not look like a tape without rows.
    """
    try:
        paths = list(directory.iterdir())  # glob passes over what it may not read
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DamagedTapeError(f"{directory}: cannot be listed ({error.strerror})") from None
    return sorted(path for path in paths if path.suffix == ".journal")


def damaged_copies(directory: Path) -> list[Path]:
    """Return what was kept of journals that went bad: rows are in them that are nowhere else."""
    return sorted(directory.glob("*.damaged"))


@dataclass(frozen=True, slots=True)
class JournalExtent:
    """How far a journal can be trusted.

    Attributes:
        rows, complete: whole records from the start on, and their bytes.
        torn: bytes after them.
        is_damaged: whether whole records follow in those: then it is no torn tail, a byte went bad.
        last_seq: of the last whole record from the start on, -1 where there is none.
    """

    rows: int
    complete: int
    torn: int
    is_damaged: bool
    last_seq: int = field(default=-1, compare=False)


class JournalReader:
    """The rows of a journal, also while it is being written. Reads only; close it or use `with`."""

    def __init__(self, path: Path) -> None:
        """Open a journal.

        Raises:
            FileNotFoundError: where it has been sealed and dropped meanwhile.
            DamagedTapeError: where it cannot be opened.
        """
        self.path = path
        try:
            self._file = path.open("rb", buffering=1 << 20)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DamagedTapeError(f"{path}: cannot be read ({error.strerror})") from None
        self._told = 0
        """End of the last record that `new_batches` gave."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def extent(self) -> JournalExtent:
        """Check all records, return how far they are whole. O(bytes)."""
        rows = end = 0
        last_seq = -1
        size = self._size()  # what is appended from here on is not looked at: its writer is at it
        for body in self._records(0, size):
            rows += 1
            end += HEADER.size + len(body)
            last_seq = BODY.unpack_from(body)[0]
        self._file.seek(end)
        tail = self._file.read(size - end)
        return JournalExtent(rows, end, len(tail), bool(tail) and _holds_record(tail, last_seq), last_seq)

    def batches(self, first_seq: int, size: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows from a seq on, in batches of at most `size`.

        Args:
            first_seq: rows before it are passed over (they are sealed already).
            size: rows in a batch, at least 1.

        Raises:
            DamagedTapeError: where whole records do not count up by one.
        """
        yield from self._batches(self._records(0, self._size()), first_seq, size)

    def warn_of_tail(self) -> None:
        """Say so where whole records follow a bad one: rows are missing. To be called after `batches`.

        A byte that went bad does that, or a power cut between two syncs: the rows up to there are good.
        """
        extent = self.extent() if self._file.tell() < self._size() else None
        if extent is not None and extent.is_damaged:
            log.warning(
                "%s: a bad record after row %d; the rows behind it are not read", self.path, extent.last_seq
            )

    def new_batches(self, first_seq: int, size: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows from a seq on that were appended since the last call; read each call to its end.

        Args:
            first_seq: rows before it are passed over.
            size: rows in a batch, at least 1.

        Raises:
            DamagedTapeError: where whole records do not count up by one, or rows were taken back: their
                recorder could not write the batch that they are of.
        """
        if self._size() < self._told:
            raise DamagedTapeError(f"{self.path}: its recorder failed to write, and took rows back")

        def told() -> Iterator[bytes]:
            for body in self._records(self._told, self._size()):
                self._told += HEADER.size + len(body)
                yield body

        yield from self._batches(told(), first_seq, size)

    def _batches(self, records: Iterable[bytes], first_seq: int, size: int) -> Iterator[pa.RecordBatch]:
        rows: list[tuple[int, int, int, str, bytes]] = []
        expected: int | None = None
        for body in records:
            seq, recv_time, connection, code = BODY.unpack_from(body)
            if (expected is not None and seq != expected) or code >= len(KINDS):
                raise DamagedTapeError(f"{self.path}: row {seq} (kind {code}) where row {expected} belongs")
            expected = seq + 1
            if seq >= first_seq:
                rows.append((seq, recv_time, connection, KINDS[code], body[BODY.size :]))
            if len(rows) == size:
                yield _to_batch(rows)
                rows = []
        if rows:
            yield _to_batch(rows)

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _records(self, start: int, size: int) -> Iterator[bytes]:
        """Yield the bodies of records from an offset on, within `size` bytes, up to the first not whole."""
        self._file.seek(start)
        offset = start + HEADER.size
        while offset <= size:
            header = self._file.read(HEADER.size)
            if len(header) < HEADER.size:
                return  # cut since
            crc, length = HEADER.unpack(header)
            offset += length + HEADER.size
            if length < BODY.size or offset - HEADER.size > size:
                return  # a length that is none must not be read
            body = self._file.read(length)
            if len(body) < length or crc32(body, crc32(header[4:])) != crc:
                return
            yield body


def _holds_record(tail: bytes, last_seq: int) -> bool:
    """Tell whether a whole record with a later seq begins anywhere in some bytes. O(bytes), in numpy."""
    data = np.frombuffer(tail, np.uint8)
    starts = len(data) - HEADER.size - BODY.size + 1
    for low in range(0, max(starts, 0), _SCAN):
        part = data[low : low + _SCAN + HEADER.size + BODY.size - 1]
        count = min(_SCAN, starts - low)
        lengths = np.lib.stride_tricks.sliding_window_view(part[4:], 4)[:count].copy().view("<u4")[:, 0]
        seqs = np.lib.stride_tricks.sliding_window_view(part[8:], 8)[:count].copy().view("<i8")[:, 0]
        fits = (lengths >= BODY.size) & (lengths.astype(np.int64) <= len(data) - low - np.arange(count) - 8)
        for start in (np.flatnonzero(fits & (seqs > last_seq) & (seqs < last_seq + _FAR)) + low).tolist():
            crc, length = HEADER.unpack_from(tail, start)
            if crc32(tail[start + 4 : start + HEADER.size + length]) == crc:
                return True
    return False


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
