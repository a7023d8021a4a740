"""What a product's tape holds, without reading its frames: extent, and where connections begin and end."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from recorder.tape.catalog import Faults, SegmentEntry, merge_faults
from recorder.tape.journal import damaged_copies, journal_paths
from recorder.tape.reader import BATCH_ROWS, ProductTape, SealedSegment, Tape
from recorder.tape.segment import naming_damage

_FEW_ROWS: Final = 1024


class Mark(NamedTuple):
    """A `connected` or `disconnected` row, times in nanoseconds since 1970.

    `time_before` is the recv_time of the row before it, None for the first row.
    """

    recv_time: int
    connection: int
    kind: str
    payload: str
    time_before: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A product's rows as a whole; times in nanoseconds since 1970, None where there is no row.

    Attributes:
        rows: how many, sealed or not.
        first_time, last_time: recv_time of the first and last row.
        segments, sealed_bytes: sealed files.
        journal_rows, journal_bytes, torn_bytes: what is not sealed; torn bytes are no whole record.
        damaged: journals of which a record went bad with whole ones behind it, or copies kept of such.
        unsealed_connection: the first connection with rows in a journal, None where there is none.
        marks: where connections begin and end, in order.
        faults: gaps and crossed summaries of the sealed rows, by connection.
        numbered: connections of which a sealed row had a sequence number that was checked.
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
    unsealed_connection: int | None
    marks: tuple[Mark, ...]
    faults: Faults
    numbered: frozenset[int]


def overview(tape: ProductTape) -> Overview:
    """Look over a product's tape: times and kinds are read, and payloads beside marks.

    O(segments, and rows of those with a connection's first or last row): between these are frames alone.

    Raises:
        DamagedTapeError: where what is read, or any segment's size or footer, is not what was written.
    """
    marks: list[Mark] = []
    times: list[int] = []
    with ExitStack() as stack:
        journals = [stack.enter_context(journal) for journal in tape.open_journals()]
        entries: list[SegmentEntry] = []
        beginning = {entry.first_seq: entry.connections[0] for entry in tape.segments()}
        for segment in tape.sealed(as_numbers=["kind"]):
            first, last = segment.entry.connections
            before = entries[-1].connections[1] if entries else None
            entries.append(segment.entry)
            if before == first == last == beginning.get(segment.entry.next_seq):
                times.append(segment.entry.last_time)
                continue
            for group in range(segment.file.num_row_groups):
                times += _take_up_group(segment, group, times[-1:], marks)
        sealed = entries[-1].next_seq if entries else 0
        journal_rows = 0
        unsealed_connection: int | None = None
        for journal in journals:
            for rows in journal.batches(sealed, BATCH_ROWS):
                times += _take_up(rows, times[-1:], marks)
                journal_rows += rows.num_rows
                if unsealed_connection is None:
                    unsealed_connection = rows.column("connection")[0].as_py()
        extents = [journal.extent() for journal in journals]
        read = zip(journals, extents, strict=True)
        damaged = [journal.path for journal, extent in read if extent.is_damaged]
    return Overview(
        rows=sealed + journal_rows,
        first_time=times[0] if times else None,
        last_time=times[-1] if times else None,
        segments=len(entries),
        sealed_bytes=sum(entry.bytes for entry in entries),
        journal_rows=journal_rows,
        journal_bytes=sum(extent.complete for extent in extents),
        torn_bytes=sum(extent.torn for extent in extents if not extent.is_damaged),
        damaged=(*damaged, *damaged_copies(tape.journals)),
        unsealed_connection=unsealed_connection,
        marks=tuple(marks),
        faults=merge_faults(entry.faults for entry in entries),
        numbered=frozenset(number for entry in entries for number in entry.numbered),
    )


def _take_up(rows: pa.RecordBatch | pa.Table, last: list[int], marks: list[Mark]) -> list[int]:
    """Append the marks among rows; return the first and last recv_time of the rows."""
    # Without pyarrow.compute: importing it would take a tenth of what `inspect` takes.
    times = rows.column("recv_time").to_numpy().view(np.int64)
    positions = np.flatnonzero(rows.column("kind").to_numpy(zero_copy_only=False) != "frame")
    before = np.concatenate([last or [-1], times[:-1]])[positions].tolist()
    connections = rows.column("connection").to_numpy()
    for position, time_before in zip(positions.tolist(), before, strict=True):
        kind, payload = (rows.column(name)[position].as_py() for name in ("kind", "payload"))
        known_before = None if time_before < 0 else time_before
        marks.append(Mark(int(times[position]), int(connections[position]), kind, payload, known_before))
    return [int(times[0]), int(times[-1])]


def _take_up_group(segment: SealedSegment, group: int, last: list[int], marks: list[Mark]) -> list[int]:
    """Do the same for a row group; of its payloads only those up to the last mark are read.

    The footer's statistics would spare more, but pyarrow ends the process where a damaged footer is asked.
    """
    file = segment.file
    with naming_damage(segment.path):
        light = file.read_row_group(group, ["recv_time", "kind"], use_threads=False)
        times = light.column("recv_time").to_numpy().view(np.int64)
        left = _end_of_marks(light.column("kind"))
        columns = ["recv_time", "connection", "kind", "payload"]
        few = min(left, _FEW_ROWS)
        batches = file.iter_batches(few, [group], columns, use_threads=False) if left else ()
        for rows in batches:
            last = _take_up(rows, last[-1:], marks)
            left -= rows.num_rows
            if left <= 0:
                break
        return [int(times[0]), int(times[-1])] if len(times) else []


def _end_of_marks(kinds: pa.ChunkedArray) -> int:
    """Return how many of the rows of a group hold all of its marks.

    Raises:
        pyarrow.ArrowInvalid: where a number stands for no text: a page's checksum leaves out its header.
    """
    end = passed = 0
    for chunk in kinds.chunks:
        chunk.validate(full=True)
        is_mark = np.array([kind != "frame" for kind in chunk.dictionary.to_pylist()])
        marked = np.flatnonzero(is_mark[chunk.indices.to_numpy()]) if is_mark.any() else np.empty(0, int)
        end = passed + int(marked[-1]) + 1 if len(marked) else end
        passed += len(chunk)
    return end


def first_time(tape: Tape) -> int | None:
    """Return recv_time of the first row of any product, nanoseconds since 1970; None where there is none.

    Raises:
        DamagedTapeError: where a file is not what was written.
    """
    firsts = (next(tape.product(product).batches(1), None) for product in tape.select(()))
    return min(
        (int(rows.column("recv_time").cast(pa.int64())[0].as_py()) for rows in firsts if rows), default=None
    )


def stored_bytes(tape: ProductTape) -> int:
    """Return how many bytes a product's segments and journals take: cheap, to share work out."""
    found = sum(entry.bytes for entry in tape.segments())
    for path in journal_paths(tape.journals):
        with suppress(FileNotFoundError):  # sealed and dropped since it was listed
            found += path.stat().st_size
    return found


def row_count(tape: ProductTape) -> int:
    """Return how many rows are sealed: cheap, for progress."""
    entries = tape.segments()
    return entries[-1].next_seq if entries else 0
