"""`compare`: many thresholds in one pass over each tape."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from orderbook.engine import Engine, Step
from orderbook.errors import BooktapeError
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.engines import ready_engine
from recorder.flows import run_to_end
from recorder.lifetime import interruptible
from recorder.options import EngineName
from recorder.tape.reader import Tape
from replay.compared import TapePass
from replay.comparison import CompareSettings, Comparison
from replay.flows import replay_flow
from replay.grouping import Pass, groups_of
from replay.progress import both
from replay.rundir import RunError, RunWriter, run_directory
from replay.sources import TapeSource
from replay.sweep.episode_rows import MAX_THRESHOLDS, EpisodeRows
from replay.sweep.parts import By
from replay.sweep.sweeping import ThresholdSweep
from replay.window import WHOLE, Window

MAX_HORIZON_S = 86_400.0
"""The longest horizon of a mark-out: what waits for one is kept in memory."""


class CompareError(BooktapeError, ValueError):
    """What was asked for cannot be: a horizon over a day or not above 0, no tape or one twice."""


class _Compared:
    """The total of one product: its sweep and its tally."""

    def __init__(self, settings: CompareSettings) -> None:
        self.sweep = ThresholdSweep(settings.thresholds, settings.horizons_ns, settings.fee, settings.by)
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


def compare(  # noqa: PLR0913  what the command can be asked, by name
    tape: Path | str | Sequence[Path | str],
    thresholds: Sequence[float],
    *,
    products: tuple[str, ...] = (),
    window: Window = WHOLE,
    markouts: Sequence[float] = (0.1, 1.0, 5.0, 30.0),
    fee: float | None = None,
    by: By | None = None,
    episodes: Sequence[float] | None = None,
    output: Path | None = None,
    command: str | None = None,
    progress: Callable[[str, Step], None] | None = None,
    watch: Callable[[Path], Callable[[str, Step], None]] | None = None,
    engine: Engine | EngineName = "auto",
) -> Comparison:
    """Compare thresholds over a tape or several, in one pass over each book however many there are.

    Args:
        tape: its directory, or several.
        thresholds: fractions of the ask price, not negative; each counts once.
        products: which; all where none is named.
        window: the part that is reported.
        markouts: horizons after the start of an episode, in seconds, a day at most.
        fee: of each side, a fraction of the price.
        by: split the numbers by UTC clock hour, UTC date or connection as well.
        episodes: thresholds whose episodes are written one by one with `output`; where None is given those
            of all thresholds, unless there are more than 50.
        output: a RUN directory to make: thresholds.parquet, episodes/ and run.json.
        command: how it was asked for, for run.json.
        progress: told of every step.
        watch: gives what is told of every step of one tape: `replay.report.reporting.Report.of`, say.
        engine: runs the books.

    Raises:
        ThresholdError: where a threshold or the fee is negative or no number.
        CompareError: where a horizon is not above 0 or over a day, or a tape is named twice.
        TapeError: where a tape cannot be read.
        RunError: where `output` exists already or cannot be written.
        InterruptedRunError: where a signal ended it.
    """
    paths = [Path(each) for each in ([tape] if isinstance(tape, Path | str) else tape)]
    settings = CompareSettings(tuple(sorted(set(thresholds))), products, window, _horizons(markouts), fee, by)
    if episodes is None:
        episodes = settings.thresholds if len(settings.thresholds) <= MAX_THRESHOLDS else ()
    if not paths or len({path.resolve() for path in paths}) < len(paths):
        raise CompareError("name one tape or several, each once")
    opened = [Tape.open(path) for path in paths]
    running = ready_engine(engine)
    comparison = Comparison(settings, running.name, command=command)
    started = time.perf_counter()
    with ExitStack() as stack:
        writer = stack.enter_context(run_directory(output)) if output else None
        if writer is not None:
            comparison.episodes_of = tuple(sorted(set(episodes)))
        passes = []
        for each in opened:
            into = None
            if writer is not None and comparison.episodes_of:
                several = each.path if len(opened) > 1 else None
                into = _EpisodeWriter(writer, comparison.episodes_of, settings.horizons_ns, several, {})
            told = both(progress, None if watch is None else watch(each.path))
            passes.append(_pass(each, settings, into, told, running))
        comparison.tapes = [TapePass(each.tape.path, each.tallies) for each in passes]
        comparison.groups = groups_of(passes, by)
        comparison.elapsed_s = time.perf_counter() - started
        if writer is not None:
            writer.write_table("thresholds", comparison.table())
            writer.write_document(comparison.document())
    return comparison


def _horizons(seconds: Sequence[float]) -> tuple[int, ...]:
    for value in seconds:
        if not 1e-9 <= value <= MAX_HORIZON_S:
            raise CompareError(f"{value!r} s is no horizon of a mark-out: above 0 and a day at most")
    return tuple(sorted({round(value * 1e9) for value in seconds}))


def _pass(
    tape: Tape,
    settings: CompareSettings,
    episodes: _EpisodeWriter | None,
    progress: Callable[[str, Step], None] | None,
    engine: Engine,
) -> Pass:
    """Run one tape through."""
    selected = tape.select(settings.products)
    found = {product: _Compared(settings) for product in selected}
    source = TapeSource(tape, selected, window=settings.window)
    streams = replay_flow(source, tape.feed, engine, settings.window, recoverable=False)

    def full(error: OSError) -> None:
        source.halt(RunError(f"the run directory: {error}"))

    if progress is not None:
        streams.into("progress", streams.steps, progress)
    if episodes is not None:
        streams.into("episodes", streams.steps, episodes.take, full)
    streams.into("result", streams.total("compare", lambda: _Compared(settings)), found.__setitem__)
    with interruptible(source.stop, "nothing was compared"):
        run_to_end(streams.flow, source.halt)
    if episodes is not None:
        episodes.finish()
    return Pass(
        tape,
        {product: compared.sweep for product, compared in found.items()},
        {product: compared.tally for product, compared in found.items()},
    )
