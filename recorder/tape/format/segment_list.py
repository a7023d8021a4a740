"""The list of a product's segments: a line for each, in order. A segment counts once it is listed.

`list_files` says in which files the lines are. Whoever changes one of them holds `segment_list_lock`.
"""

from collections.abc import Iterable, Sequence
from io import FileIO
from pathlib import Path
from typing import Final

from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import (
    JOURNALS,
    SEGMENT_LIST_LOCK,
    SEGMENT_LISTS,
    day_of,
    journal_file,
)
from recorder.tape.format.list_files import ListFile, list_days, list_files
from recorder.tape.format.segment_entry import (
    SegmentEntry,
    decode_entry,
    encode_entry,
    problem_of,
)
from recorder.tape.store import files as store
from recorder.tape.store.durable import sync_directory

_LAST_LINE_BYTES: Final = 2**16
"""Bytes in which the last line of a file is looked for; that of a segment without parts has 600."""


def read_segment_list(product_dir: Path) -> list[SegmentEntry]:
    """Return the sealed segments of a product, in order.

    A last line that a crash cut short is ignored: the journal with its rows still exists.

    Raises:
        DamagedTapeError: if a line is not an entry, segments do not follow one another, or the product's
            directory is missing.
    """
    while True:
        files = _list_files(product_dir)
        entries: list[SegmentEntry] = []
        try:
            contents = fetched(product_dir, files)
            for file in files:
                before, is_last = entries[-1] if entries else None, file is files[-1]
                entries += read_list_file(
                    product_dir, file, before, is_last=is_last, content=contents.get(file)
                )
        except DamagedTapeError:
            if _list_files(product_dir) == files:
                raise
            continue  # it was migrated, or another day began, since it was looked up
        return entries


def entries_from(product_dir: Path, day: str) -> list[SegmentEntry]:
    """Return the segments of a day and of those after it; of all days if the list is one file.

    Raises:
        DamagedTapeError: if a list is not what was written.
    """
    files = [file for file in list_files(product_dir) if not file.day or file.day >= day]
    found: list[SegmentEntry] = []
    for file in files:
        before = found[-1] if found else entry_before(product_dir, file)
        found += read_list_file(product_dir, file, before, is_last=file is files[-1])
    return found


def fetched(product_dir: Path, files: Sequence[ListFile]) -> dict[ListFile, bytes]:
    """Return the contents of files in a store, fetched beside one another; none of local files."""
    if not store.is_remote(product_dir):
        return {}
    try:
        return dict(zip(files, store.read_files([file.path for file in files]), strict=True))
    except FileNotFoundError as error:
        raise DamagedTapeError(f"{error.filename}: this list of segments is missing", product_dir) from None


def _list_files(product_dir: Path) -> list[ListFile]:
    files = list_files(product_dir)
    if not files:
        require_directory(product_dir)
    return files


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


def read_list_file(
    product_dir: Path,
    file: ListFile,
    before: SegmentEntry | None,
    *,
    is_last: bool,
    content: bytes | None = None,
) -> list[SegmentEntry]:
    """Return the entries of a file, or of the one that stands for it.

    Args:
        product_dir: the product's directory.
        file: the file.
        before: the entry before its first one; None if it begins the list.
        is_last: whether no later file exists, so that a crash may have cut its last line short.
        content: its bytes, if they are known.

    Raises:
        DamagedTapeError: if it is missing, a line is not an entry, or segments do not follow one another.
    """
    path, content = _content(file) if content is None else (file.path, content)
    entries, length = parse_segment_list(path, content, before, file.day)
    if length < len(content) and _is_unchanged(path, content):
        last = entries[-1] if entries else before
        journal = product_dir / JOURNALS / journal_file(last.next_seq if last else 0)
        if store.is_remote(path) or not is_last or not store.exists(journal):
            raise DamagedTapeError(
                f"{path}: line {len(entries) + 1}: not an entry, and no journal has its rows", path
            )
    return entries


def _content(file: ListFile) -> tuple[Path, bytes]:
    """Return the path and the bytes of a file, or of the one that stands for it."""
    for path in (file.path,) if store.is_remote(file.path) else (file.next_path, file.path):
        try:
            return path, store.read_file(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DamagedTapeError(f"{path}: {error.strerror}", path) from None
    raise DamagedTapeError(f"{file.path}: this list of segments is missing", file.path)


def _is_unchanged(path: Path, content: bytes) -> bool:
    """Tell whether a file still has this content; if not, a process was writing it."""
    try:
        return store.read_file(path) == content
    except FileNotFoundError:
        return False


def parse_segment_list(
    path: Path, content: bytes, before: SegmentEntry | None = None, day: str = ""
) -> tuple[list[SegmentEntry], int]:
    """Return the entries in the content of a list file, and the number of bytes that they take.

    Only the last line may be incomplete.

    Args:
        path: names the file in errors.
        content: its bytes.
        before: the entry before its first one; None if it begins the list.
        day: the day of its segments; empty if they may be of any.

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
            problem = problem_of(entry, entries[-1] if entries else before)
        except UNREADABLE as error:
            if number == last:
                break
            raise DamagedTapeError(f"{path}: line {number}: {error}", path) from None
        if not problem and day not in ("", day_of(entry.file)):
            problem = f"{entry.file!r} is of another day"
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

    Reads the end of the last file alone, and writes to it, or to the first one of a new day.

    Raises:
        DamagedTapeError: if the list does not end where the segment begins.
    """
    days, day = list_days(product_dir), day_of(entry.file)
    file = ListFile(product_dir, day if store.exists(product_dir / SEGMENT_LISTS) else "")
    last, end = end_of_file(file)
    if last is None and file.day:
        last = _last_of(product_dir, [other for other in days if other < day])
    next_seq = last.next_seq if last else 0
    problem = f"ends before row {next_seq}; rows before {entry.first_seq} were sealed"
    if days and days[-1] > day:
        problem = f"is not the last one; {entry.file} was sealed"
    elif next_seq == entry.first_seq:
        store.replace_end(file.path, end, encode_entry(entry))
        return
    raise DamagedTapeError(f"{file.path}: {problem}", file.path)


def entry_before(product_dir: Path, file: ListFile) -> SegmentEntry | None:
    """Return the entry before those of a file; None if it begins the list."""
    return _last_of(product_dir, [day for day in list_days(product_dir) if day < file.day])


def last_entry(product_dir: Path) -> SegmentEntry | None:
    """Return the last sealed segment of a product; None if it has none. Reads the end of the last file alone.

    Raises:
        DamagedTapeError: if the list cannot be read.
    """
    return _last_of(product_dir, [file.day for file in _list_files(product_dir)])


def _last_of(product_dir: Path, days: Sequence[str]) -> SegmentEntry | None:
    """Return the last entry of some days: a crash may have left the last file empty."""
    for day in reversed(days):
        if (entry := end_of_file(ListFile(product_dir, day))[0]) is not None:
            return entry
    return None


def end_of_file(file: ListFile) -> tuple[SegmentEntry | None, int]:
    """Return the last entry of a file, and the bytes of its whole lines; None and 0 if it has none.

    Reads its end alone, or a long import would take a time that grows with the square of its length.

    Raises:
        DamagedTapeError: if more than the last line is not an entry.
    """
    try:
        with store.open_file(file.path) as opened:
            size = store.file_size(opened)
            for length in (_LAST_LINE_BYTES, size):
                start = max(0, size - length)
                opened.seek(start)
                *lines, rest = opened.read(size - start).split(b"\n")
                if start:
                    del lines[0]  # its beginning is missing
                if lines and not rest and not _is_entry(lines[-1]):
                    rest = lines.pop() + b"\n"
                if lines:
                    return decode_entry(lines[-1]), size - len(rest)
    except FileNotFoundError:
        pass
    except UNREADABLE as error:
        raise DamagedTapeError(f"{file.path}: its last lines are not entries: {error}", file.path) from None
    return None, 0


def _is_entry(line: bytes) -> bool:
    try:
        decode_entry(line)
    except UNREADABLE:
        return False
    return True


def write_next_list(file: ListFile, entries: Iterable[SegmentEntry]) -> None:
    """Replace the entries of a file by others, atomically; what the old ones name is still to be removed."""
    store.replace_file(file.next_path, b"".join(map(encode_entry, entries)))


def sync_segment_list(product_dir: Path) -> None:
    """Make the list durable as it is."""
    for file in list_files(product_dir)[-1:]:
        store.sync_file(file.path)
        sync_directory(file.path.parent)
    sync_directory(product_dir)
