"""The check of a product's files: checksums, the list of segments and the journals. It replays nothing."""

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.journal import damaged_copies
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.reader import ProductTape
from recorder.tape.store import local as store
from replay.checking.verification import Verification


def check_segment_files(tape: ProductTape, found: Verification) -> None:
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
    except OSError as error:
        return f"{tape.directory / entry.file}: {error.strerror}"
    return "" if digest == entry.sha256 else f"{segment.path}: the SHA-256 is not the one that was sealed"


def check_journals(tape: ProductTape, found: Verification) -> None:
    """Find bad records and incomplete ones in journals, and the copies that were kept of bad journals."""
    found.kept += damaged_copies(tape.journals)
    for journal in tape.open_journals():
        with journal:
            extent = journal.extent()
        if extent.is_damaged:
            found.damage.append(f"{journal.path}: a bad record after row {extent.last_seq}")
        else:
            found.torn_bytes += extent.torn
