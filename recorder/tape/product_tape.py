"""A product of a tape: its sealed segments and journals alike, also while it is recorded. Writes nothing."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.journal import JournalReader, journal_paths
from recorder.tape.format.layout import DAY, JOURNALS, merged_file
from recorder.tape.format.list_files import list_files, list_versions
from recorder.tape.format.prepared import Header, PreparedSegment, open_prepared
from recorder.tape.format.removed import Removed, read_removed, removed_rows
from recorder.tape.format.segment import SealedSegment, open_segment
from recorder.tape.format.segment_entry import Part, SegmentEntry
from recorder.tape.format.segment_list import require_directory
from recorder.tape.format.sidecars import Start, start_in
from recorder.tape.listing import Files, Listing
from recorder.tape.row_batches import BATCH_ROWS, check_seqs
from recorder.tape.store import files as store

S = TypeVar("S", SealedSegment, SealedSegment | PreparedSegment)


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
    listing: Listing = field(compare=False, repr=False)

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
        """Return the sealed segments that are here, in order; the first time, compare list and files.

        Args:
            problems: takes a line for each file that is missing or not listed; None raises an error.

        Raises:
            DamagedTapeError: if their list cannot be read or lists fewer rows than before, or if files are
                missing or not listed and `problems` is None.
        """
        return self.listing.segments(problems)

    def parts(self) -> list[Part]:
        """Return the original segments of `segments`, in order."""
        return self.listing.parts()

    @property
    def removed(self) -> Removed | None:
        """Which of its first rows were removed here; None if none were."""
        return read_removed(self.directory)

    @property
    def first_seq(self) -> int:
        """The first row that is here: 0 unless rows were removed."""
        return removed_rows(self.directory)

    def first_proven(self) -> SegmentEntry | None:
        """Return the first segment whose digest follows from rows that are here; None if all are here.

        Rows were removed only as far as there is one.
        """
        first = self.first_seq
        return next((entry for entry in self.segments() if entry.chain_seq >= first), None) if first else None

    def last_segment(self) -> SegmentEntry | None:
        """Return the last sealed segment; None if there is none. Reads the list of its day alone.

        Raises:
            DamagedTapeError: if the end of the list is not what the files say.
        """
        return self.listing.last()

    def part_before(self, time: int) -> Part | None:
        """Return the last original segment that begins before a time; None if there is none.

        Args:
            time: nanoseconds since 1970.

        Raises:
            DamagedTapeError: if what is read of the list is not what was written.
        """
        return self.listing.nearest(lambda parts: next(parts, None), time=time)

    def start_before(self, time: int) -> Start:
        """Return where to begin reading so that the book is right from a time on.

        That is the last original segment that begins before the time and has a sidecar. Reads the lists of
        the days back to it, and one sidecar if none is missing.

        Args:
            time: nanoseconds since 1970; all rows at or after it will be read.

        Raises:
            DamagedTapeError: if what is read of the list is not what was written.
        """
        return self.listing.nearest(lambda parts: start_in(self.directory, self.feed, parts), time=time)

    def start_at(self, seq: int, *, believes_unlisted: bool = True) -> Start:
        """Return where to begin reading so that the book is right from a row on.

        Args:
            seq: the row.
            believes_unlisted: as of `start_in`.

        Raises:
            DamagedTapeError: if what is read of the list is not what was written.
        """

        def nearest(parts: Iterable[Part]) -> Start:
            return start_in(self.directory, self.feed, parts, believes_unlisted=believes_unlisted)

        return self.listing.nearest(nearest, seq=seq)

    def end_of_list(self) -> object:
        """Return a value that changes whenever a segment is sealed; a few system calls."""
        return [(file, store.file_version(file.path)) for file in list_files(self.directory)[-1:]]

    def sealed_rows(self) -> int:
        """Return the number of sealed rows; reads the list of the last day."""
        last = self.last_segment()
        return last.next_seq if last else 0

    def next_seq(self) -> int:
        """Return the seq after the last row that can be read, sealed or not. O(rows that are not sealed).

        For readers who must end with the same row, also while it is recorded; a damaged journal is a warning.
        """
        with ExitStack() as stack:
            # Journals first: a row that leaves one meanwhile is in a segment that is listed by then.
            journals = [stack.enter_context(journal) for journal in self.open_journals()]
            reached = self.sealed_rows()
            for journal in journals:
                reached += sum(rows.num_rows for rows in journal.batches(reached, BATCH_ROWS))
                journal.warn_of_tail()
        return reached

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

    def batches(
        self, size: int = BATCH_ROWS, first_seq: int = 0, packed: str = "", next_seq: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in seq order, in batches of `TAPE_SCHEMA` that own their memory.

        Rows that are recorded meanwhile may or may not be included; no row before an included one is missing.

        Args:
            size: maximum rows in a batch, at least 1.
            first_seq: seq of the first row.
            packed: the version of the packed rows to yield where a segment is prepared (`Engine.packed`);
                empty for texts everywhere.
            next_seq: no segment from this row on is read or fetched; None for all.

        Raises:
            DamagedTapeError: if a file is not what was written.
        """
        with ExitStack() as stack:
            # Journals first: a row that leaves one meanwhile is in a segment that is listed by then.
            journals = [stack.enter_context(journal) for journal in self.open_journals()]
            reached = first_seq
            for segment in self._each(first_seq, partial(self._prepared_or_sealed, packed), next_seq):
                reached = segment.entry.next_seq
                yield from segment.batches(size)
            if next_seq is not None and reached >= next_seq:
                return
            for journal in journals:
                for batch in journal.batches(reached, size):
                    check_seqs(batch, reached, journal.path)
                    reached += batch.num_rows
                    yield batch
                journal.warn_of_tail()

    def sealed(
        self, first_seq: int = 0, next_seq: int | None = None, *, dictionaries: Sequence[str] = ()
    ) -> Iterator[SealedSegment]:
        """Yield the sealed segments with rows from a seq on, in order, each open for reading.

        If a compaction merges them meanwhile, no row is missed and none comes twice.

        Args:
            first_seq: seq of the first row.
            next_seq: no segment from this row on is read or fetched; None for all.
            dictionaries: columns to read dictionary-encoded; not for `SealedSegment.batches`.

        Raises:
            DamagedTapeError: if a file is not what was written.
        """
        return self._each(
            first_seq, lambda entry, start: self.open_segment(entry, start, dictionaries), next_seq
        )

    def prepared(self, entry: SegmentEntry, start: int, version: str) -> PreparedSegment | None:
        """Open the prepared form of a segment from a seq on; None if there is none of this version."""
        if store.is_remote(self.directory):
            return None
        header = self.prepared_header(entry, version)
        return open_prepared(self.directory, header, entry, start, partial(self.open_segment, entry))

    def prepared_header(self, entry: SegmentEntry, version: str) -> Header:
        """Return the header of the prepared form of a segment."""
        return Header(self.product, self.feed, entry.first_seq, entry.rows, entry.sha256, version)

    def _prepared_or_sealed(
        self, version: str, entry: SegmentEntry, start: int
    ) -> SealedSegment | PreparedSegment:
        prepared = self.prepared(entry, start, version) if version else None
        return prepared or self.open_segment(entry, start)

    def _each(
        self, first_seq: int, opened: Callable[[SegmentEntry, int], S], next_seq: int | None = None
    ) -> Iterator[S]:
        reached = first_seq
        while True:
            files = list_versions(self.directory)
            entries = self.listing.since(reached)
            try:
                for entry in self._fetched(
                    takewhile(lambda each: next_seq is None or each.first_seq < next_seq, entries)
                ):
                    segment = opened(entry, reached)
                    with segment.file:
                        yield segment
                    reached = entry.next_seq
            except DamagedTapeError:
                if list_versions(self.directory) == files:
                    raise
                continue  # merged since it was listed: continue with the new list
            return

    def _fetched(self, entries: Iterator[SegmentEntry]) -> Iterator[SegmentEntry]:
        """Yield segments while those after each are on their way from a store."""
        with store.ahead(self.directory) as ahead:
            coming = deque(islice(entries, store.AHEAD))
            while coming:
                coming.extend(islice(entries, 1))
                ahead.want([(self.directory / each.file, each.bytes) for each in coming])
                yield coming.popleft()

    def open_segment(
        self, entry: SegmentEntry, start: int = 0, dictionaries: Sequence[str] = ()
    ) -> SealedSegment:
        """Open a listed segment for reading from a seq on, also one that a compaction has not renamed yet.

        Raises:
            DamagedTapeError: if the file is missing or not what was sealed.
            RemovedRowsError: if it was removed since it was listed, as a store has it.
        """
        path = self.directory / entry.file
        aside = merged_file(path)
        if not store.is_remote(path) and store.exists(aside):
            with suppress(DamagedTapeError):  # of a compaction that is not decided yet, or over by now
                file = open_segment(aside, self.product, entry, dictionaries=dictionaries)
                return SealedSegment(entry, start, aside, file)
        try:
            file = open_segment(path, self.product, entry, dictionaries=dictionaries)
        except DamagedTapeError:
            self.listing.require(entry.first_seq)
            raise
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
        if sizes.get(entry.file) == entry.bytes:
            return
        path = self.directory / entry.file
        if not any(store.has_size(name, entry.bytes) for name in (path, merged_file(path))):
            self.open_segment(entry).file.close()  # says what is wrong with it

    def open_journals(self) -> Iterator[JournalReader]:
        """Yield readers of the journals, in order; open them before the segments are listed."""
        for path in self.journal_paths():
            try:
                yield JournalReader(path)
            except FileNotFoundError:
                continue  # sealed and removed since it was listed: its rows are in a segment
