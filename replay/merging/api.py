"""`merge`: make one tape of the tapes of several recorders of the same exchange."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pyarrow as pa

from orderbook.engine import Engine
from orderbook.errors import reason_of
from orderbook.times import parse_time
from recorder.installed import software
from recorder.runtime.loading import engine_for, load_engine
from recorder.settings import EngineName, SealPolicy
from recorder.tape.errors import TapeError
from recorder.tape.format.manifest import mark_synthetic
from recorder.tape.reader import Tape
from recorder.tape.seal_threads import SealThreads
from recorder.tape.sealed_rows import SealedRows
from recorder.tape.store.durable import sync_directory
from recorder.tape.writer import TapeWriter
from replay.checking.origins import origin_totals
from replay.merging.connections import Source, connections_of, on_one_clock
from replay.merging.names import distinct_names
from replay.merging.planning import copied, plan
from replay.merging.results import Merged, MergedProduct
from replay.merging.writing import MergedRows
from replay.run_dir.unfinished import release, unfinished_directory

MERGE_SEAL = SealPolicy(bytes=64 * 2**20)
"""A segment is in memory until it is written."""


def merge(
    tapes: Sequence[Path], output: Path, engine: Engine | EngineName = "auto", policy: SealPolicy = MERGE_SEAL
) -> Merged:
    """Merge tapes; nothing is at the output until it is whole.

    Raises:
        TapeError: if a tape cannot be read, they do not belong together, or the output exists or cannot be
            written.
    """
    _refuse_existing(output)
    opened = sorted(
        map(Tape.open, tapes), key=lambda tape: (tape.manifest.created, str(tape.path.absolute()))
    )
    _check(opened)
    running = load_engine(engine_for(sum(tape.sealed_work() for tape in opened), engine))
    names = distinct_names([tape.path for tape in opened])
    try:
        with unfinished_directory(output) as directory:
            made = directory / "tape"
            products = _write(opened, names, made, running, policy)
            _refuse_existing(output)
            made.rename(output)
            sync_directory(output.absolute().parent)
            release(directory)
    except (OSError, pa.ArrowException) as error:
        raise TapeError(f"{output}: cannot be written ({reason_of(error)})", output) from None
    return Merged(output, opened[0].feed, tuple(names), products)


def _check(tapes: Sequence[Tape]) -> None:
    for tape, other in combinations(tapes, 2):
        if tape.feed != other.feed:
            raise TapeError(
                f"{tape.path}: a tape of the {tape.feed} feed, {other.path} is of {other.feed}:"
                " merge tapes of one feed",
                tape.path,
            )
        if tape.manifest.synthetic != other.manifest.synthetic:
            made_up = next(each.path for each in tapes if each.manifest.synthetic)
            raise TapeError(
                f"{made_up}: of a synthetic market, and another tape is not: merge tapes of one market",
                made_up,
            )


def _refuse_existing(output: Path) -> None:
    if output.exists() or output.is_symlink():
        raise TapeError(f"{output}: exists already; name a new tape", output)
    if not output.absolute().parent.is_dir():
        raise TapeError(f"{output}: no directory {output.absolute().parent}", output)


def _write(
    tapes: Sequence[Tape], names: Sequence[str], made: Path, engine: Engine, policy: SealPolicy
) -> dict[str, MergedProduct]:
    """Write a new tape; it depends on nothing but the tapes that are merged."""
    feed = tapes[0].feed
    products = sorted({product for tape in tapes for product in tape.manifest.products})
    created = max(parse_time(tape.manifest.created) or 0 for tape in tapes)
    with TapeWriter.open(made, feed, products, software(), policy, lambda: created):
        if tapes[0].manifest.synthetic:
            mark_synthetic(made)
        done = {}
        for product in products:
            sources = [
                Source(name, tape.product(product))
                for name, tape in zip(names, tapes, strict=True)
                if product in tape.manifest.products
            ]
            done[product] = _merge_product(sources, made, engine, policy)
    return done


def _merge_product(
    sources: Sequence[Source], made: Path, engine: Engine, policy: SealPolicy
) -> MergedProduct:
    found = [connections_of(source, engine) for source in sources]
    everything = on_one_clock([each for connections in found for each in connections])
    merged = plan(everything, engine) if len(sources) > 1 else []
    merged = merged or copied(next(filter(None, found), []))
    product, rows = sources[0].tape.product, MergedRows(merged)
    failures: list[Exception] = []
    seals = SealThreads(failures.append)
    sealed = SealedRows(made, product, sources[0].tape.feed, engine, policy, seals)
    try:
        for batch in rows.batches():
            if failures:
                break
            sealed.add(batch)
        else:
            sealed.finish()
    finally:
        seals.join()
    if failures:
        raise failures[0]
    spans = [span for each in merged for span in each.spans]
    return MergedProduct(
        tally=sealed.tally,
        connections=len(merged),
        seams=sum(len(each.spans) - 1 for each in merged),
        unproven=sum(bool(each.dropped_for) for each in merged),
        clamped=rows.clamped,
        left_out=len(everything) - len({id(span.connection) for span in spans}),
        origins=origin_totals(rows.origins),
    )
