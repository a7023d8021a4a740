"""The check of a product's files, and of what a compaction merges.

Checksums, the list of segments and the journals are checked without a replay. What is merged is replayed,
too: it must be what was written, or the evidence would be gone.
"""

from collections.abc import Sequence

from orderbook.engine import Engine
from recorder.runtime.loading import engine_for, load_engine
from recorder.tape.compaction import Compacted, compact
from recorder.tape.errors import DamagedTapeError, RemovedRowsError
from recorder.tape.format.journal import damaged_copies
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from recorder.tape.store import files as store
from replay.checking.replayed import ReplayCheck
from replay.checking.verification import Findings


def check_segment_files(tape: ProductTape, found: Findings) -> None:
    """Find segments that are missing or not listed, and compare every listed one with its checksum.

    Raises:
        DamagedTapeError: if the list of segments cannot be read.
    """
    entries = tape.segments(found.damage)
    problems = [problem for entry in entries if (problem := problem_of(tape, entry))]
    found.damage += [problem for problem in problems if problem not in found.damage]


def problem_of(tape: ProductTape, entry: SegmentEntry) -> str:
    """Return what is wrong with the file of a listed segment; an empty text if nothing is. O(bytes)."""
    try:
        segment = tape.open_segment(entry)
        segment.file.close()
        digest = store.sha256(segment.path)
    except DamagedTapeError as error:
        return str(error)
    except RemovedRowsError:
        return ""  # since it was listed: a store has it
    except OSError as error:
        return f"{tape.directory / entry.file}: {error.strerror}"
    return "" if digest == entry.sha256 else f"{segment.path}: the SHA-256 is not the one that was sealed"


def check_journals(tape: ProductTape, found: Findings) -> None:
    """Find bad records and incomplete ones in journals, and the copies that were kept of bad journals."""
    found.kept += damaged_copies(tape.journals)
    for journal in tape.open_journals():
        with journal:
            extent = journal.extent()
        if extent.is_damaged:
            found.damage.append(f"{journal.path}: a bad record after row {extent.last_seq}")
        else:
            found.torn_bytes += extent.torn


def checked_compact(tape: TapeLike) -> dict[str, Compacted]:
    """Merge the sealed segments of each day of each product into one, if `verify` finds no fault in them.

    Raises:
        LockedTapeError: if another compaction or indexing of the tape is running.
        DamagedTapeError: if a segment, or what the list says of it, is not what its rows say; then nothing
            was changed.
        TapeError: if the tape cannot be read.
        OSError: if it cannot be written; the tape is as it was.
    """
    opened = Tape.open(tape)
    engine = load_engine(engine_for(opened.sealed_work(), "auto"))

    def check(product: ProductTape, entries: Sequence[SegmentEntry], days: Sequence[range]) -> None:
        for day in days:
            _check_day(product, entries, day, engine)

    return compact(opened, check)


def _check_day(tape: ProductTape, entries: Sequence[SegmentEntry], day: range, engine: Engine) -> None:
    """Check some consecutive segments, by replay from the book and the digest before them."""
    found = Findings()
    chosen = [entries[number] for number in day]
    found.damage += filter(None, (problem_of(tape, entry) for entry in chosen))
    if not found.damage:
        before, proven = entries[day[0] - 1] if day[0] else None, tape.first_proven()
        if proven is not None and (before is None or before.next_seq < proven.next_seq):
            before = proven
        check = ReplayCheck(tape, engine, found, None)
        # A book that the list does not know may be wrong, so nothing is judged by it.
        check.begin(tape.start_at(before.chain_seq if before else 0, believes_unlisted=False), before)
        if before is None or before.next_seq < chosen[-1].next_seq:
            check.check_sealed(chosen[-1].next_seq)
    if found.damage:
        more = f" (and {len(found.damage) - 1:,} more)" if len(found.damage) > 1 else ""
        raise DamagedTapeError(
            f"{found.damage[0]}{more}; nothing was merged, see `booktape verify`", tape.directory
        )
