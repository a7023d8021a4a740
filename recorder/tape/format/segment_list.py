"""`_segments.jsonl`: a line for each sealed segment, in order. A segment counts once it is listed.

A compaction writes `_segments.next.jsonl`: as soon as that name exists, it is the list, even if the process
dies before the files are in place. Whoever changes one of them holds `segment_list_lock`.
"""

from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import (
    JOURNALS,
    NEXT_SEGMENT_LIST,
    SEGMENT_LIST,
    SEGMENT_LIST_LOCK,
    journal_file,
)
from recorder.tape.format.segment_entry import (
    SegmentEntry,
    decode_entry,
    encode_entry,
    problem_of,
    sealed_rows,
)
from recorder.tape.store import local as store
from recorder.tape.store.durable import sync_directory

_LAST_LINE_BYTES: Final = 2**16
"""Bytes in which the last line of a list is looked for; that of a segment without parts has 600."""


def read_segment_list(product_dir: Path) -> list[SegmentEntry]:
    """Return the sealed segments of a product, in order.

    A last line that a crash cut short is ignored: the journal with its rows still exists.

    Raises:
        DamagedTapeError: if a line is not an entry, segments do not follow one another, or the product's
            directory is missing.
    """
    for path in (product_dir / NEXT_SEGMENT_LIST, product_dir / SEGMENT_LIST):
        try:
            content = store.read_file(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DamagedTapeError(f"{path}: {error.strerror}", path) from None
        entries, length = parse_segment_list(path, content)
        journal = product_dir / JOURNALS / journal_file(sealed_rows(entries))
        if length < len(content) and not store.exists(journal) and _is_unchanged(path, content):
            raise DamagedTapeError(
                f"{path}: line {len(entries) + 1}: not an entry, and no journal has its rows", path
            )
        return entries
    require_directory(product_dir)
    return []


def list_version(product_dir: Path) -> object:
    """Return a value that changes whenever the list of a product does."""
    return tuple(store.file_version(product_dir / name) for name in (NEXT_SEGMENT_LIST, SEGMENT_LIST))


def require_directory(product_dir: Path) -> None:
    """Check that the directory of a product exists: one that is gone is not one without rows.

    Raises:
        DamagedTapeError: if it does not exist.
    """
    if not store.exists(product_dir):
        raise DamagedTapeError(
            f"{product_dir}: the directory is missing; the tape was moved, unmounted or lost this product",
            product_dir,
        )


def _is_unchanged(path: Path, content: bytes) -> bool:
    """Tell whether a file still has this content; if not, a process was writing it."""
    try:
        return store.read_file(path) == content
    except FileNotFoundError:
        return False


def parse_segment_list(path: Path, content: bytes) -> tuple[list[SegmentEntry], int]:
    """Return the entries in the content of a list, and the number of bytes that they take.

    Only the last line may be incomplete. `path` names the file in errors.

    Raises:
        DamagedTapeError: if another line is not an entry, or segments do not follow one another.
    """
    entries: list[SegmentEntry] = []
    length = 0
    lines = content.split(b"\n")
    last = len(lines) - (1 if not lines[-1] else 0)
    for number, line in enumerate(lines[:-1], 1):
        try:
            entry = decode_entry(line)
            problem = problem_of(entry, entries[-1] if entries else None)
        except UNREADABLE as error:
            if number == last:
                break
            raise DamagedTapeError(f"{path}: line {number}: {error}", path) from None
        if problem:
            raise DamagedTapeError(f"{path}: line {number}: {problem}", path)
        entries.append(entry)
        length += len(line) + 1
    return entries, length


def segment_list_lock(product_dir: Path) -> FileIO:
    """Return a lock to change a product's list; use `with`. Waits for the other holder, for milliseconds."""
    return store.acquire_lock(product_dir / SEGMENT_LIST_LOCK, wait=True)


def append_entry(product_dir: Path, entry: SegmentEntry) -> None:
    """Add a segment to the list, durably, after cutting what a crash left of an unfinished line.

    Raises:
        DamagedTapeError: if the list does not end where the segment begins.
    """
    path = product_dir / SEGMENT_LIST
    next_seq, end = _end_of_list(path)
    if next_seq != entry.first_seq:
        raise DamagedTapeError(
            f"{path}: ends before row {next_seq}; rows before {entry.first_seq} were sealed", path
        )
    store.replace_end(path, end, encode_entry(entry))


def _end_of_list(path: Path) -> tuple[int, int]:
    """Return the seq after the rows of a list, and the bytes of its whole lines; zeros if it is missing.

    Reads the last line alone, or a long import would take a time that grows with the square of its length.
    The whole list is read if a crash cut that line short.
    """
    try:
        with store.open_file(path) as file:
            size = store.file_size(file)
            file.seek(max(0, size - _LAST_LINE_BYTES))
            *_, last, rest = b"", *file.read().split(b"\n")
        if not rest and last:
            return decode_entry(last).next_seq, size
    except FileNotFoundError:
        return 0, 0
    except UNREADABLE:
        pass
    entries, end = parse_segment_list(path, store.read_file(path))
    return sealed_rows(entries), end


def write_next_list(product_dir: Path, entries: Iterable[SegmentEntry]) -> None:
    """Replace the list by another one, atomically; the old one and its files are still to be removed."""
    store.replace_file(product_dir / NEXT_SEGMENT_LIST, b"".join(map(encode_entry, entries)))


def sync_segment_list(product_dir: Path) -> None:
    """Make the list durable as it is."""
    with suppress(FileNotFoundError):
        store.sync_file(product_dir / SEGMENT_LIST)
    sync_directory(product_dir)
