"""`run`: one replay of a tape, from Python or the command line."""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from orderbook.engine import Engine, Watch, both
from orderbook.errors import reason_of
from orderbook.strategy import StrategyFactory, reads_trades
from orderbook.tally import Tally
from recorder.dataflow.running import run_to_end
from recorder.runtime.descriptors import allow_open_files, groups_at_once
from recorder.runtime.loading import engine_for, engine_name, load_engine
from recorder.runtime.signals import deferred_signals, interruptible, on_signals
from recorder.runtime.strategy_run import StrategyRun
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import OPEN_FILES, first_reported, paced_source
from replay.pieces.cutting import cut_for_workers
from replay.pieces.workers import LocalWorkers, Workers
from replay.processes.balancing import balanced
from replay.processes.pool import WorkerPool, check_picklable
from replay.processes.worker import WaitForStart
from replay.run_dir.writer import RunError, RunWriter, run_directory
from replay.running.output import RunOutput
from replay.running.pacing import MAX_SPEED
from replay.running.pieces import PieceWork, Watcher, is_divisible, run_piece, run_watched
from replay.running.results import RunResult
from replay.running.settings import REPLAY, ReplaySettings

_STREAMS: Final = 3
"""Files of a product in every RUN: summaries, signals and anomalies."""


def run(  # noqa: PLR0913  each is an option of the command, or shows its work
    tape: TapeLike,
    settings: ReplaySettings = REPLAY,
    *,
    output: Path | None = None,
    keep: bool = True,
    progress: Watch | None = None,
    progress_trades: bool = False,
    engine: Engine | EngineName = "auto",
    strategy: StrategyFactory | None = None,
    workers: Workers | None = None,
    watch: Watcher | None = None,
) -> RunResult:
    """Replay a tape through the same book and filter as a live feed.

    Args:
        tape: the tape, or its path.
        settings: the part of the tape to replay, and how.
        output: RUN directory to write; must not exist.
        keep: keep Arrow tables in the result; False for memory that does not grow with the tape.
        progress: called with the product and every step; only with one process.
        progress_trades: whether those steps hold the trades, also if the result has none.
        engine: `auto`, `compiled`, `plain` or your own; it runs the books.
        strategy: makes a strategy for each product, see `orderbook.strategy`.
        workers: who work on the pieces of the tape, if the settings allow pieces; None for `processes`.
        watch: takes the steps for a report, here or by workers, who then share whole products.

    Raises:
        TapeError: if the tape cannot be read or has no such product.
        StrategyError: if the strategy fails.
        RunError: if `output` exists already or cannot be written.
        InterruptedRunError: if a signal ended the replay, unless it follows a recording.

    Example:
        >>> result = run("data/sample", ReplaySettings(threshold=0.001))  # doctest: +SKIP
        >>> result.summaries["BTC-USD"].to_pandas()  # doctest: +SKIP
    """
    opened = Tape.open(tape)
    settings = replace(settings, products=opened.select(settings.products))
    with ExitStack() as stack:
        writer = stack.enter_context(run_directory(output)) if output else None
        whole = _Part(opened, settings, writer, keep, engine, strategy)
        divisible = is_divisible(settings, has_strategy=strategy is not None)
        if divisible and workers is None and settings.processes > 1:
            workers = stack.enter_context(LocalWorkers(settings.processes, engine, run_piece.__module__))
        if workers is not None:
            result = _in_pieces(whole, workers, watch)
        elif settings.processes > 1:
            result = _by_product(whole)
        else:
            # A replay that follows a recording ends with a signal, also one that comes while it loads.
            signalled = stack.enter_context(deferred_signals()) if settings.follow else None
            engine = engine_for(opened.sealed_work(settings.products), engine, grows=settings.follow)
            whole = replace(whole, engine=load_engine(engine))
            whole = replace(whole, shows_trades=progress_trades or watch is not None)
            result = _in_turn(whole, progress=both(progress, watch), signalled=signalled)
        result.settings = settings
        if writer:
            writer.write_document(result.document())
    return result


@dataclass(frozen=True, slots=True)
class _Part:
    """The share of one process, picklable.

    `first_time` is due at the start if processes share a clock; `shows_trades` is whether the progress sees
    the trades, also of a replay that does not return them.
    """

    tape: Tape
    settings: ReplaySettings
    writer: RunWriter | None
    keep: bool
    engine: Engine | EngineName
    strategy: StrategyFactory | None
    first_time: int | None = None
    shows_trades: bool = False


def _in_pieces(whole: _Part, workers: Workers, watch: Watcher | None) -> RunResult:
    """Replay runs of segments apart; what came of them is merged in order."""
    settings = whole.settings
    pieces = cut_for_workers(
        [(whole.tape, settings.products)],
        settings.window,
        workers.width if watch is None else 0,  # what a report shows is collected over all rows of a product
        at_connections=settings.trades,
    )
    chosen = engine_for(whole.tape.sealed_work(settings.products), whole.engine)
    engine = workers.ready_engine(chosen)
    work = PieceWork(
        whole.tape.to_send(elsewhere=workers.are_elsewhere), settings, whole.writer, whole.keep, engine
    )
    started = time.perf_counter()
    if watch is None:
        found = workers.merged(run_piece, work, pieces)
    else:
        watched = workers.merged(run_watched, replace(work, collector=watch.to_send()), pieces)
        for piece, each in zip(pieces, watched, strict=True):
            if each.result.tallies[piece.product].rows:
                watch.put(piece.product, each.collected)
        found = [each.result for each in watched]
    return _whole(whole, found, engine_name(engine), started)


def _by_product(whole: _Part) -> RunResult:
    """Replay groups of products in a process each, on one clock."""
    settings = whole.settings
    check_picklable(whole.strategy)
    groups = balanced([(whole.tape, settings.products)], settings.processes)
    with WorkerPool(_replay_part, len(groups), engine_name(whole.engine)) as pool:
        whole = replace(whole, engine=pool.ready_engine(whole.engine))
        started = time.perf_counter()
        earliest = first_reported(whole.tape, settings.products, settings.window)
        parts = [
            replace(whole, settings=replace(settings, products=group, processes=1), first_time=earliest)
            for group in groups
        ]
        found = pool.run(parts)
    return _whole(whole, found, engine_name(whole.engine), started)


def _whole(whole: _Part, found: Sequence[RunResult], engine: str, started: float) -> RunResult:
    """Put the results of all products together."""
    result = RunResult(whole.tape.path, whole.settings, engine, synthetic=whole.tape.manifest.synthetic)
    for each in found:
        result.merge(each)
    result.elapsed_s = time.perf_counter() - started
    return result


def _replay_part(part: _Part, wait_for_start: WaitForStart) -> RunResult:
    """Replay a part in a worker process; its files are complete on disk when this returns."""
    result = _in_turn(part, wait_for_start)
    if part.writer is not None:
        part.writer.close()
    if result.strategy is not None:
        result.strategy.write = _discard  # its files and tables stay in this process
    return result


def _discard(_product: str, _rows: pa.RecordBatch) -> None:
    """Ignore the rows: the run is over."""


def _in_turn(
    part: _Part,
    wait_for_start: WaitForStart | None = None,
    progress: Watch | None = None,
    signalled: threading.Event | None = None,
) -> RunResult:
    """Replay as many products at once as may have their files open; all of them if they share a clock."""
    settings = part.settings
    files = OPEN_FILES
    if part.writer is not None:
        files += _STREAMS + bool(settings.depth) + settings.trades + (part.strategy is not None)
    if settings.speed != MAX_SPEED or settings.follow:
        allow_open_files(len(settings.products), files)
        return _replay(part, wait_for_start, progress, signalled)
    groups = groups_at_once(settings.products, files)
    if len(groups) == 1:
        return _replay(part, wait_for_start, progress, signalled)
    found, started = [], time.perf_counter()
    for group in groups:
        chosen = replace(part, settings=replace(settings, products=group))
        found.append(_replay(chosen, progress=progress))
        if part.writer is not None:
            part.writer.close()
    return _whole(part, found, engine_name(part.engine), started)


def _replay(
    part: _Part,
    wait_for_start: WaitForStart | None = None,
    progress: Watch | None = None,
    signalled: threading.Event | None = None,
) -> RunResult:
    settings, engine = part.settings, load_engine(part.engine)
    counts_trades = settings.trades or (
        part.strategy is not None and reads_trades(part.strategy, settings.products[0])
    )
    source = paced_source(part.tape, settings, part.first_time, engine.packed)
    streams = replay_flow(
        source,
        part.tape.feed,
        engine,
        settings.window,
        recoverable=False,
        depth=settings.depth,
        trades=counts_trades or part.shows_trades,
    )
    result = RunResult(part.tape.path, settings, engine.name, synthetic=part.tape.manifest.synthetic)
    output = RunOutput(settings.threshold, settings.trades, part.writer, part.keep)

    def cannot_write(error: OSError) -> None:
        run = part.writer.directory if part.writer else "RUN"
        source.failure.report(RunError(f"{run}: {reason_of(error)}"))

    if part.writer or part.keep:
        streams.into("write", streams.steps, output.add, cannot_write)
    if progress is not None:
        streams.into("progress", streams.steps, progress, source.failure.report)
    if part.strategy is not None:
        result.strategy = StrategyRun(part.strategy, partial(output.add_batch, "strategy"))
        streams.into("strategy", streams.steps, result.strategy.take, cannot_write)
    tallies = streams.total("tally", lambda: Tally(settings.threshold, counts_trades=counts_trades))
    streams.into("result", tallies, result.tallies.__setitem__)
    # For any other replay than one that follows a recording a signal is an interruption.
    until = on_signals(source.stop) if settings.follow else interruptible(source.stop, "no run was written")
    started = time.perf_counter()
    with until:
        if signalled is not None and signalled.is_set():
            source.stop()
        if source.pacer is not None and wait_for_start is not None:
            source.pacer.start_at(wait_for_start())
        run_to_end(streams.flow, source.failure)
        if result.strategy is not None:
            try:
                result.strategy.finish()
            except OSError as error:
                cannot_write(error)
            source.failure.reraise()
    result.elapsed_s = time.perf_counter() - started
    result.timing = None if source.pacer is None else source.pacer.timing()
    for product in settings.products:
        result.tallies.setdefault(product, Tally(settings.threshold))
    output.fill(result)
    return result
