"""Where a replay first differs from what was recorded: the block of the digest, the row, its raw frame."""

from dataclasses import dataclass

import numpy as np

from orderbook.digest import BLOCK, Digest
from orderbook.row_checks import RowChecks
from recorder.printable import printable
from recorder.tape.catalog import SegmentEntry
from recorder.tape.index import read_checks
from recorder.tape.reader import ProductTape


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between a segment's summaries as recorded and as replayed.

    Attributes:
        product: whose.
        block: number of the digest's block, 4,096 seq each.
        seq: the first row that differs; where `is_exact` is False, the first that can.
        is_exact: whether the recording kept checks of its rows, which tell the row.
        kind, payload: of that row, as on the tape.
    """

    product: str
    block: int
    seq: int
    is_exact: bool
    kind: str
    payload: str

    def __str__(self) -> str:
        certainty = "from" if self.is_exact else "somewhere from"
        return (
            f"in block {self.block} {certainty} row {self.seq} on, {self.kind} {printable(self.payload, 160)}"
        )

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "product": self.product,
            "block": self.block,
            "seq": self.seq,
            "exact": self.is_exact,
            "kind": self.kind,
            "payload": self.payload,
        }


def first_divergence(
    tape: ProductTape, entry: SegmentEntry, replayed: Digest, checks: RowChecks
) -> Divergence:
    """Return where a segment's replay differs from its recording; their digests must.

    Args:
        tape: the product's rows.
        entry: the segment; what comes before it is known to be equal.
        replayed: the digest of the replay at its end.
        checks: of its replayed rows.

    Raises:
        DamagedTapeError: where the segment cannot be read again.
    """
    recorded = read_checks(tape.directory, entry)
    mine = checks.take(entry.first_seq, entry.rows)
    seq, is_exact = entry.first_seq, False
    if recorded is not None and (differing := np.flatnonzero(recorded != mine)).size:
        seq, is_exact = entry.first_seq + int(differing[0]), True
    elif (replayed.chain.hex(), replayed.chain_seq) == (entry.chain, entry.chain_seq):
        seq = max(seq, entry.chain_seq)  # all blocks before the last are equal
    row = next(tape.batches(1, seq))
    kind, payload = (row.column(name)[0].as_py() for name in ("kind", "payload"))
    return Divergence(tape.product, seq // BLOCK, seq, is_exact, kind, payload)
