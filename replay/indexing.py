"""`index`: make the sidecars again that are missing, damaged or of other rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from orderbook.engine import Engine
from orderbook.feeds import Feed
from recorder.engines import ready_engine
from recorder.options import EngineName
from recorder.tape.catalog import Part
from recorder.tape.index import Start, parts_of, read_book, start_in, write_book
from recorder.tape.maintenance import maintenance
from recorder.tape.reader import ProductTape, Tape, cut_at


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an indexing did to a product: sidecars that were good, and those that were made."""

    kept: int
    made: int


def index(path: Path, *, rebuild: bool = False, engine: Engine | EngineName = "auto") -> dict[str, Indexed]:
    """Give every sealed segment and part of one its sidecar. Replays only those before one that has none.

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
    parts = parts_of(tape.segments())
    missing = [rebuild or read_book(tape.directory, part) is None for part in parts]
    for is_missing, places in groupby(range(len(parts)), key=missing.__getitem__):
        if is_missing:
            numbers = list(places)
            start = start_in(tape.directory, parts, numbers[0] - 1)
            _write_books(tape, feed, engine, start, [parts[number] for number in numbers])
    made = sum(missing)
    return Indexed(len(parts) - made, made)


def _write_books(tape: ProductTape, feed: Feed, engine: Engine, start: Start, parts: Sequence[Part]) -> None:
    """Write the books before some parts, reading from a start to the first row of the last."""
    wanted = {part.first_seq: part for part in parts}
    state = engine.load(start.saved) if start.saved else engine.start(tape.product, feed)
    for rows in cut_at(tape.batches(first_seq=start.seq), wanted):
        part = wanted.get(rows.column("seq")[0].as_py())
        if part is not None:
            write_book(tape.directory, part.first_seq, part.before, engine.save(state))
        if part is parts[-1]:
            return
        state, _ = engine.step(state, rows)
