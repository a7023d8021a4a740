"""`--keep`: removing the first segments of a local tape once they are old, and a store surely has them.

A segment goes only after the list in the store was read back and names it, and its object was read back and
is what was sealed. What is left begins where a book is saved, and early enough to resume the digest.

1. What goes is compared with the store.
2. The manifest is set to a format that earlier versions refuse.
3. `_removed.json` is written: from now on the rows are gone. Before this nothing has changed.
4. The files are removed, by this process or the next one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from orderbook.times import NS, format_time, parse_time
from recorder.shipping.lease import Lease
from recorder.shipping.read_back import check_stored
from recorder.tape.compaction import finish_compaction
from recorder.tape.errors import ShippingError
from recorder.tape.format.layout import product_dir
from recorder.tape.format.list_files import list_files
from recorder.tape.format.manifest import (
    FORMAT_WITHOUT_FIRST_ROWS,
    change_manifest,
    read_manifest,
)
from recorder.tape.format.removed import Removed, read_removed, sweep_removed, write_removed
from recorder.tape.format.segment_entry import SegmentEntry, parts_of
from recorder.tape.format.segment_list import entries_from, segment_list_lock
from recorder.tape.format.shipped import claim_lock
from recorder.tape.format.sidecars import read_book
from recorder.tape.reader import Tape
from recorder.tape.store.paths import RemotePath

_FEW: Final = 32
"""Segments after which a removal ends at the next place it can, so that shipping goes on in between."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long segments are kept on the local disk.

    Attributes:
        seconds: since their last row.
        now_ns: the wall clock.
    """

    seconds: float
    now_ns: Callable[[], int] = time.time_ns

    @property
    def until(self) -> int:
        """What was received before this time may go, in nanoseconds since 1970."""
        return self.now_ns() - round(self.seconds * NS)


class ProductKeeping:
    """Removes what is old of one product.

    Args:
        tape: the local tape.
        remote: the tape in the store.
        product: product id.
        lease: the right to write there; only who holds it removes.
        keep: how long segments are kept.

    Attributes:
        removed: number of segments that were removed so far.
    """

    def __init__(self, tape: Path, remote: RemotePath, product: str, lease: Lease, keep: Keep) -> None:
        self._tape, self._remote, self._product, self._lease, self._keep = tape, remote, product, lease, keep
        self._local, self._there = product_dir(tape, product), product_dir(remote, product)
        self._feed = read_manifest(tape).feed
        self._seen: object = None
        self._due = 0
        self._is_swept = False
        self.removed = 0

    def remove(self, shipped: int, version: object) -> bool:
        """Remove what is old and listed in the store; return whether there may be more to remove now.

        Args:
            shipped: the seq after the rows that are listed in the store.
            version: of the local list: nothing is read again before it has changed, or a segment is old.

        Raises:
            ShippingError: if the store does not have what was sealed; then nothing was removed.
            LockedTapeError: if another shipper has taken over the lease.
            StoreError: if the store does not answer.
            TapeError: if the tape cannot be read.
        """
        if version == self._seen and self._keep.until <= self._due:
            return False
        try:
            lock = claim_lock(self._local, wait=False)
        except BlockingIOError:
            return False  # a compaction: once more after it
        with lock:
            with segment_list_lock(self._local):
                finish_compaction(self._local)
            removed = read_removed(self._local)
            if removed is not None and not self._is_swept:
                sweep_removed(self._local)
            self._is_swept = True
            entries = self._entries(removed)
            first, has_more = self._first_kept(entries, shipped)
            if first is not None:
                self._remove_before(first, entries, removed)
                self.removed += sum(entry.first_seq < first.first_seq for entry in entries)
            self._seen = None if has_more else version
            self._due = _next_due(entries, self._keep.until)
        return has_more

    def _entries(self, removed: Removed | None) -> list[SegmentEntry]:
        """Return the local segments that are not removed; all that are listed, if another store has those."""
        first, day = (removed.rows, removed.kept_from[:10]) if removed is not None else (0, "")
        return [entry for entry in entries_from(self._local, day) if entry.first_seq >= first]

    def _first_kept(self, entries: Sequence[SegmentEntry], shipped: int) -> tuple[SegmentEntry | None, bool]:
        """Return the segment with which the tape is to begin, None for that of now; and if more can go."""
        possible = possible_beginnings(entries, shipped, self._keep.until)
        early = [each for each in possible if each[0] < _FEW]
        for number, entry in (*possible[len(early) :], *reversed(early)):
            (part, *_) = parts_of([entry], entries[number - 1])
            if read_book(self._local, part, self._feed) is not None:
                return entry, number < possible[-1][0]
        return None, False

    def _remove_before(
        self, first: SegmentEntry, entries: Sequence[SegmentEntry], removed: Removed | None
    ) -> None:
        gone = [entry for entry in entries if entry.first_seq < first.first_seq]
        if removed is not None and removed.url != str(self._remote):
            reason = f"{removed.line()}, so no more are removed for {self._remote}"
            raise ShippingError(f"{self._tape}: {self._product}: {reason}: ship to that tape", self._tape)
        if not list_files(self._local)[0].day:
            reason = f"none of format 1 are removed: `booktape compact {self._tape}` brings the tape to 2"
            raise ShippingError(f"{self._tape}: {reason}", self._tape)
        check_stored(self._tape, self._remote, self._product, gone)
        self._lease.check()
        noted = Removed(
            str(self._remote),
            first.first_seq,
            removed.first_time if removed is not None else gone[0].first_recv_time,
            first.first_recv_time,
            format_time(self._keep.now_ns()),
            removed.begun if removed is not None else self._begun(),
        )
        change_manifest(self._tape, lambda found: replace(found, format=FORMAT_WITHOUT_FIRST_ROWS))
        write_removed(self._local, noted)
        sweep_removed(self._local)

    def _begun(self) -> str:
        """Return the payload of the first row of the tape if it is a mark, else an empty text."""
        rows = next(Tape.open(self._tape).product(self._product).batches(1), None)
        if rows is None or rows.column("kind")[0].as_py() != "connected":
            return ""
        return str(rows.column("payload")[0].as_py())


def possible_beginnings(
    entries: Sequence[SegmentEntry], shipped: int, until: int
) -> list[tuple[int, SegmentEntry]]:
    """Return the segments with which a local tape may begin, each with its number.

    All before them are shipped and old. They have a book, the digest at the end of the tape can be resumed
    from them, and no row before them is of the time of their first.

    Args:
        entries: the segments that are here.
        shipped: the seq after the rows that a store lists.
        until: what was received before this time is old, nanoseconds since 1970.
    """
    found = []
    for number, (before, entry) in enumerate(pairwise(entries), 1):
        if before.last_time >= until or before.next_seq > shipped:
            break
        is_resumable = entry.first_seq <= entries[-1].chain_seq
        if is_resumable and entry.book_sha256 and before.last_recv_time < entry.first_recv_time:
            found.append((number, entry))
    return found


def _next_due(entries: Sequence[SegmentEntry], until: int) -> int:
    """Return the time of the first segment that is not old yet: nothing more can go before it is."""
    times = (parse_time(entry.last_recv_time) or 0 for entry in entries)
    return next((time for time in times if time >= until), until)
