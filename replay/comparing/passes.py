"""The passes of a comparison: each tape once through book and sweeps. `pieces.py` has several processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from orderbook.engine import Engine, Step
from orderbook.errors import reason_of
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.dataflow.running import run_to_end
from recorder.runtime.loading import load_engine
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
    """The counts of each tape, and the groups in the order of `Comparison.groups`."""

    tapes: list[TapePass]
    groups: list[Group]


def run_passes(work: Work, watch: Callable[[Tape], StepReader | None]) -> Outcome:
    """Run one pass over each tape; `watch` returns a further reader of the steps of a tape.

    Raises:
        TapeError: if a tape cannot be read.
        RunError: if episodes cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    return outcome_of(
        work,
        [
            _run_pass(work, tape, products, watch(tape))
            for tape, products in zip(work.tapes, work.products, strict=True)
        ],
    )


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


class ProductTotal:
    """The sweep and the counts of one product, or of a piece of it that others precede."""

    def __init__(self, settings: CompareSettings, *, is_piece: bool = False) -> None:
        self.sweep = ThresholdSweep(settings.thresholds, settings.horizons_ns, settings.fee, settings.by)
        self.tally = Tally.piece(DEFAULT_THRESHOLD) if is_piece else Tally(DEFAULT_THRESHOLD)

    def add(self, step: Step) -> None:
        """Add the next step."""
        self.tally.add(step)
        self.sweep.add(step.summaries)

    def merge(self, later: "ProductTotal") -> None:
        """Add the piece that comes next, which cannot be used any more."""
        self.tally.merge(later.tally)
        self.sweep.merge(later.sweep)


class EpisodeWriter:
    """Writes the episodes of one tape, product by product.

    Args:
        writer: writes the files.
        work: whose episodes.
        tape: the tape.
    """

    def __init__(self, writer: RunWriter, work: Work, tape: Tape) -> None:
        self._writer = writer
        self._work = work
        self._tape = str(tape.path) if len(work.tapes) > 1 else None
        self._rows: dict[str, EpisodeRows] = {}

    def add(self, product: str, step: Step) -> None:
        """Add the next step of a product."""
        if product not in self._rows:
            self._rows[product] = EpisodeRows(self._work.episodes_of, self._work.settings.horizons_ns)
        self.write(product, self._rows[product].add(step.summaries))

    def finish(self) -> None:
        """Write the episodes that are open."""
        for product, rows in self._rows.items():
            self.write(product, rows.finish())

    def write(self, product: str, episodes: pa.RecordBatch) -> None:
        """Write episodes of a product."""
        if not episodes.num_rows:
            return
        if self._tape is not None:
            tapes = pa.array([self._tape] * episodes.num_rows, pa.string())
            episodes = episodes.append_column(pa.field("tape", pa.string(), nullable=False), tapes)
        self._writer.write("episodes", product, episodes)


def _run_pass(
    work: Work, tape: Tape, products: tuple[str, ...], reader: StepReader | None
) -> dict[str, ProductTotal]:
    settings, engine = work.settings, load_engine(work.engine)
    totals = {product: ProductTotal(settings) for product in products}
    episodes = EpisodeWriter(work.writer, work, tape) if work.writer and work.episodes_of else None
    source = TapeSource(tape, products, window=settings.window)
    streams = replay_flow(source, tape.feed, engine, settings.window, recoverable=False)

    def stop_on_full_disk(error: OSError) -> None:
        source.failure.report(RunError(f"the run directory: {reason_of(error)}"))

    if reader is not None:
        streams.into("progress", streams.steps, reader)
    if episodes is not None:
        streams.into("episodes", streams.steps, episodes.add, stop_on_full_disk)
    streams.into("result", streams.total("compare", lambda: ProductTotal(settings)), totals.__setitem__)
    with interruptible(source.stop, "nothing was compared"):
        run_to_end(streams.flow, source.failure)
    if episodes is not None:
        episodes.finish()
    return totals
