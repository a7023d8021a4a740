"""Reading segments back from a store before they are removed here: what is there must be what was sealed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.venues.rawjson import UNREADABLE
from recorder.shipping.conditional import read
from recorder.tape.errors import ShippingError
from recorder.tape.format.layout import SEGMENT_LISTS, day_of, product_dir
from recorder.tape.format.segment_entry import SegmentEntry, decode_entry
from recorder.tape.reader import Tape
from recorder.tape.row_batches import split_at
from recorder.tape.store import files as store
from recorder.tape.store.paths import RemotePath

_AT_ONCE: Final = 4


def check_stored(tape: Path, remote: RemotePath, product: str, segments: Sequence[SegmentEntry]) -> None:
    """Check that a store lists some segments of a product, and that its objects are what was sealed.

    Reads the lists of their days, and each object whole.

    Raises:
        ShippingError: if it is not so.
        StoreError: if the store does not answer.
        TapeError: if a segment here cannot be read.
    """
    place = _Place(tape, remote, product)
    for day, of_day in groupby(segments, key=lambda entry: day_of(entry.file)):
        listed = place.listed(day)
        with ThreadPoolExecutor(_AT_ONCE, "shipping") as threads:
            list(threads.map(partial(place.check, listed), of_day))


@dataclass(frozen=True, slots=True)
class _Place:
    """A product, here and in a store."""

    tape: Path
    remote: RemotePath
    product: str

    def listed(self, day: str) -> list[SegmentEntry]:
        """Return the segments that the list of a day in the store names."""
        path = self._there(f"{SEGMENT_LISTS}/{day}.jsonl")
        found = read(path)
        try:
            return [] if found is None else [decode_entry(line) for line in found.data.splitlines()]
        except UNREADABLE as error:
            reason = f"not a list of segments ({error}), so nothing more is removed here"
            raise ShippingError(f"{path}: {reason}", path) from None

    def check(self, listed: Sequence[SegmentEntry], entry: SegmentEntry) -> None:
        """Compare a segment here with the objects in the store that have its rows."""
        there = [each for each in listed if entry.first_seq <= each.first_seq < entry.next_seq]
        rows = sum(each.rows for each in there)
        if rows != entry.rows or there[0].first_seq != entry.first_seq or there[-1].digest != entry.digest:
            raise self._differs(entry, "does not list its rows")
        if len(there) == 1 and (there[0].bytes, there[0].sha256) == (entry.bytes, entry.sha256):
            with self._reading(entry) as path:
                is_equal = store.sha256(path) == entry.sha256
            if not is_equal:
                raise self._differs(entry, "has another object")
            return
        for each, mine in zip(there, self._rows(entry, there), strict=True):  # merged here after shipping
            with self._reading(each) as path:
                content = store.read_file(path)
            if store.sha256_of(content) != each.sha256:
                raise self._differs(each, "has another object")
            if not pq.ParquetFile(pa.BufferReader(content)).read().cast(mine.schema).equals(mine):
                raise self._differs(each, "has other rows")

    @contextmanager
    def _reading(self, entry: SegmentEntry) -> Iterator[RemotePath]:
        try:
            yield self._there(entry.file)
        except FileNotFoundError:
            raise self._differs(entry, "does not have it") from None

    def _rows(self, entry: SegmentEntry, there: Sequence[SegmentEntry]) -> Iterator[pa.Table]:
        """Yield the rows of a segment here in the pieces that are in the store."""
        segment = Tape.open(self.tape).product(self.product).open_segment(entry, entry.first_seq)
        starts = {each.first_seq for each in there}
        with segment.file:
            batches: list[pa.RecordBatch] = []
            for rows in split_at(segment.batches(), starts):
                if batches and rows.column("seq")[0].as_py() in starts:
                    yield pa.Table.from_batches(batches)
                    batches = []
                batches.append(rows)
            yield pa.Table.from_batches(batches)

    def _there(self, name: str) -> RemotePath:
        return RemotePath(f"{product_dir(self.remote, self.product)}/{name}")

    def _differs(self, entry: SegmentEntry, how: str) -> ShippingError:
        path = product_dir(self.tape, self.product) / entry.file
        return ShippingError(f"{path}: {self.remote} {how}, so nothing more is removed here", path)
