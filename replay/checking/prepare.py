"""`prepare`: write each sealed segment's rows once more, as the compiled engine reads them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recorder.runtime.loading import load_packer
from recorder.tape.compaction import maintenance_lock
from recorder.tape.format.prepared import prepared_bytes, remove_other_prepared, write_prepared
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from recorder.tape.row_batches import BATCH_ROWS, evenly

if TYPE_CHECKING:
    from orderbook.compiled.packer import Packer


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is prepared of a product.

    Attributes:
        kept: number of segments whose prepared form was right.
        made: number of those that were written.
        bytes: the size of all of them.
        sealed_bytes: the size of the segments.
    """

    kept: int
    made: int
    bytes: int
    sealed_bytes: int


def prepare(tape: TapeLike, *, rebuild: bool = False) -> dict[str, Prepared]:
    """Write the prepared form of each sealed segment that has none, or a wrong one; remove all others.

    Args:
        tape: the tape, or its path.
        rebuild: write all of them again.

    Raises:
        EngineError: if the compiled engine is not installed, or does not work.
        LockedTapeError: if the tape is being prepared, indexed or compacted.
        TapeError: if the tape cannot be read.
        OSError: if a file cannot be written.
    """
    opened = Tape.open(tape)
    packer = load_packer()
    with maintenance_lock(opened.path):
        return {
            product: _prepare_product(opened.product(product), packer(product, opened.feed), rebuild)
            for product in opened.select(())
        }


def _prepare_product(tape: ProductTape, packer: "Packer", rebuild: bool) -> Prepared:
    entries = tape.segments()
    remove_other_prepared(tape.directory, [entry.first_seq for entry in entries])
    missing = [entry for entry in entries if rebuild or not _is_whole(tape, entry, packer.version)]
    for entry in missing:
        prepare_segment(tape, entry, packer)
    return Prepared(
        len(entries) - len(missing),
        len(missing),
        sum(prepared_bytes(tape.directory, entry.first_seq) for entry in entries),
        sum(entry.bytes for entry in entries),
    )


def prepare_segment(tape: ProductTape, entry: SegmentEntry, packer: "Packer") -> None:
    """Write the prepared form of a segment; the tape must be locked, see `maintenance_lock`.

    Raises:
        DamagedTapeError: if the segment is not what was sealed.
        OSError: if the file cannot be written.
    """
    segment = tape.open_segment(entry, entry.first_seq)
    with segment.file:
        blocks = evenly(map(packer.pack, segment.batches()), BATCH_ROWS)
        write_prepared(tape.directory, tape.prepared_header(entry, packer.version), blocks)


def _is_whole(tape: ProductTape, entry: SegmentEntry, version: str) -> bool:
    prepared = tape.prepared(entry, entry.first_seq, version)
    if prepared is None:
        return False
    with prepared.file:
        rows: int = sum(block.num_rows for block in prepared.blocks())
    return rows == entry.rows
