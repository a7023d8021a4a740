"""Taking up a tape's digest where an earlier recording left it."""

from collections.abc import Iterator
from itertools import pairwise

import pyarrow.compute as pc

from orderbook.digest import Digest
from orderbook.engine import Engine
from orderbook.feeds import Feed
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.tape.catalog import SegmentEntry
from recorder.tape.product_writer import ProductWriter
from recorder.tape.reader import ProductTape, own


def resume_digest(tape: ProductTape, feed: Feed, writer: ProductWriter, engine: Engine) -> Digest:
    """Return the digest at the end of a product's tape, and seal what a dead recorder left unsealed.

    Replays the tail: from the last `connected` row before the block in which the sealed digest goes on.

    Raises:
        DamagedTapeError: where the tail is not what was written.
    """
    entries = tape.segments()
    chain_seq = entries[-1].chain_seq if entries else 0
    sealed = entries[-1].next_seq if entries else 0
    tally = Tally(DEFAULT_THRESHOLD, Digest(bytes.fromhex(entries[-1].chain)) if entries else Digest())
    state = engine.start(tape.product, feed)
    ends = writer.unsealed_ends()
    for rows in tape.batches(first_seq=_start(tape, entries, chain_seq)):
        first, end = rows.column("seq")[0].as_py(), rows.column("seq")[-1].as_py() + 1
        # Cut where the digest goes on, where faults are not told yet, and where a segment waits for its seal.
        cuts = sorted(cut for cut in {chain_seq, sealed, *ends} if first < cut < end)
        for low, high in pairwise([first, *cuts, end]):
            state, step = engine.step(state, own(rows.slice(low - first, high - low)))
            if low >= chain_seq:
                tally.add(step)
            if low < sealed:
                tally.take_faults()  # they went with their segment
            writer.seal(tally, high)
    return tally.digest


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
    segment = tape.open_segment(entry)
    with segment.file:
        for rows in segment.batches():
            yield from rows.filter(pc.equal(rows.column("kind"), "connected")).column("seq").to_pylist()
