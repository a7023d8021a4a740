"""Merging the small segments of each day into one; rows and digest stay the same, also beside a recorder.

The entry of a merged segment lists its original segments as parts, and their book sidecars stay, so reading
can still begin at each of them.

1. The merged segment is written under another name, complete and durable.
2. The next list of its day is written (`list_files`): from now on it is the list. Before this nothing has
   changed; after it the rest is finished by this process, the next recorder or the next compaction.
3. The merged file is renamed, the files that it replaces are removed, and the next list becomes the list.

A tape of format 1 is brought to format 2 before, unless a recorder is writing to it.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from orderbook.digest import Checks
from orderbook.facts import all_facts
from recorder.tape.errors import LockedTapeError
from recorder.tape.format.layout import (
    LOCK,
    MAINTENANCE_LOCK,
    SEGMENT_LIST,
    book_file,
    checks_file,
    day_of,
    merged_file,
    prepared_file,
    product_dir,
)
from recorder.tape.format.list_files import ListFile, changed_lists, list_files
from recorder.tape.format.manifest import FORMAT, change_manifest, read_manifest
from recorder.tape.format.migration import migrate_list
from recorder.tape.format.segment_entry import Part, SegmentEntry, listed_facts, parts_of, with_books
from recorder.tape.format.segment_list import (
    entry_before,
    parse_segment_list,
    read_list_file,
    segment_list_lock,
    write_next_list,
)
from recorder.tape.format.segment_writer import write_aside
from recorder.tape.format.shipped import Shipped, claim_lock, read_shipped
from recorder.tape.format.sidecars import read_checks, write_checks
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from recorder.tape.store import files as store
from recorder.tape.store.durable import sync_directory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compacted:
    """Number of segments of a product before and after a compaction."""

    before: int
    after: int


Check = Callable[[ProductTape, Sequence[SegmentEntry], Sequence[range]], None]
"""Called with a product, its segments, and of each day the numbers of those to check; it raises to refuse."""


def compact(tape: TapeLike, check: Check = lambda *_: None) -> dict[str, Compacted]:
    """Merge the sealed segments of each day of each product into one. O(bytes merged).

    Args:
        tape: the tape, or its path.
        check: called before anything is changed, with the days that no compaction has merged yet.

    Raises:
        LockedTapeError: if another compaction or indexing of the tape is running.
        TapeError: if the tape cannot be read.
        OSError: if it cannot be written; the tape is as it was.
    """
    opened = Tape.open(tape)
    opened.sealed_rows()  # nothing is changed if any product is damaged
    with maintenance_lock(opened.path):
        tapes = [opened.product(product) for product in opened.select(())]
        for each in tapes:
            _check_product(each, check)
        _migrate(opened.path)
        return {each.product: _compact_product(each) for each in tapes}


def maintenance_lock(tape: Path) -> FileIO:
    """Return a lock to compact or index a tape; use `with`. Recording and reading continue.

    Raises:
        LockedTapeError: if another process holds it.
        OSError: if the tape cannot be written.
    """
    try:
        return store.acquire_lock(tape / MAINTENANCE_LOCK, wait=False)
    except BlockingIOError:
        raise LockedTapeError(
            f"{tape}: another compaction or indexing of this tape is running", tape
        ) from None


def _migrate(tape: Path) -> None:
    """Bring a tape to format 2, or complete that, unless a recorder is writing to it.

    A recorder of an earlier version would go on with the list of format 1.
    """
    manifest = read_manifest(tape)
    directories = [product_dir(tape, product) for product in manifest.products]
    if manifest.format >= FORMAT and not any(store.exists(each / SEGMENT_LIST) for each in directories):
        return
    try:
        lock = store.acquire_lock(tape / LOCK, wait=False)
    except BlockingIOError:
        log.warning("%s: stays in format 1 while it is being recorded: compact it again after that", tape)
        return
    with lock:
        manifest = read_manifest(tape)  # its recorder may have added a product
        if manifest.format < FORMAT:
            change_manifest(tape, lambda found: replace(found, format=FORMAT))
            log.info("%s: now of format %d, which earlier versions of booktape refuse", tape, FORMAT)
        for product in manifest.products:
            directory = product_dir(tape, product)
            with segment_list_lock(directory):
                finish_compaction(directory)
                migrate_list(directory)


def _check_product(tape: ProductTape, check: Check) -> None:
    """Check the segments of a product."""
    with segment_list_lock(tape.directory):
        finish_compaction(tape.directory)
        entries = tape.segments()
    for entry in entries:
        tape.open_segment(entry).file.close()  # its size and footer
    days = _days(entries)
    check(tape, entries, [day for day in days if len(day) > 1 or not entries[day[0]].parts])


def _days(entries: Sequence[SegmentEntry], shipped: Shipped | None = None) -> list[range]:
    """Return the numbers of the segments of each day that are merged.

    Those without lags, of an earlier version, are apart: merged with them, the others would lose what is
    known of theirs. So are those on their way to a store, each, and those behind them.
    """

    def apart(number: int) -> tuple[str, bool, int]:
        entry = entries[number]
        place = -1
        if shipped is not None and entry.next_seq > shipped.shipped:
            place = min(entry.first_seq, shipped.claimed)
        return day_of(entry.file), entry.lags is None, place

    numbered = groupby(range(len(entries)), key=apart)
    return [range(first, first + 1 + len(list(others))) for _, (first, *others) in numbered]


def _compact_product(tape: ProductTape) -> Compacted:
    last: SegmentEntry | None = None
    before = after = 0
    with claim_lock(tape.directory, wait=True):
        shipped = read_shipped(tape.directory)
        files = list_files(tape.directory)
        for file in files:
            entries = read_list_file(tape.directory, file, last, is_last=file is files[-1])
            found = _compact_file(tape, file, entries, last, shipped)
            before, after = before + found.before, after + found.after
            last = entries[-1] if entries else last
    return Compacted(before, after)


def _compact_file(
    tape: ProductTape,
    file: ListFile,
    entries: Sequence[SegmentEntry],
    last: SegmentEntry | None,
    shipped: Shipped | None,
) -> Compacted:
    """Merge the segments of each day in a file of the list, of those that are here.

    Args:
        tape: the part of the product.
        file: the file.
        entries: its segments; a recorder may seal more meanwhile.
        last: the segment before them.
        shipped: what of the product is in a store.
    """
    first = tape.first_seq
    here = [entry for entry in entries if entry.first_seq >= first]
    days = [[here[number] for number in day] for day in _days(here, shipped)]
    several = [day for day in days if len(day) > 1]
    parts = parts_of(entries, last)
    merged = [_merge(tape, day, parts) for day in several]
    if merged:
        checks = [_merged_checks(tape, day) for day in several]
        with segment_list_lock(tape.directory):
            now = read_list_file(tape.directory, file, last, is_last=True)
            write_next_list(file, _replaced(now, merged))
            finish_compaction(tape.directory)
        for entry, known in zip(merged, checks, strict=True):
            if known is not None:
                write_checks(tape.directory, entry, known)
    return Compacted(len(here), len(days))


def _merge(tape: ProductTape, day: Sequence[SegmentEntry], parts: Sequence[Part]) -> SegmentEntry:
    """Write the segments of a day as one, not renamed yet; return its entry. `parts` are the whole tape's."""
    first, last = day[0], day[-1]
    facts = all_facts(entry.facts for entry in day)

    def batches() -> Iterator[pa.RecordBatch]:
        for entry in day:
            segment = tape.open_segment(entry, entry.first_seq)
            with segment.file:
                yield from segment.batches()

    rows = last.next_seq - first.first_seq
    aside = merged_file(tape.directory / first.file)
    written = write_aside(aside, tape.product, first.first_seq, rows, batches())
    sync_directory(aside.parent)  # the file must be durable before the list names it
    return replace(
        last,
        file=first.file,
        first_seq=first.first_seq,
        rows=rows,
        first_recv_time=first.first_recv_time,
        connections=(first.connections[0], last.connections[1]),
        book_sha256=first.book_sha256,
        bytes=written.bytes,
        sha256=written.sha256,
        parts=tuple(part for part in parts if first.first_seq <= part.first_seq < last.next_seq),
        **listed_facts(facts, is_complete=all(entry.lags is not None for entry in day)),
    )


def _merged_checks(tape: ProductTape, day: Sequence[SegmentEntry]) -> Checks | None:
    """Return the checks of a day's rows; None if those of a segment are missing."""
    found = [read_checks(tape.directory, entry) for entry in day]
    known = [checks for checks in found if checks is not None]
    return np.concatenate(known) if len(known) == len(found) else None


def _replaced(entries: Sequence[SegmentEntry], merged: Sequence[SegmentEntry]) -> list[SegmentEntry]:
    """Return the entries with each merged one in place of its originals."""
    originals = {part.first_seq for entry in merged for part in entry.parts}
    others = [entry for entry in entries if entry.first_seq not in originals]
    return sorted([*others, *merged], key=lambda entry: entry.first_seq)


def list_books(product_dir: Path, books: Mapping[int, str]) -> None:
    """Add the SHA-256 of books to the list of segments, by the first seq of their segments or parts."""
    with segment_list_lock(product_dir):
        finish_compaction(product_dir)
        last: SegmentEntry | None = None
        for file in list_files(product_dir):
            entries = read_list_file(product_dir, file, last, is_last=True)
            known = [with_books(entry, books) for entry in entries]
            if known != entries:
                write_next_list(file, known)
            last = entries[-1] if entries else last
        finish_compaction(product_dir)


def finish_compaction(product_dir: Path) -> None:
    """Complete the compactions whose next lists exist. Hold `segment_list_lock`."""
    for file in changed_lists(product_dir):
        last = entry_before(product_dir, file)
        entries, _ = parse_segment_list(file.next_path, store.read_file(file.next_path), last, file.day)
        _put_in_place(product_dir, entries)
        before, _ = parse_segment_list(file.path, store.read_file(file.path), last, file.day)
        _remove_replaced(product_dir, before, entries)
        store.rename_file(file.next_path, file.path)


def _put_in_place(product_dir: Path, entries: Iterable[SegmentEntry]) -> None:
    """Give merged segments their names."""
    for entry in entries:
        aside = merged_file(product_dir / entry.file)
        if store.exists(aside):
            store.rename_file(aside, product_dir / entry.file)


def _remove_replaced(
    product_dir: Path, before: Iterable[SegmentEntry], entries: Sequence[SegmentEntry]
) -> None:
    """Remove the files of the segments of a list that are not in the next one."""
    listed = {entry.file for entry in entries}
    starts = {part.first_seq for part in parts_of(entries)}
    sums = {entry.sha256 for entry in entries}
    for entry in before:
        if entry.sha256 not in sums:
            store.remove_file(prepared_file(product_dir, entry.first_seq))
        if entry.file not in listed:
            store.remove_file(checks_file(product_dir, entry.first_seq))
            if entry.first_seq not in starts:  # the list of an earlier version has no parts
                store.remove_file(book_file(product_dir, entry.first_seq))
            store.remove_file(product_dir / entry.file)
            sync_directory((product_dir / entry.file).parent)
