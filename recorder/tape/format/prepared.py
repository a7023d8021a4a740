"""`_columns/`: the rows of a sealed segment as the compiled engine reads them, so that no text is read again.

`<first_seq>.rows` holds a header, then blocks of rows of `orderbook.schema.PACKED_SCHEMA`. The header names
the SHA-256 of the segment and the version of what packed the rows; every block has a checksum. A file of
anything else is treated as missing, and rows of which no block is right are read from the segment. Reading a
tape needs no such file.

A block is its length, rows and first seq (8 bytes each), then what `prepared_block` packs.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import pyarrow as pa

from recorder.tape.format.layout import prepared_file
from recorder.tape.format.prepared_block import MAX_BYTES, pack_block, unpack_block
from recorder.tape.format.segment import SealedSegment
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.row_batches import copy_rows
from recorder.tape.store import files as store
from recorder.tape.store.writing import arrow_sink

_MAGIC: Final = b"booktape rows 2\n"
_LENGTH: Final = struct.Struct("<q")
_BLOCK: Final = struct.Struct("<qqq")


class Header(msgspec.Struct, frozen=True):
    """What a file was made of, and by."""

    product: str
    feed: str
    first_seq: int
    rows: int
    sha256: str
    version: str


@dataclass(frozen=True, slots=True)
class PreparedSegment:
    """The open file of a segment.

    Attributes:
        entry: the line of the segment in the list of segments.
        start: seq of the first row to read.
        file: the open file, behind the header.
        sealed: opens the segment itself from a seq on.
    """

    entry: SegmentEntry
    start: int
    file: BinaryIO
    sealed: Callable[[int], SealedSegment]

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows from `start` in batches of at most `size`, from a damaged block on of the segment.

        Raises:
            DamagedTapeError: if those must be read, and the segment is not what was written.
        """
        next_seq = self.start
        for rows in self.blocks():
            for at in range(0, rows.num_rows, size):
                part = rows if rows.num_rows <= size else copy_rows(rows.slice(at, size))
                next_seq += part.num_rows
                yield part
        if next_seq < self.entry.next_seq:
            segment = self.sealed(next_seq)
            with segment.file:
                yield from segment.batches(size)

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """Yield the blocks from `start` up to the first that is damaged."""
        next_seq = self.entry.first_seq
        while next_seq < self.entry.next_seq:
            try:
                length, rows, first_seq = _BLOCK.unpack(self.file.read(_BLOCK.size))
                if first_seq != next_seq or rows < 1 or not 0 < length < MAX_BYTES:
                    return
                next_seq += rows
                if next_seq <= self.start:
                    self.file.seek(length, 1)
                    continue
                block = unpack_block(self.file.read(length), rows, first_seq)
            except (OSError, ValueError, struct.error, pa.ArrowException):
                return
            yield block if first_seq >= self.start else copy_rows(block.slice(self.start - first_seq))


def open_prepared(
    product_dir: Path,
    header: Header,
    entry: SegmentEntry,
    start: int,
    sealed: Callable[[int], SealedSegment],
) -> PreparedSegment | None:
    """Open the file of a segment from a seq on; None if there is none with this header."""
    expected = _MAGIC + _packed_header(header)
    try:
        file = store.open_file(prepared_file(product_dir, entry.first_seq))
    except OSError:
        return None
    try:
        if file.read(len(expected)) == expected:
            return PreparedSegment(entry, start, file, sealed)
    except OSError:
        pass
    file.close()
    return None


def write_prepared(product_dir: Path, header: Header, batches: Iterable[pa.RecordBatch]) -> None:
    """Write the file of a segment; it gets its name when it is complete.

    Args:
        product_dir: the product's directory.
        header: of the file.
        batches: all rows of the segment, of `PACKED_SCHEMA`.

    Raises:
        OSError: if it cannot be written.
        ValueError: if the rows have a kind that no version knows.
    """
    path = prepared_file(product_dir, header.first_seq)
    store.make_directory(path.parent)
    aside = store.aside_path(path)
    store.create_empty(aside)
    try:
        with arrow_sink(aside) as sink:
            sink.write(_MAGIC + _packed_header(header))
            for rows in batches:
                block = pack_block(rows)
                sink.write(_BLOCK.pack(len(block), rows.num_rows, rows.column(0)[0].as_py()) + block)
        store.sync_file(aside)
        store.rename_file(aside, path)
    except BaseException:
        with suppress(OSError):
            store.remove_file(aside)  # a full disk has no use for half a file
        raise


def prepared_bytes(product_dir: Path, first_seq: int) -> int:
    """Return the size of the file of a segment."""
    return store.file_size(prepared_file(product_dir, first_seq))


def remove_other_prepared(product_dir: Path, first_seqs: Sequence[int]) -> None:
    """Remove all files but those of the segments that begin with these rows."""
    directory = prepared_file(product_dir, 0).parent
    kept = {prepared_file(product_dir, first_seq).name for first_seq in first_seqs}
    for name in set(store.names_in(directory)) - kept:
        store.remove_file(directory / name)


def _packed_header(header: Header) -> bytes:
    encoded = msgspec.msgpack.encode(header)
    return _LENGTH.pack(len(encoded)) + encoded
