"""The list of a product's segments as an open tape reads it: a file at a time, as it is asked for, and kept.

A tape of a year has a file a day. What needs its end, or a window of it, reads those days alone, and compares
them alone with the files that are there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orderbook.times import format_time, parse_time
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.complete_list import complete_day, complete_end, complete_list
from recorder.tape.format.list_files import ListFile, list_versions
from recorder.tape.format.removed import read_removed, removed_rows
from recorder.tape.format.segment_entry import Part, SegmentEntry, parts_of
from recorder.tape.format.segment_list import end_of_file, fetched, read_list_file, require_directory

if TYPE_CHECKING:
    from recorder.tape.overview import Overview

T = TypeVar("T")

Files = tuple[dict[Path, int], list[SegmentEntry]]
"""The sizes of a product's journals, and its segments."""


@dataclass(slots=True)
class Listing:
    """What an open tape has seen of a product.

    Attributes:
        directory: the product's directory.
        least: rows that it had sealed when its last recorder ended, by the manifest.
        rows: number of rows in the list of segments; None until it was looked at. A list that is read again
            and has fewer is not the same tape any more: moved, unmounted or damaged.
        overview: the overview, with the files of which it was made.
    """

    directory: Path
    least: int = 0
    rows: int | None = None
    overview: "tuple[Files, Overview] | None" = None
    _whole: tuple[list[ListFile], list[SegmentEntry]] | None = None
    _known: dict[str, tuple[ListFile, list[SegmentEntry]]] = field(default_factory=dict)
    _compared: set[str] = field(default_factory=set)

    def segments(self, problems: list[str] | None = None) -> list[SegmentEntry]:
        """Return the sealed segments that are here, in order; the first time, compare them with the files.

        Args:
            problems: takes a line for each file that is missing or not listed; None raises an error.

        Raises:
            DamagedTapeError: if the list cannot be read or has fewer rows than before, or if files are
                missing or not listed and `problems` is None.
        """
        files = list_versions(self.directory)  # before they are read: they may grow meanwhile
        if self._whole is None or self._whole[0] != files:
            if self._whole is None:
                entries = complete_list(self.directory, self.least, self._read_whole, problems)
                self._compared.update(self._known)
            else:
                entries = self._read_whole()
            self._note(entries[-1] if entries else None)
            self._whole = files, entries
        return self._whole[1][self._removed_segments() :]

    def parts(self) -> list[Part]:
        """Return the original segments of `segments`, in order.

        Raises:
            DamagedTapeError: as `segments` does.
        """
        self.segments()
        assert self._whole is not None  # noqa: S101  just read
        entries, number = self._whole[1], self._removed_segments()
        return parts_of(entries[number:], entries[number - 1] if number else None)

    def _removed_segments(self) -> int:
        """Return how many of the listed segments were removed here."""
        gone = removed_rows(self.directory)
        return bisect_left(self._whole[1], gone, key=lambda entry: entry.first_seq) if self._whole else 0

    def last(self) -> SegmentEntry | None:
        """Return the last sealed segment; None if there is none. Reads the last file.

        Raises:
            DamagedTapeError: if the end of the list cannot be read, or is not what the files say.
        """
        return self._settled(lambda files: self._end(files, len(files) - 1))

    def nearest(
        self, choose: Callable[[Iterator[Part]], T], *, time: int | None = None, seq: int | None = None
    ) -> T:
        """Return what a function chooses of the parts before a time, or up to a row, the last one first.

        Days are read as it asks for their parts. It may be called again, if the list is changed meanwhile.

        Args:
            choose: the function.
            time: parts begin before it, nanoseconds since 1970; None for any.
            seq: parts begin at or before this row; None for any.

        Raises:
            DamagedTapeError: if what is read of the list is not what was written.
        """
        return self._settled(lambda files: choose(self._parts(files, time, seq)))

    def since(self, seq: int) -> Iterator[SegmentEntry]:
        """Yield the segments with rows from a seq on, in order, reading each day as it comes.

        Raises:
            RemovedRowsError: if the first of these rows were removed here.
            DamagedTapeError: if what is read of the list is not what was written, or was changed meanwhile.
        """
        self.require(seq)
        files = self._look(list_versions(self.directory))
        for number in range(self._with_row(files, seq), len(files)):
            yield from (entry for entry in self._entries(files, number) if entry.next_seq > seq)

    def require(self, seq: int) -> None:
        """Check that a row was not removed here.

        Raises:
            RemovedRowsError: if it was.
        """
        removed = read_removed(self.directory)
        if removed is not None and seq < removed.rows:
            raise removed.error(self.directory)

    def _settled(self, find: Callable[[list[ListFile]], T]) -> T:
        while True:
            files = list_versions(self.directory)
            try:
                return find(self._look(files))
            except DamagedTapeError:
                if list_versions(self.directory) == files:
                    raise  # else it was migrated, or another day began, since it was looked up

    def _look(self, files: list[ListFile]) -> list[ListFile]:
        """Check that the end of the list is what was seen before, and the first time, what the files say."""
        if self.rows is None:
            files, last = complete_end(
                self.directory, self.least, lambda: self._with_end(list_versions(self.directory))
            )
        else:
            files, last = self._with_end(files)
        self._note(last)
        return files

    def _with_end(self, files: list[ListFile]) -> tuple[list[ListFile], SegmentEntry | None]:
        if not files:
            require_directory(self.directory)
        return files, self._end(files, len(files) - 1)

    def _note(self, last: SegmentEntry | None) -> None:
        before, now = self.rows, last.next_seq if last else 0
        if before is not None and now < before:
            raise DamagedTapeError(
                f"{self.directory}: {before:,} rows were sealed, now {now:,}; the tape was moved, "
                "replaced or damaged while it was read",
                self.directory,
            )
        self.rows = now

    def _read_whole(self) -> list[SegmentEntry]:
        while True:
            files = list_versions(self.directory)
            try:
                if not files:
                    require_directory(self.directory)
                unknown = [file for file in files if self._known.get(file.day, (None,))[0] != file]
                contents = fetched(self.directory, unknown)
                return [
                    entry
                    for number, file in enumerate(files)
                    for entry in self._read(files, number, contents.get(file))
                ]
            except DamagedTapeError:
                if list_versions(self.directory) == files:
                    raise

    def _entries(self, files: Sequence[ListFile], number: int) -> list[SegmentEntry]:
        """Return the entries of a file; the first time, compare them with the segments that are there."""
        day = files[number].day
        if day in self._compared:
            return self._read(files, number)
        entries = complete_day(self.directory, day, lambda: self._read(files, number))
        self._compared.add(day)
        return entries

    def _read(
        self, files: Sequence[ListFile], number: int, content: bytes | None = None
    ) -> list[SegmentEntry]:
        file = files[number]
        known = self._known.get(file.day)
        if known is None or known[0] != file:
            before, is_last = self._end(files, number - 1), number == len(files) - 1
            known = file, read_list_file(self.directory, file, before, is_last=is_last, content=content)
            self._known[file.day] = known
        return known[1]

    def _end(self, files: Sequence[ListFile], number: int) -> SegmentEntry | None:
        """Return the last entry of a file, or of one before it; None if it begins the list."""
        for place in range(number, -1, -1):
            known = self._known.get(files[place].day)
            if place == len(files) - 1:
                entries = self._entries(files, place)
            elif known is not None and known[0] == files[place]:
                entries = known[1]
            else:
                last, _ = end_of_file(files[place])
                entries = [] if last is None else [last]
            if entries:
                return entries[-1]
        return None

    def _with_row(self, files: Sequence[ListFile], seq: int) -> int:
        """Return the number of the file that lists a row; the last one if none does. Reads O(log days)."""

        def first_seq(number: int) -> int:
            entries = self._entries(files, number)
            before = None if entries else self._end(files, number)
            return entries[0].first_seq if entries else before.next_seq if before else 0

        return max(bisect_right(range(len(files)), seq, key=first_seq) - 1, 0)

    def _parts(self, files: Sequence[ListFile], time: int | None, seq: int | None) -> Iterator[Part]:
        removed = read_removed(self.directory)
        least = 0 if removed is None else removed.rows
        last = len(files) - 1
        if time is not None:
            last = bisect_right(files, format_time(time)[:10], key=lambda file: file.day) - 1
        if seq is not None:
            last = min(last, self._with_row(files, seq))
        for number in range(last, -1, -1):
            for part in reversed(parts_of(self._entries(files, number), self._end(files, number - 1))):
                if part.first_seq < least:
                    return
                begins = parse_time(part.first_recv_time) or 0
                if part.first_seq == least and removed is not None:
                    begins -= 1  # what was removed is before it, never of the same time
                if (time is None or begins < time) and (seq is None or part.first_seq <= seq):
                    yield part
