"""Taking up a tape's digest and book where an earlier recording left them."""

from bisect import bisect_right
from dataclasses import dataclass

from orderbook.digest import Digest
from orderbook.engine import Engine
from orderbook.feeds import Feed
from orderbook.row_checks import RowChecks
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.tape.index import parts_of, start_in
from recorder.tape.product_writer import ProductWriter
from recorder.tape.reader import ProductTape, cut_at


@dataclass(frozen=True, slots=True)
class Resumed:
    """The end of a product's tape: the digest of its summaries, its book as `Engine.save` gives it."""

    digest: Digest
    book: bytes


def resume(tape: ProductTape, feed: Feed, writer: ProductWriter, engine: Engine) -> Resumed:
    """Return how a product's tape ends, and seal what a dead recorder left unsealed.

    Replays the tail: from the segment in which the sealed digest goes on.

    Raises:
        DamagedTapeError: where the tail is not what was written.
    """
    entries = tape.segments()
    chain_seq = entries[-1].chain_seq if entries else 0
    sealed = entries[-1].next_seq if entries else 0
    chain = bytes.fromhex(entries[-1].chain) if entries else Digest().chain
    tally = Tally(DEFAULT_THRESHOLD, Digest(chain, RowChecks()))
    parts = parts_of(entries)
    start = start_in(
        tape.directory, parts, bisect_right(parts, chain_seq, key=lambda part: part.first_seq) - 1
    )
    state = engine.load(start.saved) if start.saved else engine.start(tape.product, feed)
    ends = writer.unsealed_ends()
    # Cut where the digest goes on, where faults are not told yet, and where a segment waits for its seal.
    for rows in cut_at(tape.batches(first_seq=start.seq), {chain_seq, sealed, *ends}):
        first, end = rows.column("seq")[0].as_py(), rows.column("seq")[-1].as_py() + 1
        if writer.begins_segment(first):
            writer.hold_book(first, engine.save(state))
        state, step = engine.step(state, rows)
        if first >= chain_seq:
            tally.add(step)
        if first < sealed:
            tally.take_faults()  # they went with their segment
        writer.seal(tally, end)
    return Resumed(tally.digest, engine.save(state))
