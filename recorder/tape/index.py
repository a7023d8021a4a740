"""`_index/`: the book as it stands before each sealed segment, so that reading can begin anywhere.

A sidecar is derived from the rows before it: it may be missing, and `booktape index` makes it again. It is
bound to the digest of all summaries before its segment, and compressed with a checksum: one that is cut,
damaged or of other rows is as good as none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from orderbook.digest import Digest
from recorder.tape.catalog import SegmentEntry
from recorder.tape.files import make_directory, replace_file
from recorder.tape.layout import index_dir, sidecar_file

_FORM: Final = 1  # of the saved state; another form is rebuilt
_MAX_BYTES: Final = 2**30  # a book of ten million levels; more is no book


class _Sidecar(msgspec.Struct, frozen=True):
    form: int
    first_seq: int
    digest: str
    state: bytes


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


def write_sidecar(product_dir: Path, first_seq: int, digest: str, saved: bytes) -> None:
    """Write the book before a segment; it is derived, so it gets its name whole but need not survive a cut.

    Args:
        product_dir: the product's directory.
        first_seq: of the segment.
        digest: of all summaries before it, hex.
        saved: the book, as `Engine.save` gives it.

    Raises:
        OSError: as the operating system says.
    """
    content = msgspec.msgpack.encode(_Sidecar(_FORM, first_seq, digest, saved))
    directory = index_dir(product_dir)
    make_directory(directory)
    packed = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)
    replace_file(directory / sidecar_file(first_seq), packed)


def read_sidecar(product_dir: Path, first_seq: int, digest: str) -> bytes | None:
    """Return the book before a segment; None where there is none that can be trusted.

    Args:
        product_dir: the product's directory.
        first_seq: of the segment.
        digest: of all summaries before it, hex.
    """
    try:
        packed = (index_dir(product_dir) / sidecar_file(first_seq)).read_bytes()
        if zstandard.frame_content_size(packed) > _MAX_BYTES:
            return None
        content = zstandard.ZstdDecompressor().decompress(packed)
        found = msgspec.msgpack.decode(content, type=_Sidecar)
    except (OSError, zstandard.ZstdError, msgspec.DecodeError):
        return None
    is_its_own = (found.form, found.first_seq, found.digest) == (_FORM, first_seq, digest)
    return found.state if is_its_own else None


def remove_sidecar(product_dir: Path, first_seq: int) -> None:
    """Remove the sidecar of a segment that is no more."""
    (index_dir(product_dir) / sidecar_file(first_seq)).unlink(missing_ok=True)


def start_in(product_dir: Path, entries: Sequence[SegmentEntry], number: int) -> Start:
    """Return where to begin so that the book is right from a segment's first row on.

    That is the segment itself, or the nearest before it whose sidecar can be trusted. Reads one sidecar
    where the index is whole.

    Args:
        product_dir: the product's directory.
        entries: its sealed segments, in order.
        number: which of them; -1 and below stand for the tape's beginning.
    """
    for place in range(number, -1, -1):
        first_seq = entries[place].first_seq
        saved = read_sidecar(product_dir, first_seq, digest_before(entries, place))
        if saved is not None:
            return Start(first_seq, saved)
    return Start()
