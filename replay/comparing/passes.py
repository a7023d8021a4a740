"""The passes of a comparison in this process: each tape once through book and sweeps."""

from collections.abc import Callable
from pathlib import Path

from orderbook.engine import Watch
from orderbook.errors import reason_of
from recorder.dataflow.running import run_to_end
from recorder.runtime.descriptors import groups_at_once
from recorder.runtime.loading import load_engine
from recorder.runtime.signals import interruptible
from replay.comparing.outcome import Outcome, outcome_of
from replay.comparing.totals import Collector, EpisodeWriter, ProductTotal, Work
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import OPEN_FILES, TapeSource
from replay.run_dir.writer import RunError


def run_passes(
    work: Work, watch: Callable[[Path], Collector] | None = None, progress: Watch | None = None
) -> Outcome:
    """Run one pass over each tape; `watch` returns a reader of the steps of a tape.

    Raises:
        TapeError: if a tape cannot be read.
        RunError: if episodes cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    readers = [None if watch is None else watch(tape.path) for tape in work.tapes]
    totals: list[dict[str, ProductTotal]] = [{} for _ in work.tapes]
    products = list(dict.fromkeys(product for each in work.products for product in each))
    groups = groups_at_once(products, OPEN_FILES + (work.writer is not None))
    for group in groups:
        for number, reader in enumerate(readers):
            if chosen := tuple(product for product in work.products[number] if product in group):
                totals[number] |= _run_pass(work, number, chosen, reader, progress)
        if work.writer is not None and len(groups) > 1:
            work.writer.close()
    return outcome_of(work, totals)


def _run_pass(
    work: Work, number: int, products: tuple[str, ...], reader: Collector | None, progress: Watch | None
) -> dict[str, ProductTotal]:
    tape = work.tapes[number]
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
