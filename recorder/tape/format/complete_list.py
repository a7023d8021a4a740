"""What a product must hold: its list of segments against its files.

Absent is not empty. What is listed and missing, or there and not listed, is damage, for every command that
reads that day, unless it is noted as removed, as a store has it (`removed`). Files are looked up first, then
journals, then lines, so that a recorder, a shipping or a compaction at work is no problem. No segment is
opened.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.journal import journal_paths
from recorder.tape.format.layout import DAY, JOURNALS, SIDECARS, merged_file
from recorder.tape.format.list_files import ListFile, changed_lists
from recorder.tape.format.presence import names_in, report_problems
from recorder.tape.format.removed import removed_rows
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.format.segment_list import entry_before, parse_segment_list, read_segment_list
from recorder.tape.store import files as store

_SEGMENT: Final = ".parquet"


def complete_list(
    product_dir: Path, least: int, read: Callable[[], list[SegmentEntry]], problems: list[str] | None = None
) -> list[SegmentEntry]:
    """Return the list of segments of which every file is there, and which lists all files that are.

    Args:
        product_dir: directory of the product.
        least: rows that were sealed when the last recorder ended, by the manifest.
        read: returns all segments.
        problems: takes a line for each file that is missing or not listed; None raises an error instead.

    Raises:
        DamagedTapeError: if the list cannot be read; if files are missing or not listed and `problems` is
            None.
    """
    sidecars = _sidecars(product_dir)
    seen = _Seen.of(product_dir)
    entries = read()
    last = entries[-1] if entries else None
    found = seen.unlisted(entries, last)
    found += _problems_of_end(product_dir, last, least, sidecars, seen)
    found += seen.missing(entries)
    report_problems(found, problems, product_dir)
    return entries


def complete_day(product_dir: Path, day: str, read: Callable[[], list[SegmentEntry]]) -> list[SegmentEntry]:
    """Return the segments of a day of which every file is there, and which are all that are.

    Args:
        product_dir: directory of the product.
        day: the day; empty for all days, in format 1.
        read: returns the segments of the day.

    Raises:
        DamagedTapeError: if the list cannot be read, or files are missing or not listed.
    """
    seen = _Seen.of(product_dir, [day] if day else None)
    entries = read()
    last = entries[-1] if entries else None
    report_problems([*seen.unlisted(entries, last), *seen.missing(entries)], None, product_dir)
    return entries


def complete_end(
    product_dir: Path, least: int, read: Callable[[], tuple[list[ListFile], SegmentEntry | None]]
) -> tuple[list[ListFile], SegmentEntry | None]:
    """Return the files of a list and its last segment, if all rows that there are come before its end.

    Args:
        product_dir: directory of the product.
        least: rows that were sealed when the last recorder ended, by the manifest.
        read: returns the files and the last segment.

    Raises:
        DamagedTapeError: if a day is not listed, fewer rows are than `least`, or sidecars are of later rows.
    """
    sidecars = _sidecars(product_dir)
    days = _days(product_dir)
    files, last = read()
    unlisted = [] if files and not files[0].day else sorted({*days} - {file.day for file in files})
    seen = _Seen.of(product_dir, unlisted)
    if seen.files:  # of a day that has begun since
        files, last = read()
    found = seen.unlisted(read_segment_list(product_dir) if seen.files else [], last)
    found += _problems_of_end(product_dir, last, least, sidecars, seen)
    report_problems(found, None, product_dir)
    return files, last


def _sidecars(product_dir: Path) -> list[str]:
    """Return the names of sidecars; none in a store, where they come before the lines of their segments."""
    return [] if store.is_remote(product_dir) else names_in(product_dir / SIDECARS)


def _problems_of_end(
    product_dir: Path, last: SegmentEntry | None, least: int, sidecars: list[str], seen: "_Seen"
) -> list[str]:
    end = last.next_seq if last else 0
    later = [name for name in sidecars[bisect_left(sidecars, f"{end:020d}") :] if name[:20].isdecimal()]
    known = seen.waiting | {PurePath(name).stem for name in seen.files} if later else set()
    found = [
        f"{product_dir / SIDECARS / name}: belongs to rows that the list of segments does not have"
        for name in later
        if name[:20] not in known
    ]
    if end < least:
        found.append(f"{product_dir}: the list has {end:,} rows, but {least:,} were sealed")
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was there before a list was read.

    Attributes:
        product_dir: directory of the product.
        files: segments, by their paths inside of it.
        waiting: the names of journals, without their ending.
    """

    product_dir: Path
    files: set[str]
    waiting: set[str]

    @classmethod
    def of(cls, product_dir: Path, days: Sequence[str] | None = None) -> "_Seen":
        """Look up the segments of some days, or of all, and after them the journals."""
        try:
            names = (
                list(store.file_sizes(product_dir, DAY))
                if days is None
                else [f"{DAY}{day}/{name}" for day in days for name in names_in(product_dir / f"{DAY}{day}")]
            )
        except OSError as error:
            raise DamagedTapeError(
                f"{product_dir}: cannot be listed ({error.strerror})", product_dir
            ) from None
        files = {name for name in names if name.endswith(_SEGMENT)}
        return cls(product_dir, files, {path.stem for path in journal_paths(product_dir / JOURNALS)})

    def unlisted(self, entries: Iterable[SegmentEntry], last: SegmentEntry | None) -> list[str]:
        """Return a line for each segment that no entry names.

        A file that waits for its line still has its journal; in a store it is one behind all that are listed,
        as files are shipped before their lines.
        """
        others = self.files - {entry.file for entry in entries}
        if others:
            others -= _replaced(self.product_dir)
        end = f"{last.next_seq if last else 0:020d}" if store.is_remote(self.product_dir) else ":"
        return [
            f"{self.product_dir / name}: a segment that the list of segments does not name"
            for name in sorted(others)
            if PurePath(name).stem not in self.waiting
            and PurePath(name).stem < end
            and store.exists(self.product_dir / name)
        ]

    def missing(self, entries: Iterable[SegmentEntry]) -> list[str]:
        """Return a line for each entry whose segment is missing, and was not removed for being in a store."""
        missing = [entry for entry in entries if entry.file not in self.files]
        gone = removed_rows(self.product_dir) if missing else 0  # noted before a file is removed
        return [
            f"{self.product_dir / entry.file}: a sealed segment is missing"
            for entry in missing
            if entry.first_seq >= gone and _is_missing(self.product_dir, entry)
        ]


def _days(product_dir: Path) -> list[str]:
    """Return the days of which a product has a folder."""
    return [name.removeprefix(DAY) for name in names_in(product_dir) if name.startswith(DAY)]


def _replaced(product_dir: Path) -> set[str]:
    """Return the files that a compaction has replaced in the list, and not removed yet."""
    found: set[str] = set()
    for file in changed_lists(product_dir):
        with suppress(FileNotFoundError):
            content = store.read_file(file.path)
            before, _ = parse_segment_list(file.path, content, entry_before(product_dir, file), file.day)
            found |= {entry.file for entry in before}
    return found


def _is_missing(product_dir: Path, entry: SegmentEntry) -> bool:
    """Tell whether a listed segment is missing: not sealed, renamed or merged since files were looked up."""
    path = product_dir / entry.file
    return (
        not store.exists(merged_file(path))
        and not store.exists(path)
        and entry in read_segment_list(product_dir)
    )
