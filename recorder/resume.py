"""Taking up a tape's digest where an earlier recording left it."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.digest import Digest
from orderbook.engine import Engine
from orderbook.schema import Feed
from recorder.tape.catalog import SegmentEntry
from recorder.tape.reader import ProductTape
from recorder.tape.writer import ProductWriter


def resume_digest(tape: ProductTape, feed: Feed, writer: ProductWriter, engine: Engine) -> Digest:
    """Return the digest at the end of a product's tape, and seal what a dead recorder left unsealed.

    Replays the tail: from the last `connected` row before the block in which the sealed digest goes on.

    Raises:
        DamagedTapeError: where the tail is not what was written.
    """
    entries = tape.segments()
    digest = Digest(bytes.fromhex(entries[-1].chain)) if entries else Digest()
    chain_seq = entries[-1].chain_seq if entries else 0
    state = engine.start(tape.product, feed)
    ends = writer.unsealed_ends()
    for rows in tape.batches(first_seq=_start(tape, entries, chain_seq)):
        state, step = engine.step(state, rows)
        first, end = rows.column("seq")[0].as_py(), rows.column("seq")[-1].as_py() + 1
        cuts = [cut for cut in ends if first < cut <= end]
        for low, high in zip([chain_seq, *cuts], [*cuts, end], strict=True):
            digest.update(_between(step.summaries, max(low, chain_seq), high))
            if high in cuts:
                writer.seal(digest, high)
    return digest


def _between(summaries: pa.RecordBatch, low: int, high: int) -> pa.RecordBatch:
    seq = summaries.column("seq")
    return summaries.filter(pc.and_(pc.greater_equal(seq, low), pc.less(seq, high)))


def _start(tape: ProductTape, entries: list[SegmentEntry], chain_seq: int) -> int:
    """Return the seq of the last `connected` row at or before a seq: there no book is needed. 0 if none."""
    for entry in reversed(entries):
        if entry.first_seq > chain_seq:
            continue
        connected = [seq for seq in _connected(tape, entry) if seq <= chain_seq]
        if connected:
            return connected[-1]
    return 0


def _connected(tape: ProductTape, entry: SegmentEntry) -> Iterator[int]:
    for rows in tape.segment_batches(entry):
        yield from rows.filter(pc.equal(rows.column("kind"), "connected")).column("seq").to_pylist()
