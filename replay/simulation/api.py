"""`backtest`: strategies with simulated orders over one tape or several."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from orderbook.engine import Engine, Watch
from recorder.runtime.loading import engine_for, load_engine
from recorder.runtime.signals import interruptible
from recorder.runtime.strategies import say_if_never_compiled
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from replay.pieces.workers import LocalWorkers, Workers
from replay.run_dir.writer import run_directory
from replay.simulation.passes import Observer
from replay.simulation.pieces import run_piece, run_shared
from replay.simulation.results import Backtest
from replay.simulation.settings import BacktestSettings
from replay.simulation.work import BacktestWork, result_of, run_pass


def backtest(
    tapes: Sequence[TapeLike],
    settings: BacktestSettings,
    *,
    output: Path | None = None,
    keep: bool = True,
    progress: Watch | None = None,
    processes: int = 1,
    watch: Callable[[Path, str], Observer] | None = None,
    engine: Engine | EngineName = "auto",
    workers: Workers | None = None,
) -> Backtest:
    """Run strategies with simulated orders over tapes: one pass over each product, for all lanes.

    On each tape every lane begins anew, with nothing held: nothing spans two tapes.

    Args:
        tapes: tapes or their paths, each once.
        settings: what is run.
        output: RUN directory to write: orders, fills, equity, log and run.json; must not exist.
        keep: keep the tables in the result; False for memory that does not grow with the tape.
        progress: called with the product and every step; not if there are several processes.
        processes: number of processes that share the products of the tapes and their lanes; no result depends
            on it.
        watch: called with each tape and product; returns what watches its lanes. Not if there are several
            processes.
        engine: runs the books and the exchange; all give the same results.
        workers: who run the products and their lanes; None for those processes.

    Raises:
        EngineError: if the compiled engine is requested and does not work here.
        TapeError: if a tape cannot be read or has no such product.
        StrategyError: if a strategy cannot be made, or raises.
        RunError: if `output` exists or cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    opened = [Tape.open(each) for each in tapes]
    started = time.perf_counter()
    with ExitStack() as stack:
        if workers is None and processes > 1:
            workers = stack.enter_context(LocalWorkers(processes, "plain", run_piece.__module__))
        writer = stack.enter_context(run_directory(output)) if output else None
        running = engine_of(opened, settings, engine)
        work = BacktestWork(opened, [each.path for each in opened], settings, writer, keep, running)
        if workers is not None:
            passes = run_shared(work, workers)
        else:
            stopped = threading.Event()
            stack.enter_context(interruptible(stopped.set, "no run was written"))
            passes = [
                run_pass(work, number, product, stopped.is_set, progress, watch)
                for number, product in work.products()
            ]
        result = result_of(work, passes)
        result.elapsed_s = time.perf_counter() - started
        if writer is not None:
            writer.write_document(result.document())
    return result


def engine_of(tapes: Sequence[Tape], settings: BacktestSettings, engine: Engine | EngineName) -> Engine:
    """Return the engine that runs the lanes, loaded.

    Raises:
        EngineError: if the compiled engine is requested and does not work here.
    """
    rows = sum(each.sealed_work(each.select(settings.products)) for each in tapes)
    say_if_never_compiled(settings.make, engine)
    rows *= sum(len(settings.queues_of(number)) for number in range(len(settings.settings)))
    return load_engine(engine_for(rows, engine, executes=True), executes=True)
