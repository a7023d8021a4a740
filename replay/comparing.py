"""`compare`: many thresholds in one pass over each tape."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from orderbook.engine import Engine, Step
from orderbook.errors import BooktapeError
from recorder.engines import name_of
from recorder.options import EngineName
from recorder.tape.reader import Tape
from replay.comparison import CompareSettings, Comparison
from replay.passes import Work, crew_for, run_passes, run_passes_in_processes
from replay.processes import balanced
from replay.progress import both
from replay.rundir import run_directory
from replay.sweep.episode_rows import MAX_THRESHOLDS
from replay.sweep.parts import By
from replay.window import WHOLE, Window

MAX_HORIZON_S = 86_400.0
"""The longest horizon of a mark-out: what waits for one is kept in memory."""


class CompareError(BooktapeError, ValueError):
    """What was asked for cannot be: a horizon over a day or not above 0, no tape or one twice."""


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
    processes: int = 1,
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
        processes: how many share the products; `progress` and `watch` are then told of nothing.

    Raises:
        ThresholdError: where a threshold or the fee is negative or no number.
        CompareError: where a horizon is not above 0 or over a day, a tape is named twice, or `watch` is asked
            for in several processes.
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
    if processes > 1 and watch is not None:
        raise CompareError("what watches the steps cannot be shared among processes")
    opened = [Tape.open(path) for path in paths]
    selected = [each.select(products) for each in opened]
    with ExitStack() as stack:
        groups = balanced(zip(opened, selected, strict=True), processes) if processes > 1 else []
        crew = stack.enter_context(crew_for(groups, engine))  # they import and load at once
        running = crew.ready_engine(engine)
        comparison = Comparison(settings, name_of(running), command=command)
        started = time.perf_counter()
        writer = stack.enter_context(run_directory(output)) if output else None
        if writer is not None:
            comparison.episodes_of = tuple(sorted(set(episodes)))
        work = Work(opened, selected, settings, running, writer, comparison.episodes_of)
        if processes > 1:
            outcome = run_passes_in_processes(work, groups, crew)
        else:
            outcome = run_passes(work, lambda each: both(progress, watch and watch(each.path)))
        comparison.tapes, comparison.groups = outcome.tapes, outcome.groups
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
