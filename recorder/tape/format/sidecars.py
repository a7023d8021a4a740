"""`_index/`: files beside each sealed segment that let reading begin there and differences be located.

- `<first_seq>.book`: the book before the segment's first row; `booktape index` rebuilds it. It stays when a
  compaction merges the segment, so reading can begin at each original segment.
- `<first_seq>.checks`: a checksum of each row's summary as it was recorded (`orderbook.digest`).

A sidecar carries the digest of the summaries that it belongs to, and is compressed with a checksum. The list
of segments has the SHA-256 of each book. A sidecar is treated as missing if it is cut, of other rows, not the
listed book, or no book at all. Reading a tape needs none of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import zstandard

from orderbook.digest import Checks
from orderbook.tracker import is_saved_state
from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.format.layout import SIDECARS, book_file, checks_file, product_of
from recorder.tape.format.segment_entry import Part, SegmentEntry
from recorder.tape.store import files as store

_FORM: Final = 1  # version of the content; any other is treated as missing
_MAX_BYTES: Final = 2**30  # a book of ten million levels; more is not a book


class _Sidecar(msgspec.Struct, frozen=True):
    form: int
    first_seq: int
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading begins.

    Attributes:
        seq: seq of the first row to read.
        saved: the book before that row in the form of `Engine.save`; None at the beginning of the tape.
    """

    seq: int = 0
    saved: bytes | None = None


def write_book(product_dir: Path, first_seq: int, digest: str, saved: bytes) -> str:
    """Write the book before a segment; return its SHA-256 in hex, for the list of segments.

    Args:
        product_dir: the product's directory.
        first_seq: seq of the segment's first row.
        digest: digest of all summaries before it.
        saved: the book in the form of `Engine.save`.
    """
    _write(book_file(product_dir, first_seq), first_seq, digest, saved)
    return store.sha256_of(saved)


def stored_book(product_dir: Path, part: Part) -> bytes | None:
    """Return what the sidecar of a part holds, right or wrong; None if it is missing or of other rows."""
    return _read(book_file(product_dir, part.first_seq), part.first_seq, part.before)


def read_book(product_dir: Path, part: Part, feed: str) -> bytes | None:
    """Return the book before a part of a tape of a feed; None if there is no valid sidecar. O(levels)."""
    saved = stored_book(product_dir, part)
    if saved is None or part.book_sha256 not in ("", store.sha256_of(saved)):
        return None
    return saved if is_saved_state(saved, product_of(product_dir), feed) else None


def has_book(product_dir: Path, part: Part) -> bool:
    """Return whether there is a sidecar with the book before a part, right or wrong; reads nothing."""
    return store.exists(book_file(product_dir, part.first_seq))


def write_checks(product_dir: Path, entry: SegmentEntry, checks: Checks) -> None:
    """Write the checks of a segment's rows."""
    content = checks.astype("<u4").tobytes()
    _write(checks_file(product_dir, entry.first_seq), entry.first_seq, entry.digest, content)


def read_checks(product_dir: Path, entry: SegmentEntry) -> Checks | None:
    """Return the checks of a segment's rows, shape (rows,); None if there is no valid sidecar."""
    content = _read(checks_file(product_dir, entry.first_seq), entry.first_seq, entry.digest)
    if content is None or len(content) != 4 * entry.rows:
        return None
    return np.frombuffer(content, "<u4")


def start_in(product_dir: Path, feed: str, parts: Iterable[Part], *, believes_unlisted: bool = True) -> Start:
    """Return where to begin reading so that the book is right from the first row of a part on.

    That is the first of the parts with a valid book whose checksum is listed. If none has, it is the first
    one with a book that is valid by itself, of an earlier version. Reads one sidecar if none is missing, and
    looks up which there are if one is: in a store, a request for each missing one would take long.

    Args:
        product_dir: the product's directory.
        feed: the name of the tape's venue.
        parts: that part, and those before it, backwards.
        believes_unlisted: whether a book without a listed checksum may be taken.
    """

    @cache
    def names() -> frozenset[str]:
        return frozenset(store.names_in(product_dir / SIDECARS))

    has_missed, unlisted = False, []
    for part in parts:
        if not part.book_sha256:
            unlisted.append(part)
        elif not has_missed or book_file(product_dir, part.first_seq).name in names():
            if (saved := read_book(product_dir, part, feed)) is not None:
                return Start(part.first_seq, saved)
            has_missed = True
    for part in unlisted if believes_unlisted else ():
        if book_file(product_dir, part.first_seq).name in names():
            saved = read_book(product_dir, part, feed)
            if saved is not None:
                return Start(part.first_seq, saved)
    return Start()


def _write(path: Path, first_seq: int, digest: str, content: bytes) -> None:
    store.make_directory(path.parent)
    packed = msgspec.msgpack.encode(_Sidecar(_FORM, first_seq, digest, content))
    store.replace_file(path, zstandard.ZstdCompressor(level=3, write_checksum=True).compress(packed))


def _read(path: Path, first_seq: int, digest: str) -> bytes | None:
    try:
        packed = store.read_file(path)
        if zstandard.frame_content_size(packed) > _MAX_BYTES:
            return None
        found = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed), type=_Sidecar)
    except (OSError, zstandard.ZstdError, *UNREADABLE):
        return None
    is_valid = (found.form, found.first_seq, found.digest) == (_FORM, first_seq, digest)
    return found.content if is_valid else None
