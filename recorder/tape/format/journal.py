"""A journal: rows that are not sealed yet, as records with a CRC in an append-only file.

A record, little-endian, without padding:

    uint32  crc32 of all that follows
    uint32  length of the body in bytes
    body:   int64 seq, int64 recv_time (ns since 1970), int32 connection, uint8 kind, payload (UTF-8)

kind is 0 frame, 1 connected, 2 disconnected. A process that dies during a write leaves a torn record at
the end; readers stop before it, the next writer cuts it.
"""

import logging
import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import is_journal_file
from recorder.tape.row_batches import RowTuple, to_batch
from recorder.tape.store import files as store

log = logging.getLogger(__name__)

HEADER = struct.Struct("<II")
BODY = struct.Struct("<qqiB")
_AFTER_CRC: Final = struct.Struct("<IqqiB")  # the length and the body without its payload
KINDS: Final = ("frame", "connected", "disconnected")
_CODES: Final = {kind: code for code, kind in enumerate(KINDS)}
_SCAN: Final = 1 << 20  # bytes searched at a time for a record behind a bad one
_BATCH_BYTES: Final = 4 * 2**20
_MAX_CONNECTION: Final = 2**31 - 1  # the next one would not fit its column
_MAX_ROWS: Final = 10**7  # more than a journal ever holds


def journal_paths(directory: Path) -> list[Path]:
    """Return the journals in a directory, in order; an empty list if the directory is missing.

    A copy of a tape may be without it. Its product's directory must exist: see `require_directory`.

    Raises:
        DamagedTapeError: if the directory cannot be listed, which must not look like a tape without rows.
    """
    try:
        paths = [] if store.is_remote(directory) else store.list_files(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DamagedTapeError(f"{directory}: cannot be listed ({error.strerror})", directory) from None
    return sorted(path for path in paths if is_journal_file(path.name))


def damaged_copies(directory: Path) -> list[Path]:
    """Return the copies of journals that went bad; they hold rows that are nowhere else."""
    return [] if store.is_remote(directory) else store.find_files(directory, "*.damaged")


@dataclass(frozen=True, slots=True)
class JournalExtent:
    """How much of a journal is intact.

    Attributes:
        rows, complete: number of intact records from the start, and their bytes.
        torn: bytes after them.
        is_damaged: whether an intact record follows among those: a byte went bad, it is no torn tail.
        last_seq: seq of the last intact record from the start, -1 if there is none.
    """

    rows: int
    complete: int
    torn: int
    is_damaged: bool
    last_seq: int = field(default=-1, compare=False)


class JournalPlace(NamedTuple):
    """Consecutive rows in a journal, and the bytes of the file that hold them."""

    path: Path
    start: int
    end: int
    first_seq: int
    rows: int

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Read the rows, as `JournalReader.batches` does.

        Raises:
            DamagedTapeError: if they are not all there.
        """
        left = self.rows
        with JournalReader(self.path, self.start) as journal:
            for rows in journal.batches(self.first_seq, size, self.end):
                left -= rows.num_rows
                yield rows
        if left:
            raise DamagedTapeError(f"{self.path}: {left} rows that were written are not there", self.path)


class JournalReader(AbstractContextManager["JournalReader"]):
    """A reader of a journal, which may still be growing; use `with`."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Open a journal, to be read from an offset at which a record begins.

        Raises:
            FileNotFoundError: if it was sealed and removed.
            DamagedTapeError: if it cannot be opened.
        """
        self.path = path
        try:
            self._file = store.open_file(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DamagedTapeError(f"{path}: cannot be read ({error.strerror})", path) from None
        self._offset = offset  # end of the rows that `batches` has yielded
        self._end = 0  # end of the last record that `_records` found
        # What the next row must follow; the first one names the file.
        self._expected = int(path.stem) if not offset and path.stem.isdecimal() else None
        self._last_time = 0

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extent(self) -> JournalExtent:
        """Check all records and return how many are intact. O(bytes)."""
        rows = 0
        last_seq = -1
        size = store.file_size(self._file)  # what is appended from now on may be half written
        for body in self._records(0, size):
            rows += 1
            last_seq = BODY.unpack_from(body)[0]
        end = self._end
        self._file.seek(end)
        tail = self._file.read(size - end)
        return JournalExtent(rows, end, len(tail), bool(tail) and _holds_record(tail, last_seq), last_seq)

    def batches(
        self, first_seq: int, size: int, end: int | None = None, max_bytes: int = _BATCH_BYTES
    ) -> Iterator[pa.RecordBatch]:
        """Yield all rows at the first call, later those appended since the call before; exhaust each call.

        Args:
            first_seq: earlier rows, which are sealed already, are skipped.
            size: maximum rows in a batch, at least 1.
            end: offset to read up to, None for the end of the file.
            max_bytes: the row that brings a batch to this size is its last.

        Raises:
            DamagedTapeError: if intact records are not rows that follow one another, or the journal became
                shorter because its recorder failed to write a batch.
        """
        size_now = store.file_size(self._file)
        end = size_now if end is None else end
        if size_now < max(self._offset, end):
            raise DamagedTapeError(
                f"{self.path}: its recorder failed to write, and took rows back", self.path
            )
        rows: list[tuple[int, int, int, str, bytes]] = []
        held = 0
        expected, last_time = self._expected, self._last_time
        for body in self._records(self._offset, end):
            seq, recv_time, connection, code = BODY.unpack_from(body)
            if (expected is not None and seq != expected) or code >= len(KINDS):
                raise DamagedTapeError(
                    f"{self.path}: found row {seq} (kind {code}), expected row {expected}", self.path
                )
            if not (last_time <= recv_time and 0 <= connection < _MAX_CONNECTION):
                raise DamagedTapeError(
                    f"{self.path}: row {seq} has the time {recv_time}, after {last_time}, and the "
                    f"connection {connection}",
                    self.path,
                )
            expected, last_time = seq + 1, recv_time
            if seq >= first_seq:
                rows.append((seq, recv_time, connection, KINDS[code], body[BODY.size :]))
                held += len(body)
            if len(rows) == size or held >= max_bytes:
                yield self._to_batch(rows)
                rows, held = [], 0
        self._offset = self._end
        self._expected, self._last_time = expected, last_time
        if rows:
            yield self._to_batch(rows)

    def _to_batch(self, rows: list[tuple[int, int, int, str, bytes]]) -> pa.RecordBatch:
        seq, recv_time, connection, kind, payload = zip(*rows, strict=True)
        try:
            texts = pa.array(payload, pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            raise DamagedTapeError(
                f"{self.path}: a payload of rows {seq[0]} to {seq[-1]} is not UTF-8", self.path
            ) from None
        return to_batch(seq, recv_time, connection, kind, texts)

    def warn_of_tail(self) -> None:
        """Log a warning if intact records follow a bad one: rows are missing. Call it after `batches`.

        A byte that went bad does that, or a power failure between two fsyncs; the rows before are good.
        """
        extent = self.extent() if self._offset < store.file_size(self._file) else None
        if extent is not None and extent.is_damaged:
            log.warning(
                "%s: a bad record after row %d; the rows after it are not read", self.path, extent.last_seq
            )

    def _records(self, start: int, size: int) -> Iterator[bytes]:
        """Yield the bodies of intact records from an offset on, within the first `size` bytes of the file."""
        end = start
        try:
            self._file.seek(start)
            while end + HEADER.size <= size:
                header = self._file.read(HEADER.size)
                if len(header) < HEADER.size:
                    break  # the file was cut meanwhile
                crc, length = HEADER.unpack(header)
                following = end + HEADER.size + length
                if length < BODY.size or following > size:
                    break  # never read by a length that cannot be right
                body = self._file.read(length)
                if len(body) < length or crc32(body, crc32(header[4:])) != crc:
                    break
                end = following
                yield body
        except OSError as error:
            raise DamagedTapeError(f"{self.path}: cannot be read ({error.strerror})", self.path) from None
        self._end = end


def _holds_record(tail: bytes, last_seq: int) -> bool:
    """Tell whether an intact record with a later seq begins anywhere in these bytes. O(bytes), in numpy."""
    data = np.frombuffer(tail, np.uint8)
    starts = len(data) - HEADER.size - BODY.size + 1
    for low in range(0, max(starts, 0), _SCAN):
        part = data[low : low + _SCAN + HEADER.size + BODY.size - 1]
        count = min(_SCAN, starts - low)
        lengths = np.lib.stride_tricks.sliding_window_view(part[4:], 4)[:count].copy().view("<u4")[:, 0]
        seqs = np.lib.stride_tricks.sliding_window_view(part[8:], 8)[:count].copy().view("<i8")[:, 0]
        fits = (lengths >= BODY.size) & (lengths.astype(np.int64) <= len(data) - low - np.arange(count) - 8)
        candidates = fits & (seqs > last_seq) & (seqs < last_seq + _MAX_ROWS)
        for start in (np.flatnonzero(candidates) + low).tolist():
            crc, length = HEADER.unpack_from(tail, start)
            if crc32(tail[start + 4 : start + HEADER.size + length]) == crc:
                return True
    return False


def encode_rows(first_seq: int, rows: Iterable[RowTuple]) -> bytes:
    """Return rows as journal records, numbered from a seq on. O(bytes)."""
    parts: list[bytes] = []
    pack = _AFTER_CRC.pack
    for seq, (recv_time, connection, kind, payload) in enumerate(rows, first_seq):
        text = payload.encode()
        head = pack(BODY.size + len(text), seq, recv_time, connection, _CODES[kind])
        parts += (crc32(text, crc32(head)).to_bytes(4, "little"), head, text)
    return b"".join(parts)


def cut_torn_tail(path: Path) -> int:
    """Cut a journal after its last intact record; return the number of bytes cut.

    If intact records follow a bad one, a copy of the whole journal is kept beside it as `.damaged`.
    """
    with JournalReader(path) as journal:
        extent = journal.extent()
    if extent.is_damaged:
        copy = _keep_copy(path)
        log.warning("%s: a bad record with good ones after it; kept a copy in %s", path, copy.name)
    if extent.torn:
        store.replace_end(path, extent.complete)
    return extent.torn


def _keep_copy(path: Path) -> Path:
    """Copy a journal to a new `.damaged` file beside it, durably; return its path."""
    copy = path.with_name(f"{path.name}.damaged")
    number = 1
    while store.exists(copy):
        number += 1
        copy = path.with_name(f"{path.name}.{number}.damaged")
    with closing(store.AppendedFile(copy)) as file:
        file.append(store.read_file(path))
    return copy
