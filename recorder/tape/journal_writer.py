"""Writing a journal, and cutting what a dying writer tore; its form is told in `recorder.tape.journal`."""

import logging
import os
from pathlib import Path
from typing import Final
from zlib import crc32

import pyarrow as pa

from recorder.tape.files import open_private, sync_directory, write_all
from recorder.tape.journal import BODY, KINDS, JournalReader

log = logging.getLogger(__name__)

_CODES: Final = {kind: code for code, kind in enumerate(KINDS)}


def encode_rows(rows: pa.RecordBatch) -> bytes:
    """Return a batch of `TAPE_SCHEMA` as journal records. O(bytes)."""
    seq, recv_time, connection, kind, payload = rows.columns
    parts: list[bytes] = []
    for row_seq, row_time, row_connection, row_kind, text in zip(
        seq.to_pylist(),
        recv_time.view(pa.int64()).to_pylist(),
        connection.to_pylist(),
        kind.to_pylist(),
        payload.view(pa.binary()).to_pylist(),
        strict=True,
    ):
        body = BODY.pack(row_seq, row_time, row_connection, _CODES[row_kind]) + text
        length = len(body).to_bytes(4, "little")
        crc = crc32(body, crc32(length))
        parts += (crc.to_bytes(4, "little"), length, body)
    return b"".join(parts)


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


def _keep(path: Path) -> Path:
    """Copy a journal beside itself as `.damaged`, durably and over nothing; return where."""
    kept = path.with_name(f"{path.name}.damaged")
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.{number}.damaged")
    fd = open_private(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(fd, path.read_bytes())
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(path.parent)
    return kept


def cut_torn_tail(path: Path) -> int:
    """Cut a journal after its last whole record; return the number of bytes cut.

    Where whole records follow a bad one, the journal as it was is kept beside it as `.damaged`.
    """
    with JournalReader(path) as journal:
        extent = journal.extent()
    if extent.is_damaged:
        kept = _keep(path)
        log.warning("%s: a bad record with good ones behind it; kept as it was in %s", path, kept.name)
    if extent.torn:
        with path.open("r+b") as file:
            file.truncate(extent.complete)
            os.fsync(file.fileno())
    return extent.torn
