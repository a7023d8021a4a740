"""Reading a tape: sealed segments and the journal alike, also while it is being recorded. Writes nothing."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from orderbook.schema import Feed
from recorder.tape.catalog import SegmentEntry, read_catalog
from recorder.tape.errors import UnknownProductError
from recorder.tape.journal import JournalReader
from recorder.tape.layout import journal_dir, product_dir
from recorder.tape.manifest import Manifest, read_manifest
from recorder.tape.segment import open_segment, segment_batches

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
            entries = self.segments()
            sealed = entries[-1].next_seq if entries else 0
            for entry in entries:
                if entry.next_seq > first_seq:
                    yield from self.segment_batches(entry, size, first_seq)
            for journal in journals:
                yield from journal.batches(max(sealed, first_seq), size)

    def segment_batches(
        self, entry: SegmentEntry, size: int = BATCH_ROWS, first_seq: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one sealed segment, from `first_seq` on.

        Raises:
            DamagedTapeError: where the file is not what was written.
        """
        path = self.directory / entry.file
        with open_segment(path, entry.bytes) as file:
            for batch in segment_batches(file, path, size):
                before = first_seq - batch.column("seq")[0].as_py()
                if before <= 0:
                    yield batch
                elif before < batch.num_rows:
                    yield own(batch.slice(before))

    def open_journals(self) -> Iterator[JournalReader]:
        """Yield readers of what is not sealed, in order; open them before the segments are listed."""
        for path in sorted(self.journals.glob("*.journal")):
            try:
                yield JournalReader(path)
            except FileNotFoundError:
                continue  # sealed and dropped since it was listed: its rows are in a segment


def own(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a copy that owns its memory: a pickled slice would carry the whole buffer along."""
    return batch.take(pa.array(range(batch.num_rows), pa.int64()))
