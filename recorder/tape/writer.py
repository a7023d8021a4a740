"""Writing a tape: rows go to the journal at once and are sealed into segments later.

`append` is called before anything looks at the rows; it also decides where a segment ends, and
splits batches there. `seal` is called once the rows have been through the core, with the digest.
"""

import fcntl
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.digest import Digest
from orderbook.schema import Feed
from orderbook.times import NS, format_time
from recorder.tape.catalog import SegmentEntry, append_entry, read_catalog
from recorder.tape.errors import LockedTapeError, NotATapeError, TapeError
from recorder.tape.files import open_private
from recorder.tape.journal import JournalReader, JournalWriter, cut_torn_tail
from recorder.tape.layout import LOCK, MANIFEST, journal_dir, journal_file, product_dir, segment_file
from recorder.tape.manifest import FORMAT, Manifest, read_manifest, write_manifest
from recorder.tape.reader import BATCH_ROWS, own
from recorder.tape.segment import write_segment

MIN_FREE_BYTES: Final = 128 * 2**20
"""Free space without which no recording starts."""

_DAY_NS = 86_400 * NS


@dataclass(frozen=True, slots=True)
class SealPolicy:
    """When a segment ends; whichever comes first. UTC midnight always ends one.

    Attributes:
        rows: rows in a segment.
        bytes: bytes of payload in a segment; the row that reaches it is the last.
        seconds: time from its first row on, also where nothing more arrives.
        sync_s: seconds between two times at which the journal is made durable: what a power cut may take.
    """

    rows: int = 50_000
    bytes: int = 256 * 2**20
    seconds: float = 900.0
    sync_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where a product's tape goes on: the numbers of its next row and connection, its last recv_time."""

    seq: int = 0
    connection: int = 0
    recv_time: int = 0


@dataclass(slots=True)
class _OpenSegment:
    """The rows that one journal holds, so far."""

    first_seq: int
    first_time: int
    rows: int = 0
    bytes: int = 0
    last_time: int = 0
    connections: tuple[int, int] = (0, 0)

    @property
    def next_seq(self) -> int:
        return self.first_seq + self.rows

    def take_up(self, rows: pa.RecordBatch, payload_bytes: int) -> None:
        _, recv_time, connection, _, _ = rows.columns
        first = connection[0].as_py() if not self.rows else self.connections[0]
        self.rows += rows.num_rows
        self.bytes += payload_bytes
        self.last_time = recv_time.view(pa.int64())[-1].as_py()
        self.connections = (first, connection[-1].as_py())


class ProductWriter:
    """The writer of one product's rows."""

    def __init__(self, tape: Path, product: str, policy: SealPolicy, now_ns: Callable[[], int]) -> None:
        self.product = product
        self._directory = product_dir(tape, product)
        self._journals = journal_dir(tape, product)
        self._policy = policy
        self._now_ns = now_ns
        self._closed: deque[_OpenSegment] = deque()
        self._open: _OpenSegment | None = None
        self._journal: JournalWriter | None = None
        self._journals.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.cut_bytes = 0
        self.sealed_bytes = 0
        self.seal_seconds = 0.0
        self.position = self._recover()

    def _recover(self) -> Position:
        """Take up what an earlier process left: drop sealed journals, cut torn tails, list the rest."""
        entries = read_catalog(self._directory)
        sealed = entries[-1].next_seq if entries else 0
        position = Position(sealed, *_last_of(entries))
        for path in sorted(self._journals.glob("*.journal")):
            self.cut_bytes += cut_torn_tail(path)
            if int(path.stem) < sealed or not path.stat().st_size:
                path.unlink()
                continue
            left = _scan(path)
            if left.first_seq != position.seq:
                raise TapeError(f"{path}: begins with row {left.first_seq} where row {position.seq} belongs")
            self._closed.append(left)
            position = Position(left.next_seq, left.connections[1] + 1, left.last_time)
        return position

    @property
    def journal_bytes(self) -> int:
        """What the open journal holds."""
        return 0 if self._journal is None else self._journal.size

    def append(self, rows: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Write rows to the journal; return them, split where a segment ends.

        An empty batch (a tick) ends a segment that is old enough, and is returned as it is.

        Raises:
            OSError: where the journal cannot take them; no part of the failing batch stays in it.
        """
        if not rows.num_rows:
            if self._open and self._now_ns() - self._open.first_time >= self._policy.seconds * NS:
                self._end_segment()
            return [rows]
        parts = []
        while rows.num_rows:
            lengths = np.cumsum(pc.binary_length(rows.column("payload")).to_numpy())
            room = self._room(rows, lengths)
            if not room:
                self._end_segment()
                continue
            part = rows if room == rows.num_rows else own(rows.slice(0, room))
            self._write(part, int(lengths[room - 1]))
            parts.append(part)
            rows = rows.slice(room)
        return parts

    def _room(self, rows: pa.RecordBatch, lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
        """Return how many leading rows still belong to the open segment; all limits in one look."""
        times = rows.column("recv_time").view(pa.int64()).to_numpy()
        held = self._open or _OpenSegment(0, int(times[0]))
        limit = min(
            held.first_time + int(self._policy.seconds * NS), (held.first_time // _DAY_NS + 1) * _DAY_NS
        )
        if held.bytes >= self._policy.bytes:
            return 0
        room: int = min(
            rows.num_rows,
            self._policy.rows - held.rows,
            int(np.searchsorted(lengths, self._policy.bytes - held.bytes)) + 1,
            int(np.searchsorted(times, limit)),
        )
        return room

    def _write(self, rows: pa.RecordBatch, payload_bytes: int) -> None:
        if self._open is None or self._journal is None:
            first_seq = rows.column("seq")[0].as_py()
            self._journal = JournalWriter(self._journals / journal_file(first_seq))
            self._open = _OpenSegment(first_seq, rows.column("recv_time").view(pa.int64())[0].as_py())
        self._journal.append(rows)
        self._open.take_up(rows, payload_bytes)

    def _end_segment(self) -> None:
        if self._open is not None and self._journal is not None:
            self._journal.close()
            self._closed.append(self._open)
            self._open = self._journal = None

    def sync(self) -> None:
        """Make what was appended durable: until then a power cut may take it, a dying process never.

        Raises:
            OSError: as the operating system says.
        """
        if self._journal is not None:
            self._journal.sync()

    def seal(self, digest: Digest, next_seq: int) -> None:
        """Seal the ended segments whose rows have all been through the core.

        Args:
            digest: of the product's summaries before `next_seq`.
            next_seq: the rows before it have been through the core. Batches are split where a segment
                ends, so at most one segment ends exactly here.
        """
        while self._closed and self._closed[0].next_seq <= next_seq:
            started = time.monotonic()
            self._seal(self._closed.popleft(), digest)
            self.seal_seconds += time.monotonic() - started

    def seal_all(self, digest: Digest) -> None:
        """Seal what is left at the end of a recording, when all rows have been through the core."""
        self._end_segment()
        if self._closed:
            self.seal(digest, self._closed[-1].next_seq)

    def unsealed_ends(self) -> list[int]:
        """Return the next_seq of each ended segment that waits for its seal."""
        return [segment.next_seq for segment in self._closed]

    def _seal(self, segment: _OpenSegment, digest: Digest) -> None:
        name = segment_file(segment.first_seq, segment.first_time)
        journal = self._journals / journal_file(segment.first_seq)
        with JournalReader(journal) as reader:
            batches = reader.batches(segment.first_seq, BATCH_ROWS)
            written = write_segment(
                self._directory / name, self.product, segment.first_seq, segment.rows, batches
            )
        append_entry(
            self._directory,
            SegmentEntry(
                file=name,
                first_seq=segment.first_seq,
                rows=segment.rows,
                first_recv_time=format_time(segment.first_time),
                last_recv_time=format_time(segment.last_time),
                connections=segment.connections,
                bytes=written.bytes,
                sha256=written.sha256,
                digest=digest.hexdigest(),
                chain=digest.chain.hex(),
                chain_seq=digest.chain_seq,
            ),
        )
        journal.unlink()
        self.sealed_bytes += written.bytes

    def close(self) -> None:
        """Release the journal; what it holds stays for the next writer."""
        if self._journal is not None:
            self._journal.close()
            self._open = self._journal = None


class TapeWriter:
    """The one writer of a tape; close it or use `with`. What is not sealed then stays in the journal."""

    def __init__(
        self,
        path: Path,
        lock: int,
        manifest: Manifest,
        products: dict[str, ProductWriter],
        policy: SealPolicy,
    ) -> None:
        self.path = path
        self.policy = policy
        self.manifest = manifest
        self.products = products
        self._lock = lock

    @classmethod
    def open(
        cls,
        path: Path,
        feed: Feed,
        products: Sequence[str],
        software: str,
        policy: SealPolicy = SealPolicy(),
        now_ns: Callable[[], int] = time.time_ns,
    ) -> "TapeWriter":
        """Open a tape for writing; make it where there is none, go on where there is one.

        Args:
            path: the tape's directory.
            feed: the dialect of the frames to come.
            products: those to be written; new ones join the tape.
            software: who writes, for a new manifest.
            policy: when a segment ends.
            now_ns: wall clock, for segments that end by age alone.

        Raises:
            TapeError: where the disk is nearly full.
            LockedTapeError: where another writer holds the tape.
            NotATapeError: where the path is something else, or a tape of another feed.
            UnknownProductError: where a name is no product id.
        """
        for product in products:
            product_dir(path, product)
        lock = _lock(path)
        try:
            manifest = _join(path, feed, products, software, now_ns)
            writers = {product: ProductWriter(path, product, policy, now_ns) for product in products}
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock, manifest, writers, policy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sizes(self) -> tuple[int, int]:
        """Return the bytes that are in journals, and those sealed by this writer."""
        writers = self.products.values()
        return sum(each.journal_bytes for each in writers), sum(each.sealed_bytes for each in writers)

    def seal_seconds(self) -> float:
        """Return the time that this writer spent on sealing."""
        return sum(each.seal_seconds for each in self.products.values())

    def close(self) -> None:
        """Release the journals and the lock."""
        for writer in self.products.values():
            writer.close()
        os.close(self._lock)


def _lock(path: Path) -> int:
    """Make the tape's directory where it is missing, and take its lock; refuse what is no tape."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {each.name for each in path.iterdir()}
    except OSError as error:
        raise NotATapeError(f"{path}: cannot hold a tape ({error.strerror})") from None
    if found and not found & {MANIFEST, LOCK}:
        raise NotATapeError(f"{path}: a directory with other files, not a tape")
    free = shutil.disk_usage(path).free
    if free < MIN_FREE_BYTES:
        raise TapeError(
            f"{path}: only {free // 2**20} MiB free, a recording needs at least {MIN_FREE_BYTES // 2**20}"
        )
    fd = open_private(path / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LockedTapeError(f"{path}: another recorder is writing to this tape") from None
    return fd


def _join(
    path: Path, feed: Feed, products: Sequence[str], software: str, now_ns: Callable[[], int]
) -> Manifest:
    """Return the manifest with the products on it, written where that changes it."""
    if not (path / MANIFEST).exists():
        manifest = Manifest(FORMAT, feed, tuple(products), format_time(now_ns()), software)
        write_manifest(path, manifest)
        return manifest
    manifest = read_manifest(path)
    if manifest.feed != feed:
        raise NotATapeError(f"{path}: a tape of the {manifest.feed} feed, it cannot take frames of {feed}")
    new = tuple(product for product in products if product not in manifest.products)
    if new:
        manifest = replace(manifest, products=manifest.products + new)
        write_manifest(path, manifest)
    return manifest


def _last_of(entries: Sequence[SegmentEntry]) -> tuple[int, int]:
    """Return the next connection and the last recv_time after sealed segments."""
    if not entries:
        return 0, 0
    return entries[-1].connections[1] + 1, entries[-1].last_time


def _scan(path: Path) -> _OpenSegment:
    """Return what a journal left behind holds."""
    found: _OpenSegment | None = None
    with JournalReader(path) as reader:
        for rows in reader.batches(0, BATCH_ROWS):
            if found is None:
                first_time = rows.column("recv_time").view(pa.int64())[0].as_py()
                found = _OpenSegment(rows.column("seq")[0].as_py(), first_time)
            found.take_up(rows, pc.sum(pc.binary_length(rows.column("payload"))).as_py())
    if found is None:
        raise TapeError(f"{path}: an empty journal")
    return found
