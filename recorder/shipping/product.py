"""Shipping one product: its segments in order, and after each batch of them the list that names them.

A segment goes up only as a new object, then what belongs to it, and then the list of its day, in place of the
one that was read. A shipper that dies in between has changed nothing for readers, and its successor finds the
same objects there.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from orderbook.venues.rawjson import UNREADABLE
from recorder.shipping.conditional import ChangedError, Stored, create, overwrite, read, swap
from recorder.shipping.keeping import Keep, ProductKeeping
from recorder.shipping.lease import Lease
from recorder.shipping.manifest import name_product
from recorder.tape.errors import DamagedTapeError, ShippingError
from recorder.tape.format.layout import (
    EXECUTIONS,
    SEGMENT_LISTS,
    book_file,
    checks_file,
    day_of,
    merged_file,
    product_dir,
)
from recorder.tape.format.list_files import list_files, list_versions
from recorder.tape.format.removed import read_removed
from recorder.tape.format.segment_entry import SegmentEntry, decode_entry, encode_entry, parts_of
from recorder.tape.format.segment_list import entries_from
from recorder.tape.format.shipped import Shipped, claim_lock, write_shipped
from recorder.tape.store import files as store
from recorder.tape.store.paths import RemotePath

_BATCH: Final = 8
_BATCH_BYTES: Final = 64 * 2**20
_BUSY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Amount:
    """Segments, and their bytes."""

    segments: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, entries: Sequence[SegmentEntry]) -> "Amount":
        """Return the amount of some segments."""
        return cls(len(entries), sum(entry.bytes for entry in entries))

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.segments + other.segments, self.bytes + other.bytes)


class ProductShipping:
    """Ships one product.

    Args:
        tape: the local tape.
        remote: the tape in the store.
        product: product id.
        lease: the right to write there.
        keep: how long segments are kept here; None to keep them all.

    Attributes:
        shipped: what was listed there so far.
        unshipped: what is sealed, and not listed there yet.
        removed: number of segments that were removed here.
        keeping_trouble: why nothing is removed any more; empty if it is.
    """

    def __init__(
        self, tape: Path, remote: RemotePath, product: str, lease: Lease, keep: Keep | None = None
    ) -> None:
        self._tape, self._remote, self._product, self._lease = tape, remote, product, lease
        self._local, self._there = product_dir(tape, product), product_dir(remote, product)
        self._list: Stored | None = None  # the list of the last day in the store
        self._last: SegmentEntry | None = None  # the last segment that it names
        self._is_known = self._is_named = False
        self._version: object = None  # of the local list, when nothing of it was left
        self._executions: object = None
        self._noted: Shipped | None = None
        self.shipped = self.unshipped = Amount()
        self._keeping = None if keep is None else ProductKeeping(tape, remote, product, lease, keep)
        self.keeping_trouble = ""

    @property
    def rows(self) -> int:
        """The number of rows that are listed in the store."""
        return self._last.next_seq if self._last else 0

    @property
    def removed(self) -> int:
        """The number of segments that were removed here."""
        return 0 if self._keeping is None else self._keeping.removed

    def count(self) -> None:
        """Count what is not shipped, without asking the store.

        Raises:
            DamagedTapeError: if the list of segments cannot be read.
        """
        self.unshipped = Amount.of([entry for entry in self._entries() if entry.first_seq >= self.rows])

    def advance(self) -> bool:
        """Ship the next batch, or remove what is old once all is shipped; return whether more is left.

        If the store does not have what was sealed, removing ends for good, and shipping goes on.

        Raises:
            TapeError: as `ship` does.
        """
        if self.ship():
            return True
        if self._keeping is None or self.keeping_trouble:
            return False
        try:
            return self._keeping.remove(self.rows, self._version)
        except ShippingError as error:
            self.keeping_trouble = str(error)
            return False

    def ship(self) -> bool:
        """Ship the next batch of segments; return whether more may be left.

        Raises:
            ShippingError: if the store has something else, or rows that are not those of this tape.
            LockedTapeError: if another shipper has taken over the lease.
            DamagedTapeError: if a file of the tape is not what was sealed.
            StoreError: if the store does not answer.
        """
        version = list_versions(self._local)
        if self._is_known and version == self._version:
            self._ship_executions()
            return False
        if not self._is_known:
            self._look()
        batch = self._claim()
        if batch is None:
            time.sleep(_BUSY_S)  # for a compaction
            return True
        if not batch:
            self._version = version
            self._ship_executions()
            return False
        with ThreadPoolExecutor(len(batch), "shipping") as threads:
            list(threads.map(self._ship_files, batch))
        if not self._is_named:
            name_product(self._tape, self._remote, self._product)
            self._is_named = True
        self._name_segments(batch)
        return True

    def _look(self) -> None:
        """Read where the list in the store ends; check that it is that of this tape."""
        files = list_files(self._there)
        self._list = self._last = None
        if files:
            path = files[-1].path
            assert isinstance(path, RemotePath)  # noqa: S101  below one
            self._list = read(path)
            try:
                self._last = decode_entry(self._list.data.splitlines()[-1]) if self._list else None
            except (*UNREADABLE, IndexError):
                raise DamagedTapeError(f"{path}: its last line is not a segment", path) from None
            if self._last is None or not files[-1].day:
                raise ShippingError(f"{path}: not a list that was shipped: ship to another URL", path)
        self._check_rows()
        removed = read_removed(self._local)
        if removed is not None and removed.rows > self.rows:
            reason = f"{self._product}: {removed.line()}: ship to that tape, or copy it to another URL first"
            raise ShippingError(f"{self._tape}: {reason}", self._remote)
        self._is_known = True

    def _check_rows(self) -> None:
        if self._last is None:
            return
        end = self._last.next_seq
        mine = next((entry for entry in self._entries() if entry.next_seq >= end), None)
        if mine is None:
            reason = f"has {end:,} rows of {self._product}, more than this tape"
        elif mine.next_seq > end:
            reason = f"ends at row {end:,} of {self._product}, inside what a compaction here has merged"
        elif mine.digest != self._last.digest or (
            mine.first_seq == self._last.first_seq and mine.sha256 != self._last.sha256
        ):
            reason = f"has other rows of {self._product} than this tape"
        else:
            return
        raise ShippingError(f"{self._remote}: {reason}: ship to another URL", self._remote)

    def _entries(self) -> list[SegmentEntry]:
        """Return the local segments from the day on at which the list in the store ends."""
        return entries_from(self._local, day_of(self._last.file) if self._last else "")

    def _claim(self) -> list[SegmentEntry] | None:
        """Choose the next segments, so that no compaction merges them; None if one is at work."""
        try:
            lock = claim_lock(self._local, wait=False)
        except BlockingIOError:
            return None
        with lock:
            left = [entry for entry in self._entries() if entry.first_seq >= self.rows]
            self.unshipped = Amount.of(left)
            sizes = accumulate(entry.bytes for entry in left)
            batch = [
                entry
                for entry, size in zip(left[:_BATCH], sizes, strict=False)
                if day_of(entry.file) == day_of(left[0].file) and (size <= _BATCH_BYTES or entry is left[0])
            ]
            claimed = batch[-1].next_seq if batch else self.rows
            note = Shipped(str(self._remote), self.rows, claimed)
            if claimed and note != self._noted:
                write_shipped(self._local, note)
                self._noted = note
        return batch

    def _ship_files(self, entry: SegmentEntry) -> None:
        """Put a segment and what belongs to it into the store."""
        create(RemotePath(f"{self._there}/{entry.file}"), self._content(entry))
        belonging = [book_file(self._local, part.first_seq) for part in parts_of([entry])]
        for path in (*belonging, checks_file(self._local, entry.first_seq)):
            if store.exists(path):
                overwrite(RemotePath(f"{self._there}/{path.parent.name}/{path.name}"), store.read_file(path))

    def _content(self, entry: SegmentEntry) -> bytes:
        """Return the bytes of a segment as they were sealed."""
        path = self._local / entry.file
        for name in (path, merged_file(path)):  # of a compaction that was killed
            if store.has_size(name, entry.bytes):
                content = store.read_file(name)
                if store.sha256_of(content) == entry.sha256:
                    return content
        raise DamagedTapeError(f"{path}: not the segment that was sealed, so it is not shipped", path)

    def _name_segments(self, batch: Sequence[SegmentEntry]) -> None:
        """Add segments to the list of their day; if it has changed, look again the next time."""
        day = day_of(batch[0].file)
        before = self._list if self._last and day_of(self._last.file) == day else None
        lines = b"".join(map(encode_entry, batch))
        path = RemotePath(f"{self._there}/{SEGMENT_LISTS}/{day}.jsonl")
        self._lease.check()
        try:
            self._list = swap(path, (before.data if before else b"") + lines, before)
        except ChangedError:
            self._is_known = False
            return
        self._last = batch[-1]
        done = Amount.of(batch)
        self.shipped += done
        left = self.unshipped
        self.unshipped = Amount(left.segments - done.segments, left.bytes - done.bytes)

    def _ship_executions(self) -> None:
        """Ship what strategies traded, if that has changed."""
        path = self._local / EXECUTIONS
        version = store.file_version(path)
        if version not in (None, self._executions) and self._last is not None:
            overwrite(RemotePath(f"{self._there}/{EXECUTIONS}"), store.read_file(path))
            self._executions = version
