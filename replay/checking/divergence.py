"""The first difference between a replay and its recording: the digest block, the row and its raw frame."""

import msgspec
import numpy as np

from orderbook.digest import BLOCK, Digest, RowChecks
from orderbook.display import printable
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.format.sidecars import read_checks
from recorder.tape.product_tape import ProductTape


class ReplayDivergence(msgspec.Struct, frozen=True):
    """The first difference between a segment's summaries as recorded and as replayed.

    Attributes:
        product: product id.
        block: number of the digest's block of 4,096 seqs.
        seq: the first row that differs; the first that may if not `exact`.
        exact: whether the recording has row checks, which identify the row.
        kind, payload: of that row, as on the tape.
    """

    product: str
    block: int
    seq: int
    exact: bool
    kind: str
    payload: str

    def __str__(self) -> str:
        certainty = "from" if self.exact else "somewhere from"
        return (
            f"in block {self.block} {certainty} row {self.seq} on, {self.kind} {printable(self.payload, 160)}"
        )


def first_divergence(
    tape: ProductTape, entry: SegmentEntry, replayed: Digest, checks: RowChecks
) -> ReplayDivergence:
    """Return where the replay of a segment differs from its recording; their digests must differ.

    Args:
        tape: rows of the product.
        entry: the segment; the segments before it are known to be equal.
        replayed: digest of the replay at the end of the segment.
        checks: checks of the replayed rows.

    Raises:
        DamagedTapeError: if the segment cannot be read again.
    """
    recorded = read_checks(tape.directory, entry)
    mine = checks.take(entry.first_seq, entry.rows)
    seq, exact = entry.first_seq, False
    if recorded is not None and (differing := np.flatnonzero(recorded != mine)).size:
        seq, exact = entry.first_seq + int(differing[0]), True
    elif (replayed.chain.hex(), replayed.chain_seq) == (entry.chain, entry.chain_seq):
        seq = max(seq, entry.chain_seq)  # all blocks before the last are equal
    row = next(tape.batches(1, seq))
    kind, payload = (row.column(name)[0].as_py() for name in ("kind", "payload"))
    return ReplayDivergence(tape.product, seq // BLOCK, seq, exact, kind, payload)
