"""The passes of a comparison: each tape once through book and sweeps, in one process or several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from orderbook.engine import Engine, Step
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.engines import name_of, ready_engine
from recorder.lifetime import interruptible
from recorder.operators import run_to_end
from recorder.options import EngineName
from recorder.tape.reader import Tape
from replay.compared import Group, TapePass
from replay.comparison import CompareSettings
from replay.flows import replay_flow
from replay.grouping import Pass, groups_of
from replay.processes import Crew, Meet
from replay.rundir import RunError, RunWriter
from replay.sources import TapeSource
from replay.sweep.episode_rows import EpisodeRows
from replay.sweep.loops import Loops, loops_of
from replay.sweep.sweeping import ThresholdSweep

Watch = Callable[[Tape], Callable[[str, Step], None] | None]
"""Gives what is told of every step of one tape."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be passed through; picklable.

    Attributes:
        tapes: in this order.
        products: of each tape: which.
        settings: what is compared.
        engine: runs the books.
        writer: of the RUN directory, if there is to be one.
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
    """What passes found; picklable, and without anything compiled.

    Attributes:
        tapes: of each tape its tallies.
        groups: as `Comparison.groups` has them.
    """

    tapes: list[TapePass]
    groups: list[Group]


def run_passes(work: Work, watch: Watch) -> Outcome:
    """Run each tape through, and report.

    Raises:
        TapeError: where a tape cannot be read.
        RunError: where episodes cannot be written.
        InterruptedRunError: where a signal ended it.
    """
    passes = [
        _run_pass(work, tape, products, watch(tape))
        for tape, products in zip(work.tapes, work.products, strict=True)
    ]
    tapes = [TapePass(each.tape.path, each.tallies) for each in passes]
    return Outcome(tapes, groups_of(passes, work.settings.by))


Groups = Sequence[tuple[str, ...]]
"""Products that go to one process each."""


def crew_for(groups: Groups, engine: Engine | EngineName) -> "Crew[Work, Outcome]":
    """Return processes for groups of products, to be entered before the engine is made ready."""
    return Crew(_run_part, len(groups), name_of(engine))


def run_passes_in_processes(work: Work, groups: Groups, crew: "Crew[Work, Outcome]") -> Outcome:
    """Do the same with the products shared out among processes; each takes its products of all tapes.

    Raises:
        LostProcessError: where a process died; and what `run_passes` raises.
    """
    parts = [
        replace(work, products=[tuple(each for each in chosen if each in group) for chosen in work.products])
        for group in groups
    ]
    outcomes = crew.run(parts)
    tapes = [TapePass(tape.path, {}) for tape in work.tapes]
    for outcome in outcomes:
        for whole, part in zip(tapes, outcome.tapes, strict=True):
            whole.tallies.update(part.tallies)
    found = (group for outcome in outcomes for group in outcome.groups)
    return Outcome(tapes, sorted(found, key=lambda group: group.product))


def _run_part(work: Work, _meet: Meet) -> Outcome:
    """Run a part in a process of its own; what it wrote is whole on disk when this returns."""
    outcome = run_passes(work, lambda _tape: None)
    if work.writer is not None:
        work.writer.close()
    return outcome


class _Compared:
    """The total of one product: its sweep and its tally."""

    def __init__(self, settings: CompareSettings, loops: Loops) -> None:
        self.sweep = ThresholdSweep(
            settings.thresholds, settings.horizons_ns, settings.fee, settings.by, loops
        )
        self.tally = Tally(DEFAULT_THRESHOLD)

    def add(self, step: Step) -> None:
        self.tally.add(step)
        self.sweep.add(step.summaries)


@dataclass(slots=True)
class _EpisodeWriter:
    """Writes the episodes of one tape, product by product."""

    writer: RunWriter
    thresholds: Sequence[float]
    horizons_ns: Sequence[int]
    tape: Path | None
    rows: dict[str, EpisodeRows]

    def take(self, product: str, step: Step) -> None:
        if product not in self.rows:
            self.rows[product] = EpisodeRows(self.thresholds, self.horizons_ns)
        self._write(product, self.rows[product].add(step.summaries))

    def finish(self) -> None:
        for product, rows in self.rows.items():
            self._write(product, rows.finish())

    def _write(self, product: str, episodes: pa.RecordBatch) -> None:
        if not episodes.num_rows:
            return
        if self.tape is not None:
            tapes = pa.array([str(self.tape)] * episodes.num_rows, pa.string())
            episodes = episodes.append_column(pa.field("tape", pa.string(), nullable=False), tapes)
        self.writer.write("episodes", product, episodes)


def _run_pass(
    work: Work, tape: Tape, products: tuple[str, ...], told: Callable[[str, Step], None] | None
) -> Pass:
    """Run one tape through."""
    settings, engine = work.settings, ready_engine(work.engine)
    loops = loops_of(engine.name)
    found = {product: _Compared(settings, loops) for product in products}
    episodes = _episode_writer(work, tape)
    source = TapeSource(tape, products, window=settings.window)
    streams = replay_flow(source, tape.feed, engine, settings.window, recoverable=False)

    def full(error: OSError) -> None:
        source.halt(RunError(f"the run directory: {error}"))

    if told is not None:
        streams.into("progress", streams.steps, told)
    if episodes is not None:
        streams.into("episodes", streams.steps, episodes.take, full)
    streams.into("result", streams.total("compare", lambda: _Compared(settings, loops)), found.__setitem__)
    with interruptible(source.stop, "nothing was compared"):
        run_to_end(streams.flow, source.halt)
    if episodes is not None:
        episodes.finish()
    return Pass(
        tape,
        {product: compared.sweep for product, compared in found.items()},
        {product: compared.tally for product, compared in found.items()},
    )


def _episode_writer(work: Work, tape: Tape) -> _EpisodeWriter | None:
    if work.writer is None or not work.episodes_of:
        return None
    several = tape.path if len(work.tapes) > 1 else None
    return _EpisodeWriter(work.writer, work.episodes_of, work.settings.horizons_ns, several, {})
