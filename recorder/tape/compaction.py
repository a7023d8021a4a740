"""Merging small segments: one a day, rows and digest unchanged, also beside a recorder.

The merged segment's entry lists what it was merged of, and the books before these parts stay: what begins
in the middle costs what it did before.

1. The merged segment is written aside, whole and durable.
2. `_segments.next.jsonl` gets its name: from now on it is the catalog. Before it nothing has happened, after
   it the rest is finished by whoever comes next: this process, the next recorder, the next compaction.
3. The merged file takes its place, what it replaces is removed, and the next catalog becomes the catalog.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from orderbook.row_checks import Checks
from recorder.tape.catalog import (
    NEXT_CATALOG,
    Part,
    SegmentEntry,
    catalog_lock,
    encode_entry,
    merge_faults,
    parse_catalog,
    read_catalog,
)
from recorder.tape.files import replace_file, sync_directory
from recorder.tape.index import parts_of, read_checks, remove_book, remove_checks, write_checks
from recorder.tape.layout import CATALOG
from recorder.tape.maintenance import maintenance
from recorder.tape.reader import ProductTape, Tape
from recorder.tape.segment import merged_aside, write_aside


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did to a product: segments before and after."""

    before: int
    after: int


def compact(path: Path) -> dict[str, Compacted]:
    """Merge the sealed segments of each day of each product into one. O(bytes of what is merged).

    Raises:
        LockedTapeError: where another compaction, or an indexing, is at it.
        TapeError: where the tape cannot be read.
        OSError: where it cannot be written; the tape is as it was.
    """
    tape = Tape.open(path)
    with maintenance(path):
        held = [tape.product(product) for product in tape.select(())]
        return {each.product: _compact_product(each) for each in held if each.directory.is_dir()}


def _compact_product(tape: ProductTape) -> Compacted:
    with catalog_lock(tape.directory):
        finish_compaction(tape.directory)
        before = tape.segments()
    days = [day for day in _days(before) if len(day) > 1]
    parts = parts_of(before)
    merged = [_merge(tape, day, parts) for day in days]
    if merged:
        checks = [_merged_checks(tape, day) for day in days]
        with catalog_lock(tape.directory):
            now = read_catalog(tape.directory)  # the recorder may have sealed more meanwhile
            replace_file(tape.directory / NEXT_CATALOG, b"".join(map(encode_entry, _replaced(now, merged))))
            finish_compaction(tape.directory)
        for entry, kept in zip(merged, checks, strict=True):
            if kept is not None:
                write_checks(tape.directory, entry, kept)
    return Compacted(len(before), len(before) - sum(len(day) - 1 for day in _days(before)))


def _days(entries: Sequence[SegmentEntry]) -> list[list[SegmentEntry]]:
    """Return the entries by the date folder that they are in."""
    return [list(day) for _, day in groupby(entries, key=lambda entry: entry.file.partition("/")[0])]


def _merge(tape: ProductTape, day: Sequence[SegmentEntry], parts: Sequence[Part]) -> SegmentEntry:
    """Write a day's segments as one, aside; return its entry. `parts` are those of the whole tape."""
    first, last = day[0], day[-1]

    def batches() -> Iterator[pa.RecordBatch]:
        for entry in day:
            segment = tape.open_segment(entry, entry.first_seq)
            with segment.file:
                yield from segment.batches()

    rows = last.next_seq - first.first_seq
    aside = merged_aside(tape.directory / first.file)
    written = write_aside(aside, tape.product, first.first_seq, rows, batches())
    sync_directory(aside.parent)  # its name must be durable before it is decided on
    return replace(
        last,
        file=first.file,
        first_seq=first.first_seq,
        rows=rows,
        first_recv_time=first.first_recv_time,
        connections=(first.connections[0], last.connections[1]),
        bytes=written.bytes,
        sha256=written.sha256,
        faults=merge_faults(entry.faults for entry in day),
        numbered=tuple(sorted({number for entry in day for number in entry.numbered})),
        parts=tuple(part for part in parts if first.first_seq <= part.first_seq < last.next_seq),
    )


def _merged_checks(tape: ProductTape, day: Sequence[SegmentEntry]) -> Checks | None:
    """Return the checks of a day's rows; None where a segment has none."""
    parts = [read_checks(tape.directory, entry) for entry in day]
    kept = [part for part in parts if part is not None]
    return np.concatenate(kept) if len(kept) == len(parts) else None


def _replaced(entries: Sequence[SegmentEntry], merged: Sequence[SegmentEntry]) -> list[SegmentEntry]:
    """Return the entries with the merged ones in place of what they hold."""
    starts = {entry.first_seq: entry for entry in merged}
    kept: list[SegmentEntry] = []
    for entry in entries:
        if entry.first_seq in starts:
            kept.append(starts[entry.first_seq])
        elif not kept or entry.first_seq >= kept[-1].next_seq:
            kept.append(entry)
    return kept


def finish_compaction(product_dir: Path) -> None:
    """Put the files of a decided compaction in place; nothing to do where none is. Hold `catalog_lock`."""
    path = product_dir / NEXT_CATALOG
    try:
        entries, _ = parse_catalog(path, path.read_bytes())
    except FileNotFoundError:
        return
    for entry in entries:
        aside = merged_aside(product_dir / entry.file)
        if aside.exists():
            aside.replace(product_dir / entry.file)
            sync_directory(aside.parent)
    listed = {entry.file for entry in entries}
    begins = {part.first_seq for part in parts_of(entries)}
    before, _ = parse_catalog(product_dir / CATALOG, (product_dir / CATALOG).read_bytes())
    for entry in before:
        if entry.file not in listed:
            remove_checks(product_dir, entry.first_seq)
            if entry.first_seq not in begins:  # of a list that an earlier version made
                remove_book(product_dir, entry.first_seq)
            (product_dir / entry.file).unlink(missing_ok=True)
            sync_directory((product_dir / entry.file).parent)
    path.replace(product_dir / CATALOG)
    sync_directory(product_dir)
