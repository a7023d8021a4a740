"""`_segments.jsonl`: a line per sealed segment, in order. A segment counts once it is listed here.

Two processes may write it: the recorder appends, a compaction replaces. Both hold `_segments.lock` for
that. A replacement is decided by `_segments.next.jsonl`: from its rename on it is the catalog, also if the
process dies before the files are in place (`recorder.tape.compaction` finishes that).
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from orderbook.times import parse_time
from recorder.tape.errors import DamagedTapeError
from recorder.tape.files import open_private, sync_directory, sync_file, write_all
from recorder.tape.journal import journal_paths
from recorder.tape.layout import CATALOG, journal_file

NEXT_CATALOG: Final = "_segments.next.jsonl"
LOCK: Final = "_segments.lock"


Faults = dict[int, dict[str, int]]
"""By connection, how many of each kind (`gap`, `crossed`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment as it was sealed, also where a compaction has merged it: reading can begin there.

    Attributes:
        first_seq: of its first row.
        first_recv_time: of its first row, ISO with 9 digits.
        connections: the first and last connection of its rows.
        before: digest of all summaries before it, hex: its book is bound to that.
    """

    first_seq: int
    first_recv_time: str
    connections: tuple[int, int]
    before: str


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
        numbered: connections of which a row had a sequence number that was checked.
        digest: of the product's summaries up to this segment's last row, hex.
        chain: the digest over the blocks before the last that holds a summary, hex, and
        chain_seq: that block's first seq: a digest goes on from there.
        parts: the segments that were merged into it, in order; empty, and not in its line, where none were.
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
    numbered: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()

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
    """Return a product's sealed segments.

    A last line that a crash tore is not counted: the journal that it was to replace is still there.

    Raises:
        DamagedTapeError: where a line is not an entry, or segments do not follow one another.
    """
    for path in (product_dir / NEXT_CATALOG, product_dir / CATALOG):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DamagedTapeError(f"{path}: {error.strerror}") from None
        entries, length = parse_catalog(path, content)
        next_seq = entries[-1].next_seq if entries else 0
        waits = (product_dir / "_journal" / journal_file(next_seq)).exists()
        if length < len(content) and not waits and read_again(path, content):
            raise DamagedTapeError(
                f"{path}: line {len(entries) + 1}: no entry, and no journal holds its rows"
            )
        return entries
    return []


def read_again(path: Path, content: bytes) -> bool:
    """Tell whether a file still has a content: else its writer was just at it."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def parse_catalog(path: Path, content: bytes) -> tuple[list[SegmentEntry], int]:
    """Return the entries of a catalog's content, and how many bytes they take.

    Only the last line may be none; `path` names the file in errors.

    Raises:
        DamagedTapeError: where another line is not an entry, or segments do not follow one another.
    """
    entries: list[SegmentEntry] = []
    length = 0
    lines = content.split(b"\n")
    last = len(lines) - (1 if not lines[-1] else 0)
    for number, line in enumerate(lines[:-1], 1):
        try:
            entry = _ENTRY.decode(line)
            problem = _problem(entry, entries[-1].next_seq if entries else 0)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number == last:
                break
            raise DamagedTapeError(f"{path}: line {number}: {error}") from None
        if problem:
            raise DamagedTapeError(f"{path}: line {number}: {problem}")
        entries.append(entry)
        length += len(line) + 1
    return entries, length


def _problem(entry: SegmentEntry, expected: int) -> str:
    """Return what is wrong with an entry, empty where nothing is."""
    if parse_time(entry.last_recv_time) is None or parse_time(entry.first_recv_time) is None:
        return "a time is none"
    if entry.first_seq != expected or entry.rows < 1:
        return f"row {entry.first_seq} where row {expected} belongs"
    if any(parse_time(part.first_recv_time) is None for part in entry.parts):
        return "a part's time is none"
    starts = [part.first_seq for part in entry.parts]
    if starts and (starts[0] != entry.first_seq or starts[-1] >= entry.next_seq):
        return f"its parts begin with rows {starts[0]} to {starts[-1]}"
    if any(first >= second for first, second in pairwise(starts)):
        return "its parts do not follow one another"
    return ""


def encode_entry(entry: SegmentEntry) -> bytes:
    """Return an entry as a line; parts are named only where there are some."""
    fields = asdict(entry)
    if not entry.parts:
        del fields["parts"]
    return msgspec.json.encode(fields) + b"\n"


def append_entry(product_dir: Path, entry: SegmentEntry) -> None:
    """List a segment, durably. What an earlier crash tore off the last line is cut first."""
    path = product_dir / CATALOG
    fd = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        _, end = parse_catalog(path, path.read_bytes())
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


def sync_catalog(product_dir: Path) -> None:
    """Make a catalog durable as it stands."""
    with suppress(FileNotFoundError):
        sync_file(product_dir / CATALOG)
    sync_directory(product_dir)


def unlisted_segments(product_dir: Path) -> list[Path]:
    """Return segment files that no line lists, and that no journal holds the rows of either.

    A file that waits for its line still has its journal; any other is a sign of a lost catalog. Files are
    looked for first, then journals, then lines, so that a recorder or a compaction at work is no such sign.

    Raises:
        DamagedTapeError: where the catalog cannot be read.
    """
    found = sorted(product_dir.glob("date=*/*.parquet"))
    waiting = {path.stem for path in journal_paths(product_dir / "_journal")}
    listed = set()
    for path in (product_dir / NEXT_CATALOG, product_dir / CATALOG):
        with suppress(FileNotFoundError):
            listed |= {product_dir / entry.file for entry in parse_catalog(path, path.read_bytes())[0]}
    return [path for path in found if path not in listed and path.stem not in waiting and path.exists()]


def merge_faults(parts: Iterable[Faults]) -> Faults:
    """Return the faults of several parts of a tape together."""
    merged: Faults = {}
    for part in parts:
        for connection, counts in part.items():
            held = merged.setdefault(connection, {})
            for kind, number in counts.items():
                held[kind] = held.get(kind, 0) + number
    return merged
