"""What a product's tape holds, without reading its frames: its extent and its connections."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.facts import all_facts
from recorder.tape.connections import Connection, ConnectionCollector
from recorder.tape.errors import DamagedTapeError, RemovedRowsError
from recorder.tape.format.journal import damaged_copies
from recorder.tape.format.removed import Removed
from recorder.tape.format.segment import SealedSegment, naming_damage
from recorder.tape.format.segment_entry import SegmentEntry, sealed_rows
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import BATCH_ROWS

_FEW_ROWS: Final = 1024
_WITH_PAYLOAD: Final = ["recv_time", "connection", "kind", "payload"]


@dataclass(frozen=True, slots=True)
class Overview:
    """The rows of a product; times in nanoseconds since 1970, None if there is no row.

    Attributes:
        rows: number of rows that are here, sealed or not.
        first_time, last_time: recv_time of the first and last row.
        segments, sealed_bytes: number of sealed files, and their size.
        journal_rows, journal_bytes: rows that are not sealed, and their size.
        torn_bytes: bytes at the ends of journals that are no complete record.
        damaged: journals in which a record went bad before intact ones, and the copies kept of such.
        connections: in order; their facts are known of the sealed rows only.
        removed: which of the first rows were removed here; None if all are here.
    """

    rows: int
    first_time: int | None
    last_time: int | None
    segments: int
    sealed_bytes: int
    journal_rows: int
    journal_bytes: int
    torn_bytes: int
    damaged: tuple[Path, ...]
    connections: tuple[Connection, ...]
    removed: Removed | None = None

    @property
    def next_seq(self) -> int:
        """The seq of the row that comes next."""
        return self.rows + (self.removed.rows if self.removed else 0)


def overview(tape: ProductTape) -> Overview:
    """Return what a product's tape holds; an open tape is read again only if its files have changed.

    Raises:
        DamagedTapeError: if what is read, or any segment's size, is not what was written.
    """
    files = tape.files()  # before the rows: what is written meanwhile is read the next time
    known = tape.listing.overview
    if known is None or known[0] != files:
        known = tape.listing.overview = files, _read(tape)
    return known[1]


def keep_overview(tape: ProductTape, rows: int, collector: ConnectionCollector) -> None:
    """Keep the overview of a tape all of whose rows were read, so that it need not be read again.

    It is not kept if rows are in a journal, were removed, or were sealed since.

    Args:
        tape: the product.
        rows: how many were read, from the first one on.
        collector: has seen them.
    """
    files = tape.files()
    journals, entries = files
    if not journals and tape.removed is None and sealed_rows(entries) == rows:
        tape.listing.overview = files, _overview(tape, entries, collector)


def _overview(
    tape: ProductTape,
    entries: list[SegmentEntry],
    collector: ConnectionCollector,
    unsealed_from: int | None = None,
) -> Overview:
    """Return the overview without what is not sealed."""
    return Overview(
        rows=sealed_rows(entries),
        first_time=collector.first_time,
        last_time=collector.last_time,
        segments=len(entries),
        sealed_bytes=sum(entry.bytes for entry in entries),
        journal_rows=0,
        journal_bytes=0,
        torn_bytes=0,
        damaged=tuple(damaged_copies(tape.journals)),
        connections=collector.connections(
            all_facts(entry.facts for entry in entries if entry.has_facts), unsealed_from
        ),
    )


def _read(tape: ProductTape) -> Overview:
    """Read an overview. O(segments, and rows of those in which a connection begins or ends).

    Reads times and kinds, and the payloads of connections' first and last rows.
    """
    with ExitStack() as stack:
        # Journals first: a row that leaves one meanwhile is in a segment that is listed by then.
        journals = [stack.enter_context(journal) for journal in tape.open_journals()]
        removed, entries, collector = _read_segments(tape)
        sealed = sealed_rows(entries)
        journal_rows = 0
        unsealed_from: int | None = None
        for rows in chain.from_iterable(journal.batches(sealed, BATCH_ROWS) for journal in journals):
            if not journal_rows:
                unsealed_from = rows.column("connection")[0].as_py()
            collector.add(rows)
            journal_rows += rows.num_rows
        extents = [journal.extent() for journal in journals]
        read = zip(journals, extents, strict=True)
        damaged = [journal.path for journal, extent in read if extent.is_damaged]
    found = _overview(tape, entries, collector, unsealed_from)
    return replace(
        found,
        rows=sealed + journal_rows - (removed.rows if removed else 0),
        journal_rows=journal_rows,
        journal_bytes=sum(extent.complete for extent in extents),
        torn_bytes=sum(extent.torn for extent in extents if not extent.is_damaged),
        damaged=(*damaged, *found.damaged),
        removed=removed,
    )


def _read_segments(
    tape: ProductTape,
) -> tuple[Removed | None, list[SegmentEntry], ConnectionCollector]:
    """Return what was removed, the sealed segments that are here, and their connections."""
    while True:
        collector, removed, entries = ConnectionCollector(), tape.removed, tape.segments()
        if tape.removed != removed:
            continue  # in between
        inside = _inside_connections(entries)
        sizes = tape.file_sizes() if inside else {}
        try:
            for before, entry in zip([None, *entries], entries, strict=False):
                if entry.first_seq in inside:
                    tape.check_size(entry, sizes)
                    continue
                if before is not None and before.first_seq in inside:
                    collector.skip(before.last_time, before.last_time)
                is_cut = removed is not None and entry is entries[0]
                _add_segment(tape.open_segment(entry, dictionaries=["kind"]), collector, is_cut=is_cut)
        except (DamagedTapeError, RemovedRowsError):
            if tape.segments() == entries:
                raise
        else:
            return removed, entries, collector  # else it was merged or removed since it was listed: once more


def _add_segment(segment: SealedSegment, collector: ConnectionCollector, *, is_cut: bool) -> None:
    """Add the rows of a segment; `is_cut` if those before it were removed."""
    with segment.file:
        if is_cut:
            _begin(collector, segment)
        for group in range(segment.file.num_row_groups):
            _add_row_group(segment, group, collector)


def _begin(collector: ConnectionCollector, segment: SealedSegment) -> None:
    """Begin with the first row that is here."""
    columns = ["recv_time", "connection", "kind"]
    with naming_damage(segment.path):
        first = next(segment.file.iter_batches(1, [0], columns, use_threads=False))
    if first.column("kind")[0].as_py() != "connected":
        collector.begin_inside(first.column("connection")[0].as_py(), first.column("recv_time")[0].value)


def _inside_connections(listed: list[SegmentEntry]) -> set[int]:
    """Return the first seqs of segments that hold frames of one connection alone.

    Not of the last two that have rows of it: one may end with the connection, and the next begin with the row
    that tells of the stop.
    """
    return {
        entry.first_seq
        for before, entry, after, second in zip(listed, listed[1:], listed[2:], listed[3:], strict=False)
        if len({before.connections[1], *entry.connections, *after.connections, second.connections[0]}) == 1
    }


def _add_row_group(segment: SealedSegment, group: int, collector: ConnectionCollector) -> None:
    """Add the rows of a row group; payloads are read up to its last mark only.

    The footer's statistics would save more, but pyarrow ends the process if they are read from a damaged one.
    """
    file = segment.file
    with naming_damage(segment.path):
        if file.metadata.row_group(group).num_rows <= _FEW_ROWS:  # of a quiet product: two reads cost more
            for rows in file.iter_batches(_FEW_ROWS, [group], _WITH_PAYLOAD, use_threads=False):
                rows.column("kind").validate(full=True)
                collector.add(rows)
            return
        light = file.read_row_group(group, ["recv_time", "kind"], use_threads=False)
        times = light.column("recv_time").to_numpy().view(np.int64)
        marked = remaining = _end_of_marks(light.column("kind"))
        if remaining:
            for rows in file.iter_batches(
                min(remaining, _FEW_ROWS), [group], _WITH_PAYLOAD, use_threads=False
            ):
                collector.add(rows)
                remaining -= rows.num_rows
                if remaining <= 0:
                    break
        if len(times):
            collector.skip(int(times[0]), int(times[-1]), frames=len(times) > marked)


def _end_of_marks(kinds: pa.ChunkedArray) -> int:
    """Return the number of leading rows that hold all `connected` and `disconnected` rows of a group.

    Raises:
        pyarrow.ArrowInvalid: if an index has no text: the checksum of a page leaves out its header.
    """
    end = before = 0
    for chunk in kinds.chunks:
        chunk.validate(full=True)
        is_mark = np.array([kind != "frame" for kind in chunk.dictionary.to_pylist()])
        marked = np.flatnonzero(is_mark[chunk.indices.to_numpy()]) if is_mark.any() else np.empty(0, int)
        end = before + int(marked[-1]) + 1 if len(marked) else end
        before += len(chunk)
    return end
