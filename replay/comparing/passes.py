"""The passes of a comparison: each tape once through book and sweeps, in one process or several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from orderbook.engine import Engine, Step
from orderbook.errors import reason_of
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.dataflow.running import run_to_end
from recorder.runtime.loading import engine_name, load_engine
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.comparing.groups import Pass, groups_of
from replay.comparing.results import Group, TapePass
from replay.comparing.settings import CompareSettings
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import TapeSource
from replay.processes import WaitForStart, WorkerPool
from replay.run_dir.writer import RunError, RunWriter

StepReader = Callable[[str, Step], None]
"""A function that is called with each product and step."""


@dataclass(frozen=True, slots=True)
class Work:
    """The passes to run; picklable.

    Attributes:
        tapes: in the order in which they were named.
        products: of each tape.
        settings: what is compared.
        engine: builds the books.
        writer: of the RUN directory; None if nothing is written.
        episodes_of: thresholds whose episodes are written.
    """

    tapes: Sequence[Tape]
    products: Sequence[tuple[str, ...]]
    settings: CompareSettings
    engine: Engine | EngineName
    writer: RunWriter | None
    episodes_of: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The counts of each tape, and the groups in the order of `Comparison.groups`; picklable."""

    tapes: list[TapePass]
    groups: list[Group]


def run_passes(work: Work, watch: Callable[[Tape], StepReader | None]) -> Outcome:
    """Run one pass over each tape; `watch` returns a further reader of the steps of a tape.

    Raises:
        TapeError: if a tape cannot be read.
        RunError: if episodes cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    passes = [
        _run_pass(work, tape, products, watch(tape))
        for tape, products in zip(work.tapes, work.products, strict=True)
    ]
    tapes = [TapePass(each.tape.path, each.tallies, each.tape.manifest.synthetic) for each in passes]
    return Outcome(tapes, groups_of(passes, work.settings.by))


Groups = Sequence[tuple[str, ...]]
"""The products of each process."""


def worker_pool(groups: Groups, engine: Engine | EngineName) -> "WorkerPool[Work, Outcome]":
    """Return a process for each group of products; enter it before the engine is made ready."""
    return WorkerPool(_run_part, len(groups), engine_name(engine))


def run_passes_in_processes(work: Work, groups: Groups, pool: "WorkerPool[Work, Outcome]") -> Outcome:
    """Run the passes with the products divided among processes; each takes its products of all tapes.

    Raises:
        LostProcessError: if a process died; and what `run_passes` raises.
    """
    parts = [
        replace(work, products=[tuple(each for each in chosen if each in group) for chosen in work.products])
        for group in groups
    ]
    outcomes = pool.run(parts)
    tapes = [TapePass(tape.path, {}, tape.manifest.synthetic) for tape in work.tapes]
    for outcome in outcomes:
        for whole, part in zip(tapes, outcome.tapes, strict=True):
            whole.tallies.update(part.tallies)
    found = (group for outcome in outcomes for group in outcome.groups)
    return Outcome(tapes, sorted(found, key=lambda group: group.product))


def _run_part(work: Work, _wait_for_start: WaitForStart) -> Outcome:
    """Run the passes of one process; its files are complete when this returns."""
    outcome = run_passes(work, lambda _tape: None)
    if work.writer is not None:
        work.writer.close()
    return outcome


class _ProductTotal:
    """The sweep and the counts of one product."""

    def __init__(self, settings: CompareSettings) -> None:
        self.sweep = ThresholdSweep(settings.thresholds, settings.horizons_ns, settings.fee, settings.by)
        self.tally = Tally(DEFAULT_THRESHOLD)

    def add(self, step: Step) -> None:
        self.tally.add(step)
        self.sweep.add(step.summaries)


class _EpisodeWriter:
    """Writes the episodes of one tape, product by product."""

    def __init__(self, writer: RunWriter, work: Work, tape: Tape) -> None:
        self._writer = writer
        self._work = work
        self._tape = str(tape.path) if len(work.tapes) > 1 else None
        self._rows: dict[str, EpisodeRows] = {}

    def add(self, product: str, step: Step) -> None:
        if product not in self._rows:
            self._rows[product] = EpisodeRows(self._work.episodes_of, self._work.settings.horizons_ns)
        self._write(product, self._rows[product].add(step.summaries))

    def finish(self) -> None:
        for product, rows in self._rows.items():
            self._write(product, rows.finish())

    def _write(self, product: str, episodes: pa.RecordBatch) -> None:
        if not episodes.num_rows:
            return
        if self._tape is not None:
            tapes = pa.array([self._tape] * episodes.num_rows, pa.string())
            episodes = episodes.append_column(pa.field("tape", pa.string(), nullable=False), tapes)
        self._writer.write("episodes", product, episodes)


def _run_pass(work: Work, tape: Tape, products: tuple[str, ...], reader: StepReader | None) -> Pass:
    settings, engine = work.settings, load_engine(work.engine)
    totals = {product: _ProductTotal(settings) for product in products}
    episodes = _EpisodeWriter(work.writer, work, tape) if work.writer and work.episodes_of else None
    source = TapeSource(tape, products, window=settings.window)
    streams = replay_flow(source, tape.feed, engine, settings.window, recoverable=False)

    def stop_on_full_disk(error: OSError) -> None:
        source.failure.report(RunError(f"the run directory: {reason_of(error)}"))

    if reader is not None:
        streams.into("progress", streams.steps, reader)
    if episodes is not None:
        streams.into("episodes", streams.steps, episodes.add, stop_on_full_disk)
    streams.into("result", streams.total("compare", lambda: _ProductTotal(settings)), totals.__setitem__)
    with interruptible(source.stop, "nothing was compared"):
        run_to_end(streams.flow, source.failure)
    if episodes is not None:
        episodes.finish()
    return Pass(
        tape,
        {product: total.sweep for product, total in totals.items()},
        {product: total.tally for product, total in totals.items()},
    )
