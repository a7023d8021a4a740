"""Reading a tape: sealed segments and the journal alike, also while it is being recorded. Writes nothing."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.feeds import Feed
from recorder.tape.catalog import SegmentEntry, read_catalog
from recorder.tape.errors import DamagedTapeError, UnknownProductError
from recorder.tape.journal import JournalReader, journal_paths
from recorder.tape.layout import journal_dir, product_dir
from recorder.tape.manifest import Manifest, read_manifest
from recorder.tape.segment import groups_from, merged_aside, open_segment, segment_batches

BATCH_ROWS: Final = 8192
"""Rows in a batch unless asked otherwise."""


@dataclass(frozen=True, slots=True)
class Tape:
    """A tape opened for reading.

    Attributes:
        path: its directory.
        manifest: what it says of itself.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> "Tape":
        """Open a tape.

        Raises:
            NotATapeError: where the path is no tape.
            NewerTapeError: where its format is newer than ours.
        """
        return cls(path, read_manifest(path))

    @property
    def feed(self) -> Feed:
        """The dialect of its frames."""
        return self.manifest.feed

    def select(self, products: tuple[str, ...]) -> tuple[str, ...]:
        """Return the products asked for, sorted and each once; all of them where none is named.

        Raises:
            UnknownProductError: where the tape has no such product.
        """
        for product in products:
            if product not in self.manifest.products:
                held = ", ".join(sorted(self.manifest.products))
                raise UnknownProductError(f"{self.path}: no product {product!r} on this tape; it has {held}")
        return tuple(sorted(set(products or self.manifest.products)))

    def product(self, product: str) -> "ProductTape":
        """Return the rows of one product as they stand now.

        Raises:
            UnknownProductError: where the tape has no such product.
        """
        (known,) = self.select((product,))
        return ProductTape(known, product_dir(self.path, known), journal_dir(self.path, known))


@dataclass(frozen=True, slots=True)
class ProductTape:
    """One product's part of a tape.

    Attributes:
        product: its id.
        directory, journals: where its segments and its journals are.
    """

    product: str
    directory: Path
    journals: Path

    def segments(self) -> list[SegmentEntry]:
        """Return the sealed segments, in order.

        Raises:
            DamagedTapeError: where their list is not readable.
        """
        return read_catalog(self.directory)

    def batches(self, size: int = BATCH_ROWS, first_seq: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield the rows in seq order, in batches of `TAPE_SCHEMA` that own their memory.

        What is recorded while this runs may or may not be included; what is included has no holes.

        Args:
            size: rows in a batch at most, at least 1.
            first_seq: start there.

        Raises:
            DamagedTapeError: where a file is not what was written.
        """
        with ExitStack() as stack:
            # The journals first: a row that leaves one meanwhile is in a segment listed by then.
            journals = [stack.enter_context(journal) for journal in self.open_journals()]
            next_seq = first_seq
            for segment in self.sealed(first_seq):
                next_seq = segment.entry.next_seq
                yield from segment.batches(size)
            for journal in journals:
                for batch in journal.batches(next_seq, size):
                    check_follows(batch, next_seq, journal.path)
                    next_seq += batch.num_rows
                    yield batch
                journal.warn_of_tail()

    def sealed(self, first_seq: int = 0, *, as_numbers: Sequence[str] = ()) -> Iterator["SealedSegment"]:
        """Yield the sealed segments that hold rows from a seq on, in order, each open for reading.

        A compaction that merges them meanwhile is followed: no row is missed, none comes twice.

        Args:
            first_seq: from which on.
            as_numbers: columns of the files to be read as dictionaries; `SealedSegment.batches` wants none.

        Raises:
            DamagedTapeError: where a file is not what was written.
        """
        next_seq = first_seq
        entries = deque(self.segments())
        while entries:
            entry = entries.popleft()
            if entry.next_seq <= next_seq:
                continue
            try:
                segment = self.open_segment(entry, next_seq, as_numbers)
            except DamagedTapeError:
                entries = deque(self.segments())
                if entry in entries:
                    raise
                continue  # it was merged since it was listed: go on by the new list
            with segment.file:
                yield segment
            next_seq = entry.next_seq

    def open_segment(
        self, entry: SegmentEntry, start: int = 0, as_numbers: Sequence[str] = ()
    ) -> "SealedSegment":
        """Open a listed segment to be read from a seq on, also where a compaction has it still aside.

        Raises:
            DamagedTapeError: where the file is missing or not what was sealed.
        """
        path = self.directory / entry.file
        aside = merged_aside(path)
        if aside.exists():
            with suppress(DamagedTapeError):  # of a compaction that was not decided, or is over by now
                return SealedSegment(
                    entry, start, aside, open_segment(aside, entry.bytes, as_numbers=as_numbers)
                )
        return SealedSegment(entry, start, path, open_segment(path, entry.bytes, as_numbers=as_numbers))

    def open_journals(self) -> Iterator[JournalReader]:
        """Yield readers of what is not sealed, in order; open them before the segments are listed."""
        for path in journal_paths(self.journals):
            try:
                yield JournalReader(path)
            except FileNotFoundError:
                continue  # sealed and dropped since it was listed: its rows are in a segment


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A sealed segment, open.

    Attributes:
        entry: what the catalog says of it.
        start: rows before this seq are passed over.
        path: where its file is.
        file: the open file.
    """

    entry: SegmentEntry
    start: int
    path: Path
    file: pq.ParquetFile

    def batches(self, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows from `start` on, in batches of at most `size`. Row groups before it are not read.

        Raises:
            DamagedTapeError: where the file is not what was written.
        """
        if self.file.metadata.num_rows != self.entry.rows:
            raise DamagedTapeError(
                f"{self.path}: {self.file.metadata.num_rows} rows where {self.entry.rows} were sealed"
            )
        groups, passed_over = groups_from(self.file, self.start - self.entry.first_seq)
        next_seq = self.entry.first_seq + passed_over
        for batch in segment_batches(self.file, self.path, size, groups):
            check_follows(batch, next_seq, self.path)
            before, next_seq = self.start - next_seq, next_seq + batch.num_rows
            if before <= 0:
                yield batch
            elif before < batch.num_rows:
                yield own(batch.slice(before))
        if next_seq != self.entry.next_seq:
            raise DamagedTapeError(f"{self.path}: ends before row {next_seq}, not {self.entry.next_seq}")


def check_follows(batch: pa.RecordBatch, next_seq: int, path: Path) -> None:
    """Check that a batch goes on with a seq and has no hole. O(rows).

    Raises:
        DamagedTapeError: naming the file and the first row that is out of order.
    """
    expected = np.arange(next_seq, next_seq + batch.num_rows)
    seq = batch.column("seq").to_numpy()
    wrong = np.flatnonzero(seq != expected)
    if wrong.size:
        raise DamagedTapeError(f"{path}: row {seq[wrong[0]]} where row {expected[wrong[0]]} belongs")


def cut_at(batches: Iterable[pa.RecordBatch], seqs: Collection[int]) -> Iterator[pa.RecordBatch]:
    """Yield batches that follow one another, cut so that each of some seqs begins one. O(seqs) a batch."""
    for batch in batches:
        first, end = batch.column("seq")[0].as_py(), batch.column("seq")[-1].as_py() + 1
        cuts = sorted(seq for seq in seqs if first < seq < end)
        if not cuts:
            yield batch
            continue
        for low, high in pairwise([first, *cuts, end]):
            yield own(batch.slice(low - first, high - low))


def own(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a copy that owns its memory: a pickled slice would carry the whole buffer along."""
    return batch.take(pa.array(range(batch.num_rows), pa.int64()))
