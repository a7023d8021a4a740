"""A product of a tape: its sealed segments and journals alike, also while it is recorded. Writes nothing."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.journal import JournalReader, journal_paths
from recorder.tape.format.layout import DAY, JOURNALS, merged_file
from recorder.tape.format.list_files import list_files, list_versions
from recorder.tape.format.presence import complete_list
from recorder.tape.format.segment import SealedSegment, open_segment
from recorder.tape.format.segment_entry import SegmentEntry, sealed_rows
from recorder.tape.format.segment_list import read_segment_list, require_directory
from recorder.tape.row_batches import BATCH_ROWS, check_seqs
from recorder.tape.store import files as store

if TYPE_CHECKING:
    from recorder.tape.overview import Overview


@dataclass(slots=True)
class Listing:
    """What an open tape has seen of a product.

    Attributes:
        least: rows that it had sealed when its last recorder ended, by the manifest.
        rows: number of rows in the list of segments; None until it was compared with the files. A list that
            is read again and lists fewer is not the same tape any more: moved, unmounted or damaged.
        parsed: the list of segments, with the version of its file.
        overview: the overview, with the files of which it was made.
    """

    least: int = 0
    rows: int | None = None
    parsed: tuple[object, list[SegmentEntry]] | None = None
    overview: "tuple[Files, Overview] | None" = None


Files = tuple[dict[Path, int], list[SegmentEntry]]
"""The sizes of a product's journals, and its segments."""


@dataclass(frozen=True, slots=True)
class ProductTape:
    """The part of a tape that belongs to one product.

    Attributes:
        product: its id.
        directory: the directory of its segments.
        feed: the name of the venue whose frames it holds.
        listing: what was read of it so far.
    """

    product: str
    directory: Path
    feed: str
    listing: Listing = field(default_factory=Listing, compare=False, repr=False)

    @property
    def journals(self) -> Path:
        """The directory of its journals."""
        return self.directory / JOURNALS

    def journal_paths(self) -> list[Path]:
        """Return its journals, in order.

        Raises:
            DamagedTapeError: if they cannot be listed, or the product's directory is gone.
        """
        if store.is_remote(self.directory):
            return []  # a journal is not shipped
        paths = journal_paths(self.journals)
        if not paths:
            require_directory(self.directory)
        return paths

    def segments(self, problems: list[str] | None = None) -> list[SegmentEntry]:
        """Return the sealed segments, in order; the first time, compare their list with the files.

        Args:
            problems: takes a line for each file that is missing or not listed; None raises an error.

        Raises:
            DamagedTapeError: if their list cannot be read or lists fewer rows than before, or if files are
                missing or not listed and `problems` is None.
        """
        version = list_versions(self.directory)  # before it is read: it may grow meanwhile
        if self.listing.parsed is not None and self.listing.parsed[0] == version:
            return self.listing.parsed[1]
        if self.listing.rows is None:
            entries = complete_list(self.directory, self.listing.least, problems)
        else:
            entries = read_segment_list(self.directory)
            before, now = self.listing.rows, sealed_rows(entries)
            if now < before:
                raise DamagedTapeError(
                    f"{self.directory}: {before:,} rows were sealed, now {now:,}; the tape was moved, "
                    "replaced or damaged while it was read",
                    self.directory,
                )
        self.listing.rows, self.listing.parsed = sealed_rows(entries), (version, entries)
        return entries

    def end_of_list(self) -> object:
        """Return a value that changes whenever a segment is sealed; a few system calls."""
        return [(file, store.file_version(file.path)) for file in list_files(self.directory)[-1:]]

    def sealed_rows(self) -> int:
        """Return the number of sealed rows; reads only the list of segments."""
        return sealed_rows(self.segments())

    def stored_bytes(self) -> int:
        """Return the bytes of its segments and journals; reads only the list of segments."""
        journals, segments = self.files()
        return sum(journals.values()) + sum(entry.bytes for entry in segments)

    def files(self) -> Files:
        """Return the sizes of its journals, and its segments; reads only the list of segments."""
        journals = {}
        for path in self.journal_paths():
            with suppress(FileNotFoundError):  # sealed and removed since it was listed
                journals[path] = store.file_size(path)
        return journals, self.segments()

    def batches(self, size: int = BATCH_ROWS, first_seq: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield the rows in seq order, in batches of `TAPE_SCHEMA` that own their memory.

        Rows that are recorded meanwhile may or may not be included; no row before an included one is missing.

        Args:
            size: maximum rows in a batch, at least 1.
            first_seq: seq of the first row.

        Raises:
            DamagedTapeError: if a file is not what was written.
        """
        with ExitStack() as stack:
            # Journals first: a row that leaves one meanwhile is in a segment that is listed by then.
            journals = [stack.enter_context(journal) for journal in self.open_journals()]
            next_seq = first_seq
            for segment in self.sealed(first_seq):
                next_seq = segment.entry.next_seq
                yield from segment.batches(size)
            for journal in journals:
                for batch in journal.batches(next_seq, size):
                    check_seqs(batch, next_seq, journal.path)
                    next_seq += batch.num_rows
                    yield batch
                journal.warn_of_tail()

    def sealed(self, first_seq: int = 0, *, dictionaries: Sequence[str] = ()) -> Iterator[SealedSegment]:
        """Yield the sealed segments with rows from a seq on, in order, each open for reading.

        If a compaction merges them meanwhile, no row is missed and none comes twice.

        Args:
            first_seq: seq of the first row.
            dictionaries: columns to read dictionary-encoded; not for `SealedSegment.batches`.

        Raises:
            DamagedTapeError: if a file is not what was written.
        """
        next_seq = first_seq
        entries = deque(self.segments())
        with store.ahead(self.directory) as ahead:
            while entries:
                entry = entries.popleft()
                if entry.next_seq <= next_seq:
                    continue
                following = islice(entries, store.AHEAD)
                ahead.want([(self.directory / each.file, each.bytes) for each in (entry, *following)])
                try:
                    segment = self.open_segment(entry, next_seq, dictionaries)
                except DamagedTapeError:
                    entries = deque(self.segments())
                    if entry in entries:
                        raise
                    continue  # merged since it was listed: continue with the new list
                with segment.file:
                    yield segment
                next_seq = entry.next_seq

    def open_segment(
        self, entry: SegmentEntry, start: int = 0, dictionaries: Sequence[str] = ()
    ) -> SealedSegment:
        """Open a listed segment for reading from a seq on, also one that a compaction has not renamed yet.

        Raises:
            DamagedTapeError: if the file is missing or not what was sealed.
        """
        path = self.directory / entry.file
        aside = merged_file(path)
        if not store.is_remote(path) and store.exists(aside):
            with suppress(DamagedTapeError):  # of a compaction that is not decided yet, or over by now
                file = open_segment(aside, self.product, entry, dictionaries=dictionaries)
                return SealedSegment(entry, start, aside, file)
        file = open_segment(path, self.product, entry, dictionaries=dictionaries)
        return SealedSegment(entry, start, path, file)

    def file_sizes(self) -> dict[str, int]:
        """Return the sizes of the files of its segments, by their paths in its directory; opens none."""
        return store.file_sizes(self.directory, DAY)

    def check_size(self, entry: SegmentEntry, sizes: Mapping[str, int]) -> None:
        """Check that the file of a listed segment has its size, without opening it.

        Args:
            entry: the segment.
            sizes: what `file_sizes` found; a file that was written since is looked up.

        Raises:
            DamagedTapeError: if it is missing or of another size.
        """
        path = self.directory / entry.file
        is_found = sizes.get(entry.file) == entry.bytes
        if not is_found and not any(store.has_size(name, entry.bytes) for name in (path, merged_file(path))):
            self.open_segment(entry).file.close()  # says what is wrong with it

    def open_journals(self) -> Iterator[JournalReader]:
        """Yield readers of the journals, in order; open them before the segments are listed."""
        for path in self.journal_paths():
            try:
                yield JournalReader(path)
            except FileNotFoundError:
                continue  # sealed and removed since it was listed: its rows are in a segment
