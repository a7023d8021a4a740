"""`_index/`: what stands beside each sealed segment: reading can begin there, and differences be found.

- `<first_seq>.book`: the book as it stands before the segment's first row; `booktape index` makes it again.
  It stays where a compaction merges the segment: reading can begin with each part of a day.
- `<first_seq>.checks`: a check of each row's summary as it was recorded (`orderbook.row_checks`).

A sidecar is bound to a digest of the summaries that it belongs to, and compressed with a checksum: one that
is cut, damaged or of other rows is as good as none. None of them is needed to read a tape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import zstandard

from orderbook.digest import Digest
from orderbook.row_checks import Checks
from recorder.tape.catalog import Part, SegmentEntry
from recorder.tape.files import make_directory, replace_file
from recorder.tape.layout import book_file, checks_file

_FORM: Final = 1  # of what is inside; another form is as good as none
_MAX_BYTES: Final = 2**30  # a book of ten million levels; more is no book


class _Sidecar(msgspec.Struct, frozen=True):
    form: int
    first_seq: int
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading can begin.

    Attributes:
        seq: of the first row to read.
        saved: the book before that row, as `Engine.save` gave it; None before the tape's first row.
    """

    seq: int = 0
    saved: bytes | None = None


def digest_before(entries: Sequence[SegmentEntry], number: int) -> str:
    """Return the digest of all summaries before a segment, hex."""
    return entries[number - 1].digest if number else Digest().hexdigest()


def parts_of(entries: Sequence[SegmentEntry]) -> list[Part]:
    """Return the segments as they were sealed, in order: those listed, and those merged into them."""
    parts: list[Part] = []
    for number, entry in enumerate(entries):
        before = digest_before(entries, number)
        whole = Part(entry.first_seq, entry.first_recv_time, entry.connections, before)
        parts += entry.parts or (whole,)
    return parts


def write_book(product_dir: Path, first_seq: int, digest: str, saved: bytes) -> None:
    """Write the book before a segment.

    Args:
        product_dir: the product's directory.
        first_seq: of the segment.
        digest: of all summaries before it, hex.
        saved: the book, as `Engine.save` gives it.

    Raises:
        OSError: as the operating system says.
    """
    _write(book_file(product_dir, first_seq), first_seq, digest, saved)


def read_book(product_dir: Path, part: Part) -> bytes | None:
    """Return the book before a part; None where there is none that can be trusted."""
    return _read(book_file(product_dir, part.first_seq), part.first_seq, part.before)


def write_checks(product_dir: Path, entry: SegmentEntry, checks: Checks) -> None:
    """Write the checks of a segment's rows.

    Raises:
        OSError: as the operating system says.
    """
    content = checks.astype("<u4").tobytes()
    _write(checks_file(product_dir, entry.first_seq), entry.first_seq, entry.digest, content)


def read_checks(product_dir: Path, entry: SegmentEntry) -> Checks | None:
    """Return the checks of a segment's rows, shape (rows,); None where there are none that can be trusted."""
    content = _read(checks_file(product_dir, entry.first_seq), entry.first_seq, entry.digest)
    if content is None or len(content) != 4 * entry.rows:
        return None
    return np.frombuffer(content, "<u4")


def remove_book(product_dir: Path, first_seq: int) -> None:
    """Remove the book before a row with which no part begins any more."""
    book_file(product_dir, first_seq).unlink(missing_ok=True)


def remove_checks(product_dir: Path, first_seq: int) -> None:
    """Remove the checks of a segment that is no more."""
    checks_file(product_dir, first_seq).unlink(missing_ok=True)


def start_in(product_dir: Path, parts: Sequence[Part], number: int) -> Start:
    """Return where to begin so that the book is right from a part's first row on.

    That is the part itself, or the nearest before it whose book can be trusted. Reads one sidecar
    where the index is whole.

    Args:
        product_dir: the product's directory.
        parts: of its sealed segments, in order (`parts_of`).
        number: which of them; -1 and below stand for the tape's beginning.
    """
    for part in reversed(parts[: max(number + 1, 0)]):
        saved = read_book(product_dir, part)
        if saved is not None:
            return Start(part.first_seq, saved)
    return Start()


def _write(path: Path, first_seq: int, digest: str, content: bytes) -> None:
    make_directory(path.parent)
    packed = msgspec.msgpack.encode(_Sidecar(_FORM, first_seq, digest, content))
    replace_file(path, zstandard.ZstdCompressor(level=3, write_checksum=True).compress(packed))


def _read(path: Path, first_seq: int, digest: str) -> bytes | None:
    try:
        packed = path.read_bytes()
        if zstandard.frame_content_size(packed) > _MAX_BYTES:
            return None
        found = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed), type=_Sidecar)
    except (OSError, zstandard.ZstdError, msgspec.DecodeError):
        return None
    is_its_own = (found.form, found.first_seq, found.digest) == (_FORM, first_seq, digest)
    return found.content if is_its_own else None
