"""`_segments.jsonl`: a line per sealed segment, in order. A segment counts once it is listed here."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from orderbook.times import parse_time
from recorder.tape.errors import DamagedTapeError
from recorder.tape.files import open_private, sync_directory, write_all
from recorder.tape.layout import CATALOG


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A sealed segment.

    Attributes:
        file: path inside the product's directory.
        first_seq, rows: its rows are first_seq ... first_seq + rows - 1.
        first_recv_time, last_recv_time: ISO with 9 digits (JSON numbers lose nanoseconds in many readers).
        connections: the first and last connection of its rows.
        bytes, sha256: of the file.
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

    @property
    def last_time(self) -> int:
        """Its last recv_time, nanoseconds since 1970."""
        return parse_time(self.last_recv_time) or 0

    @property
    def next_seq(self) -> int:
        """Number of the first row after it."""
        return self.first_seq + self.rows


_ENTRY = msgspec.json.Decoder(SegmentEntry)


def read_catalog(product_dir: Path) -> list[SegmentEntry]:
    """Return a product's sealed segments; a torn last line is not counted (its journal is still there).

    Raises:
        DamagedTapeError: where a line is not an entry, or segments do not follow one another.
    """
    path = product_dir / CATALOG
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    entries: list[SegmentEntry] = []
    for number, line in enumerate(lines, 1):
        try:
            entry = _ENTRY.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedTapeError(f"{path}: line {number}: {error}") from None
        expected = entries[-1].next_seq if entries else 0
        if entry.first_seq != expected or entry.rows < 1 or not entry.last_time:
            raise DamagedTapeError(
                f"{path}: line {number}: row {entry.first_seq} where row {expected} belongs"
            )
        entries.append(entry)
    return entries


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
            write_all(fd, msgspec.json.encode(asdict(entry)) + b"\n")
        except OSError:
            os.ftruncate(fd, end)
            raise
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(product_dir)
