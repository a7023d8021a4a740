"""Restoring the digest and the book of a tape's end, so that a recording can continue it."""

from dataclasses import dataclass

from orderbook.digest import Digest, RowChecks
from orderbook.engine import Engine
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.sidecars import Start
from recorder.tape.product_tape import ProductTape
from recorder.tape.product_writer import ProductWriter
from recorder.tape.row_batches import split_at


@dataclass(frozen=True, slots=True)
class Resumed:
    """The end of a product's tape: the digest of its summaries, and its book in the form of `Engine.save`."""

    digest: Digest
    book: bytes


def resume(tape: ProductTape, feed: str, writer: ProductWriter, engine: Engine) -> Resumed:
    """Return how a product's tape ends, and seal the segments that a dead recorder left unsealed.

    Replays the end of the tape, from the segment from which its digest can continue; all of it if that does
    not give the digest that was sealed last, and all of it is here.

    Raises:
        DamagedTapeError: if the end is not what was written.
    """
    last = tape.last_segment()
    beginning = () if tape.removed else (Start(),)
    for start in (tape.start_at(last.chain_seq if last else 0), *beginning):
        resumed = _resume_from(start, tape, feed, writer, engine)
        if resumed is not None:
            return resumed
    raise DamagedTapeError(
        f"{tape.directory}: the last digest that is listed is not the one of its rows; see `booktape verify`",
        tape.directory,
    )


def _resume_from(
    start: Start, tape: ProductTape, feed: str, writer: ProductWriter, engine: Engine
) -> Resumed | None:
    """Return how a product's tape ends, reading from a start; None if the last sealed digest is another."""
    last = tape.last_segment()
    sealed = last.next_seq if last else 0
    chain_seq = last.chain_seq if last else 0
    tally = Tally(
        DEFAULT_THRESHOLD, Digest(bytes.fromhex(last.chain) if last else Digest().chain, RowChecks())
    )
    state = engine.load(start.saved) if start.saved else engine.start(tape.product, feed)
    # Split where the digest continues, where listed faults end, and where a segment waits to be sealed.
    seqs = {chain_seq, sealed, *writer.unsealed_ends()}
    for rows in split_at(tape.batches(first_seq=start.seq), seqs):
        first, end = rows.column("seq")[0].as_py(), rows.column("seq")[-1].as_py() + 1
        if writer.needs_book(first):
            writer.hold_book(first, engine.save(state))
        state, step = engine.step(state, rows)
        if first >= chain_seq:
            tally.add(step)
        if first < sealed:
            tally.take_facts()  # they are in the list already
        if last is not None and end == sealed and tally.digest.hexdigest() != last.digest:
            return None
        writer.seal(tally, end)
    return Resumed(tally.digest, engine.save(state))
