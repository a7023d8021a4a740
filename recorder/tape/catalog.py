"""`_segments.jsonl`: a line per sealed segment, in order. A segment counts once it is listed here.

Two processes may write it: the recorder appends, a compaction replaces. Both hold `_segments.lock` for
that. A replacement is decided by `_segments.next.jsonl`: from its rename on it is the catalog, also if the
process dies before the files are in place (`recorder.tape.compaction` finishes that).
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from orderbook.times import parse_time
from recorder.tape.errors import DamagedTapeError
from recorder.tape.files import open_private, sync_directory, write_all
from recorder.tape.layout import CATALOG

NEXT_CATALOG: Final = "_segments.next.jsonl"
LOCK: Final = "_segments.lock"


Faults = dict[int, dict[str, int]]
"""By connection, how many of each kind (`gap`, `crossed`)."""


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A sealed segment.

    Attributes:
        file: path inside the product's directory.
        first_seq, rows: its rows are first_seq ... first_seq + rows - 1.
        first_recv_time, last_recv_time: ISO with 9 digits (JSON numbers lose nanoseconds in many readers).
        connections: the first and last connection of its rows.
        bytes, sha256: of the file.
        faults: by connection, how many gaps and crossed summaries its rows gave.
        digest: of the product's summaries up to this segment's last row, hex.
        chain: the digest over the blocks before the last that holds a summary, hex, and
        chain_seq: that block's first seq: a digest goes on from there.
    """

    file: str
    first_seq: int
    rows: int
    first_recv_time: str
    last_recv_time: str
    connections: tuple[int, int]
    bytes: int
    sha256: str
    digest: str
    chain: str
    chain_seq: int
    faults: Faults = field(default_factory=dict)

    @property
    def last_time(self) -> int:
        """Its last recv_time, nanoseconds since 1970."""
        time = parse_time(self.last_recv_time)
        if time is None:
            raise DamagedTapeError(f"{self.file}: {self.last_recv_time!r} is no time")
        return time

    @property
    def next_seq(self) -> int:
        """Number of the first row after it."""
        return self.first_seq + self.rows


_ENTRY = msgspec.json.Decoder(SegmentEntry)


@contextmanager
def catalog_lock(product_dir: Path) -> Iterator[None]:
    """Wait for the right to change a product's catalog; held for milliseconds."""
    fd = open_private(product_dir / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def read_catalog(product_dir: Path) -> list[SegmentEntry]:
    """Return a product's sealed segments; a torn last line is not counted (its journal is still there).

    Raises:
        DamagedTapeError: where a line is not an entry, or segments do not follow one another.
    """
    for path in (product_dir / NEXT_CATALOG, product_dir / CATALOG):
        try:
            return parse_catalog(path, path.read_bytes())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DamagedTapeError(f"{path}: {error.strerror}") from None
    return []


def parse_catalog(path: Path, content: bytes) -> list[SegmentEntry]:
    """Return the entries of a catalog's content; `path` names it in errors.

    Raises:
        DamagedTapeError: where a line is not an entry, or segments do not follow one another.
    """
    entries: list[SegmentEntry] = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            entry = _ENTRY.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedTapeError(f"{path}: line {number}: {error}") from None
        expected = entries[-1].next_seq if entries else 0
        if parse_time(entry.last_recv_time) is None or parse_time(entry.first_recv_time) is None:
            raise DamagedTapeError(f"{path}: line {number}: a time is none")
        if entry.first_seq != expected or entry.rows < 1:
            raise DamagedTapeError(
                f"{path}: line {number}: row {entry.first_seq} where row {expected} belongs"
            )
        entries.append(entry)
    return entries


def encode_entry(entry: SegmentEntry) -> bytes:
    """Return an entry as a line."""
    return msgspec.json.encode(asdict(entry)) + b"\n"


def append_entry(product_dir: Path, entry: SegmentEntry) -> None:
    """List a segment, durably. What an earlier crash tore off the last line is cut first."""
    path = product_dir / CATALOG
    fd = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        content = path.read_bytes()
        end = content.rfind(b"\n") + 1
        os.ftruncate(fd, end)
        os.lseek(fd, end, os.SEEK_SET)
        try:
            write_all(fd, encode_entry(entry))
        except OSError:
            os.ftruncate(fd, end)
            raise
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(product_dir)


def unlisted_segments(product_dir: Path, entries: Sequence[SegmentEntry]) -> list[Path]:
    """Return segment files that no line lists, and that no journal holds the rows of either.

    A file that waits for its line still has its journal; any other is a sign of a lost catalog.
    """
    listed = {entry.file for entry in entries}
    waiting = {path.stem for path in (product_dir / "_journal").glob("*.journal")}
    found = sorted(product_dir.glob("date=*/*.parquet"))
    return [
        path
        for path in found
        if str(path.relative_to(product_dir)) not in listed and path.stem not in waiting
    ]


def merge_faults(parts: Iterable[Faults]) -> Faults:
    """Return the faults of several parts of a tape together."""
    merged: Faults = {}
    for part in parts:
        for connection, counts in part.items():
            held = merged.setdefault(connection, {})
            for kind, number in counts.items():
                held[kind] = held.get(kind, 0) + number
    return merged
