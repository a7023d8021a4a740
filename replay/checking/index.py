"""`index`: rebuild the sidecars that are missing, damaged, of other rows, or not listed by their checksum."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from orderbook.engine import Engine
from recorder.runtime.loading import engine_for, load_engine
from recorder.settings import EngineName
from recorder.tape.compaction import list_books, maintenance_lock
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.book_spacing import parts_with_books
from recorder.tape.format.segment_entry import Part
from recorder.tape.format.sidecars import Start, has_book, read_book, start_in, write_book
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from recorder.tape.row_batches import split_at


@dataclass(frozen=True, slots=True)
class Indexed:
    """Sidecars of a product that were valid, and those that were made."""

    kept: int
    made: int


def index(
    tape: TapeLike, *, rebuild: bool = False, engine: Engine | EngineName = "auto"
) -> dict[str, Indexed]:
    """Make the missing sidecars of all sealed segments. Replays only the segments before a missing one.

    Args:
        tape: the tape, or its path.
        rebuild: make all sidecars again.
        engine: runs the books.

    Raises:
        LockedTapeError: if the tape is being indexed or compacted.
        TapeError: if the tape cannot be read.
        OSError: if a sidecar cannot be written.
    """
    opened = Tape.open(tape)
    running = load_engine(engine_for(opened.sealed_work(), engine))
    with maintenance_lock(opened.path):
        return {
            product: _index_product(opened.product(product), opened.feed, running, rebuild)
            for product in opened.select(())
        }


def _index_product(tape: ProductTape, feed: str, engine: Engine, rebuild: bool) -> Indexed:
    listed = tape.parts()
    needed = {part.first_seq for part in parts_with_books(listed)}
    parts = [part for part in listed if part.first_seq in needed or has_book(tape.directory, part)]
    missing = [
        rebuild or not part.book_sha256 or read_book(tape.directory, part, feed) is None for part in parts
    ]
    books: dict[int, str] = {}
    for is_missing, places in groupby(range(len(parts)), key=missing.__getitem__):
        if is_missing:
            numbers = list(places)
            # A book that the list does not know may be wrong, so no other is made from it.
            before = reversed(parts[: numbers[0]])
            start = start_in(tape.directory, feed, before, believes_unlisted=False)
            books |= _write_books(tape, feed, engine, start, [parts[number] for number in numbers])
    wrong = [
        part for part in parts if part.book_sha256 not in ("", books.get(part.first_seq, part.book_sha256))
    ]
    if wrong:
        raise DamagedTapeError(
            f"{tape.directory}: another book is listed before row {wrong[0].first_seq} than that of the rows",
            tape.directory,
        )
    if not all(part.book_sha256 for part in parts):
        list_books(tape.directory, books)
    made = sum(missing)
    return Indexed(len(parts) - made, made)


def _write_books(
    tape: ProductTape, feed: str, engine: Engine, start: Start, parts: Sequence[Part]
) -> dict[int, str]:
    """Write the books before some parts, reading from a start to the first row of the last part.

    Returns the SHA-256 of each book by the first seq of its part.
    """
    wanted = {part.first_seq: part for part in parts}
    books: dict[int, str] = {}
    state = engine.load(start.saved) if start.saved else engine.start(tape.product, feed)
    for rows in split_at(tape.batches(first_seq=start.seq), wanted):
        part = wanted.get(rows.column("seq")[0].as_py())
        if part is not None:
            saved = engine.save(state)
            books[part.first_seq] = write_book(tape.directory, part.first_seq, part.before, saved)
        if part is parts[-1]:
            break
        state, _ = engine.step(state, rows)
    return books
