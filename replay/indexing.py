"""`index`: make the sidecars again that are missing, damaged or of other rows."""

from dataclasses import dataclass
from pathlib import Path

from orderbook.engine import Engine
from orderbook.feeds import Feed
from recorder.engines import ready_engine
from recorder.options import EngineName
from recorder.tape.index import digest_before, read_book, write_book
from recorder.tape.maintenance import maintenance
from recorder.tape.reader import ProductTape, Tape


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an indexing did to a product: sidecars that were good, and those that were made."""

    kept: int
    made: int


def index(path: Path, *, rebuild: bool = False, engine: Engine | EngineName = "auto") -> dict[str, Indexed]:
    """Give every sealed segment its sidecar. Replays only the segments before one that has none.

    Args:
        path: the tape.
        rebuild: make all of them again.
        engine: runs the books.

    Raises:
        LockedTapeError: where another indexing, or a compaction, is at it.
        TapeError: where the tape cannot be read.
        OSError: where it cannot be written.
    """
    tape = Tape.open(path)
    running = ready_engine(engine)
    with maintenance(path):
        return {
            product: _index_product(tape.product(product), tape.feed, running, rebuild)
            for product in tape.select(())
        }


def _index_product(tape: ProductTape, feed: Feed, engine: Engine, rebuild: bool) -> Indexed:
    entries = tape.segments()
    digests = [digest_before(entries, number) for number in range(len(entries))]
    held = [
        None if rebuild else read_book(tape.directory, entry.first_seq, digest)
        for entry, digest in zip(entries, digests, strict=True)
    ]
    state = engine.start(tape.product, feed)
    for number, entry in enumerate(entries):
        saved = held[number]
        if saved is None:
            write_book(tape.directory, entry.first_seq, digests[number], engine.save(state))
        if None not in held[number + 1 : number + 2]:
            continue  # the next one begins with a book of its own
        if saved is not None:
            state = engine.load(saved)
        segment = tape.open_segment(entry, entry.first_seq)
        with segment.file:
            for rows in segment.batches():
                state, _ = engine.step(state, rows)
    made = held.count(None)
    return Indexed(len(held) - made, made)
