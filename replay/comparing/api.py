"""`compare`: the numbers of many thresholds from one pass over each tape."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from orderbook.engine import Engine, Watch
from recorder.runtime.loading import engine_for, engine_name, load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from replay.comparing.outcome import Outcome, run_pieces
from replay.comparing.pieces import run_piece
from replay.comparing.profits import Traded
from replay.comparing.results import Comparison
from replay.comparing.settings import CompareSettings
from replay.comparing.sweep.episode_rows import MAX_THRESHOLDS
from replay.comparing.totals import Collector, Work
from replay.pieces.cutting import cut_for_workers
from replay.pieces.workers import LocalWorkers, Workers
from replay.run_dir.writer import run_directory


def compare(  # noqa: PLR0913  each is an option of the command, or shows its work
    tapes: Sequence[TapeLike],
    settings: CompareSettings,
    *,
    episodes_of: Sequence[float] | None = None,
    output: Path | None = None,
    command: str | None = None,
    progress: Watch | None = None,
    watch: Callable[[Path], Collector] | None = None,
    engine: Engine | EngineName = "auto",
    processes: int = 1,
    workers: Workers | None = None,
) -> Comparison:
    """Compare thresholds over tapes, in one pass over each book however many there are.

    Args:
        tapes: tapes or their paths, each once.
        settings: what is compared, and how it is split.
        episodes_of: thresholds whose episodes are written one by one to `output`; None for all if there are
            at most 50, else for none.
        output: RUN directory to create: thresholds.parquet, episodes/ and run.json.
        command: the command line, for run.json.
        progress: called with each product and step; not if there are several processes.
        watch: called with each tape; returns what is called with each product and step, here or by workers.
        engine: builds the books.
        processes: number of processes that share the work; no result depends on it.
        workers: who work on the pieces of the tapes; None for those processes.

    Raises:
        TapeError: if a tape cannot be read.
        StrategyError: if a strategy cannot be made, or raises.
        RunError: if `output` exists or cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    opened = [Tape.open(each) for each in tapes]
    wanted, named = settings.products, engine
    selected = [each.select(wanted) for each in opened]
    with ExitStack() as stack:
        if workers is None and processes > 1:
            workers = stack.enter_context(LocalWorkers(processes, engine, run_piece.__module__))
        pieces = []
        chosen = engine_for(sum(each.sealed_work(wanted) for each in opened), engine)
        if workers is None:
            running: Engine | EngineName = load_engine(chosen)
        else:
            # What a report shows of a product is collected over all of its rows.
            number = workers.width if watch is None else 0
            pieces = cut_for_workers(zip(opened, selected, strict=True), settings.window, number)
            running = workers.ready_engine(chosen)
        started = time.perf_counter()
        writer = stack.enter_context(run_directory(output)) if output else None
        if episodes_of is None:
            episodes_of = settings.thresholds if len(settings.thresholds) <= MAX_THRESHOLDS else ()
        listed = tuple(episodes_of) if writer else ()
        books = replace(settings, trades=None)  # the backtest has processes of its own
        names = [str(each.path) for each in opened]
        collectors = [watch(each.path) for each in opened] if watch and workers else []
        work = Work(opened, names, selected, books, running, writer, listed, collectors)
        outcome = _run(work, watch, progress) if workers is None else run_pieces(work, pieces, workers)
        traded = None
        if settings.trades is not None:
            from replay.simulation.api import backtest  # noqa: PLC0415  few comparisons have one

            result = backtest(opened, settings.trades, keep=False, engine=named, workers=workers)
            traded = Traded(result, settings.thresholds)
        comparison = Comparison(
            settings,
            engine_name(running),
            outcome.tapes,
            outcome.groups,
            listed,
            command,
            elapsed_s=time.perf_counter() - started,
            traded=traded,
        )
        if writer is not None:
            writer.write_table("thresholds", comparison.table())
            writer.write_document(comparison.document())
    return comparison


def _run(work: Work, watch: Callable[[Path], Collector] | None, progress: Watch | None) -> Outcome:
    from replay.comparing.passes import run_passes  # noqa: PLC0415  workers need no dataflow

    return run_passes(work, watch, progress)
