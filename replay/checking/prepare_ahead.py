"""`--prepare auto`: prepare what a run is going to read, before it reads, unless something hinders it."""

import logging
from collections.abc import Iterator, Sequence

from orderbook.engine import Engine
from orderbook.errors import BooktapeError, reason_of
from orderbook.times import parse_time
from recorder.installed import tape_name
from recorder.runtime.loading import engine_for, load_engine, load_packer
from recorder.settings import EngineName
from recorder.tape.compaction import maintenance_lock
from recorder.tape.errors import LockedTapeError
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from recorder.tape.store import files as store
from replay.checking.prepare import prepare_segment
from replay.running.window import Window

log = logging.getLogger(__name__)


def prepare_ahead(
    tapes: Sequence[Tape],
    products: tuple[str, ...],
    window: Window,
    engine: Engine | EngineName,
    *,
    runs: int = 1,
) -> None:
    """Write the prepared form of each sealed segment that a run reads and that has none of this version.

    A line of the log says why a tape is not prepared. A damaged file counts as prepared here: that it is
    damaged is found when it is read.

    Args:
        tapes: the tapes of the run.
        products: product ids; all of each tape if empty.
        window: the part of the tapes that is reported.
        engine: of the run; `auto` reads frames if the tape is small.
        runs: how often the engine runs over the rows, for that.
    """
    for tape in tapes:
        try:
            why_not = _prepare(tape, products, window, engine, runs)
        except OSError as error:
            why_not = reason_of(error)
        except LockedTapeError:
            why_not = "it is being prepared, indexed or compacted"
        except BooktapeError as error:
            why_not = str(error)
        if why_not:
            log.warning("%s is read without being prepared: %s", tape_name(tape.path), why_not)


def _prepare(
    tape: Tape, products: tuple[str, ...], window: Window, engine: Engine | EngineName, runs: int
) -> str:
    """Prepare a tape; return why it cannot be, or an empty text."""
    if store.is_remote(tape.path):
        return "it is in an object store"
    chosen = tape.select(products)
    engine = engine_for(tape.sealed_work(chosen) * runs, engine)
    if engine == "plain" or not (version := load_engine(engine).packed):
        return "the plain engine, which small tapes are left to, reads the frames"
    missing = {product: list(_missing(tape.product(product), window, version)) for product in chosen}
    if not any(missing.values()):
        return ""
    packer = load_packer()
    with maintenance_lock(tape.path):
        for product, entries in missing.items():
            part, packs = tape.product(product), packer(product, tape.feed)
            for entry in entries:
                prepare_segment(part, entry, packs)
    return ""


def _missing(tape: ProductTape, window: Window, version: str) -> Iterator[SegmentEntry]:
    """Yield the segments that are read for a window and have no prepared form of a version."""
    start = 0 if window.start is None else tape.start_before(window.start).seq
    for entry in tape.listing.since(start):
        begins = parse_time(entry.first_recv_time)
        if window.end is not None and begins is not None and begins >= window.end:
            return
        prepared = tape.prepared(entry, entry.first_seq, version)
        if prepared is None:
            yield entry
        else:
            prepared.file.close()
