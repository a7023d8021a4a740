"""The passes of a comparison: each tape once through book and sweeps, here or in pieces elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orderbook.engine import Watch
from orderbook.errors import reason_of
from recorder.dataflow.running import run_to_end
from recorder.runtime.loading import load_engine
from recorder.runtime.signals import interruptible
from replay.comparing.groups import Pass, groups_of
from replay.comparing.pieces import episode_writer, run_piece
from replay.comparing.results import Group, TapePass
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.comparing.totals import Collector, EpisodeWriter, ProductTotal, Work
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import TapeSource
from replay.pieces.cutting import ProductPieces
from replay.pieces.workers import Workers
from replay.run_dir.writer import RunError


@dataclass(frozen=True, slots=True)
class Outcome:
    """The counts of each tape, and the groups in the order of `Comparison.groups`."""

    tapes: list[TapePass]
    groups: list[Group]


def run_passes(
    work: Work, watch: Callable[[Path], Collector] | None = None, progress: Watch | None = None
) -> Outcome:
    """Run one pass over each tape; `watch` returns a reader of the steps of a tape.

    Raises:
        TapeError: if a tape cannot be read.
        RunError: if episodes cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    return outcome_of(
        work,
        [
            _run_pass(work, number, None if watch is None else watch(tape.path), progress)
            for number, tape in enumerate(work.tapes)
        ],
    )


def run_pieces(work: Work, products: Sequence[ProductPieces], workers: Workers) -> Outcome:
    """Run the passes with their pieces divided among workers.

    Raises:
        LostProcessError: if a process died; and what `run_passes` raises.
    """
    sent = replace(work, tapes=[tape.to_send() for tape in work.tapes])
    totals: list[dict[str, ProductTotal]] = [{} for _ in work.tapes]
    for each, found in zip(products, workers.merged(run_piece, sent, products), strict=True):
        totals[each.tape][each.product] = found.total
        if found.collected is not None:
            work.collectors[each.tape].put(each.product, found.collected)
        if found.episodes is not None:
            _write_ends(work, each, found.episodes)
    return outcome_of(work, totals)


def _write_ends(work: Work, each: ProductPieces, episodes: EpisodeRows) -> None:
    """Write the episodes of a product that lie at the ends of its pieces."""
    with episode_writer(work, each.tape, "-joined") as writer:
        if writer is not None:
            writer.write(each.product, episodes.pop_complete())
            writer.write(each.product, episodes.finish())


def outcome_of(work: Work, totals: Sequence[Mapping[str, "ProductTotal"]]) -> Outcome:
    """Return the outcome of the totals of each tape, by product."""
    passes = [
        Pass(
            tape,
            {product: total.sweep for product, total in of_tape.items()},
            {product: total.tally for product, total in of_tape.items()},
        )
        for tape, of_tape in zip(work.tapes, totals, strict=True)
    ]
    tapes = [TapePass(each.tape.path, each.tallies, each.tape.manifest.synthetic) for each in passes]
    return Outcome(tapes, groups_of(passes, work.settings.by))


def _run_pass(
    work: Work, number: int, reader: Collector | None, progress: Watch | None
) -> dict[str, ProductTotal]:
    tape, products = work.tapes[number], work.products[number]
    settings, engine = work.settings, load_engine(work.engine)
    totals = {product: ProductTotal(settings) for product in products}
    episodes = EpisodeWriter(work.writer, work, number) if work.writer and work.episodes_of else None
    source = TapeSource(tape, products, window=settings.window)
    streams = replay_flow(
        source,
        tape.feed,
        engine,
        settings.window,
        recoverable=False,
        market=reader is not None,
        prepare=None if reader is None else reader.prepare,
    )

    def stop_on_full_disk(error: OSError) -> None:
        source.failure.report(RunError(f"the run directory: {reason_of(error)}"))

    if progress is not None:
        streams.into("progress", streams.steps, progress)
    if reader is not None:
        for product, saved in source.books.items():
            if (levels := engine.levels(engine.load(saved))) is not None:
                reader.load(product, levels)
        streams.into("reader", streams.steps, reader)
    if episodes is not None:
        streams.into("episodes", streams.steps, episodes.add, stop_on_full_disk)
    streams.into("result", streams.total("compare", lambda: ProductTotal(settings)), totals.__setitem__)
    with interruptible(source.stop, "nothing was compared"):
        run_to_end(streams.flow, source.failure)
    if episodes is not None:
        episodes.finish()
    return totals
