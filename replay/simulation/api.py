"""`backtest`: strategies with simulated orders over one tape or several."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.digest import run_digest
from orderbook.engine import Engine, Watch
from orderbook.tally import Tally, products_with_rows
from recorder.runtime.loading import engine_for, engine_name, load_engine, say_if_never_compiled
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from replay.processes import WaitForStart, WorkerPool, balanced, check_picklable
from replay.run_dir.writer import RunWriter, run_directory
from replay.simulation.parts import BacktestPart
from replay.simulation.passes import Observer, run_product
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow, row_of
from replay.simulation.settings import BacktestSettings
from replay.simulation.sums import LaneSums, sums_of, total


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
) -> Backtest:
    """Run strategies with simulated orders over tapes: one pass over each product, for all lanes.

    On each tape every lane begins anew, with nothing held: nothing spans two tapes.

    Args:
        tapes: tapes or their paths, each once.
        settings: what is run.
        output: RUN directory to write: orders, fills, equity, log and run.json; must not exist.
        keep: keep the tables in the result; False for memory that does not grow with the tape.
        progress: called with the product and every step; not if there are several processes.
        processes: number of processes that share the products; no result depends on it.
        watch: called with each tape and product; returns what watches its lanes. Not if there are several
            processes.
        engine: runs the books and the exchange; all give the same results.

    Raises:
        EngineError: if the compiled engine is requested and does not work here.
        TapeError: if a tape cannot be read or has no such product.
        StrategyError: if a strategy cannot be made, or raises.
        RunError: if `output` exists or cannot be written.
        InterruptedRunError: if a signal ended the run.
    """
    opened = [Tape.open(each) for each in tapes]
    products = [each.select(settings.products) for each in opened]
    started = time.perf_counter()
    with ExitStack() as stack:
        writer = stack.enter_context(run_directory(output)) if output else None
        rows = sum(each.sealed_work(tuple(names)) for each, names in zip(opened, products, strict=True))
        say_if_never_compiled(settings.make, engine)
        rows *= sum(len(settings.queues_of(number)) for number in range(len(settings.settings)))
        running = load_engine(engine_for(rows, engine, executes=True), executes=True)
        work = _Work(opened, products, settings, writer, keep, running)
        if processes == 1:
            stopped = threading.Event()
            stack.enter_context(interruptible(stopped.set, "no run was written"))
            passes = _run(work, stopped.is_set, progress, watch)
        else:
            passes = _run_in_processes(work, processes, stack)
        result = _result(work, passes)
        result.elapsed_s = time.perf_counter() - started
        if writer is not None:
            writer.write_document(result.document())
    return result


@dataclass(frozen=True, slots=True)
class _Work:
    """Products of each tape to run; picklable if the strategy can be imported."""

    tapes: Sequence[Tape]
    products: Sequence[Sequence[str]]
    settings: BacktestSettings
    writer: RunWriter | None
    keep: bool
    engine: Engine | EngineName

    def name(self, tape: int) -> str | UnsetType:
        """Return the name of a tape in results, where there are several."""
        return str(self.tapes[tape].path) if len(self.tapes) > 1 else UNSET


@dataclass(slots=True)
class _Pass:
    """What came of a product on a tape; picklable."""

    tape: int
    product: str
    tally: Tally
    lanes: list[LaneSums]
    parts: list[BacktestPart]
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)


@dataclass(slots=True)
class _Output:
    """Takes the tables of a product on a tape: writes and keeps them."""

    work: _Work
    tape: int
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)

    def __call__(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        name = self.work.name(self.tape)
        if name is not UNSET:
            names = pa.array([name] * batch.num_rows, pa.string())
            batch = batch.append_column(pa.field("tape", pa.string(), nullable=False), names)
        if self.work.writer is not None:
            self.work.writer.write(stream, product, batch)
        if self.work.keep:
            ids = pa.array([product] * batch.num_rows, pa.string())
            table = pa.Table.from_batches([batch]).add_column(0, "product", ids)
            self.tables.setdefault(stream, []).append(table)


def _run(
    work: _Work,
    is_stopped: Callable[[], bool],
    progress: Watch | None = None,
    watch: Callable[[Path, str], Observer] | None = None,
) -> list[_Pass]:
    """Run all products of all tapes; in a worker its files are complete when this returns."""
    passes = []
    engine = load_engine(work.engine, executes=True)
    for number, (tape, products) in enumerate(zip(work.tapes, work.products, strict=True)):
        for product in products:
            output = _Output(work, number)
            write = output if work.keep or work.writer else None
            observer = None if watch is None else watch(tape.path, product)
            run = run_product(tape, product, work.settings, write, is_stopped, progress, engine, observer)
            parts = [
                part
                for lane in run.lanes
                for part in lane.parts.finish(
                    product, lane.setting, lane.queue, lane.lane.account, work.name(number)
                )
            ]
            lanes = list(sums_of(run, work.settings, number))
            passes.append(_Pass(number, product, run.tally, lanes, parts, output.tables))
    return passes


def _run_in_processes(work: _Work, processes: int, stack: ExitStack) -> list[_Pass]:
    """Run the products divided among processes; each takes its products of all tapes."""
    check_picklable(work.settings)
    groups = balanced(zip(work.tapes, work.products, strict=True), processes)
    pool = stack.enter_context(WorkerPool[_Work, list[_Pass]](_run_part, len(groups), "plain"))
    pool.ready_engine("plain")
    # Each process loads the engine from where its code is kept.
    name: EngineName = "plain" if engine_name(work.engine) == "plain" else "compiled"
    work = replace(work, engine=name)
    parts = [
        replace(work, products=[[each for each in of_tape if each in group] for of_tape in work.products])
        for group in groups
    ]
    found = {(each.tape, each.product): each for part in pool.run(parts) for each in part}
    return [found[number, product] for number, of_tape in enumerate(work.products) for product in of_tape]


def _run_part(work: _Work, _wait_for_start: WaitForStart) -> list[_Pass]:
    """Run the products of one process; its files are complete when this returns."""
    passes = _run(work, lambda: False)
    if work.writer is not None:
        work.writer.close()
    return passes


def _result(work: _Work, passes: Sequence[_Pass]) -> Backtest:
    """Put the passes together: by product, the tapes in order, and the total of several last."""
    tallies: list[dict[str, Tally]] = [{} for _ in work.tapes]
    for each in passes:
        tallies[each.tape][each.product] = each.tally
    tables: dict[str, list[pa.Table]] = {}
    rows: list[BacktestRow] = []
    passes = sorted(passes, key=lambda each: (each.product, each.tape))
    for _, of_product in groupby(passes, key=lambda each: each.product):
        found = list(of_product)
        for each in found:
            rows += [row_of(lane, work.settings, work.name(each.tape)) for lane in each.lanes]
            for stream, batches in each.tables.items():
                tables.setdefault(stream, []).extend(batches)
        if len(work.tapes) > 1:
            rows += _totals(work, [lane for each in found for lane in each.lanes])
    result = Backtest(
        tuple(
            (tape.path, run_digest(products_with_rows(each)))
            for tape, each in zip(work.tapes, tallies, strict=True)
        ),
        work.settings,
        rows,
        [part for each in passes for part in each.parts],
    )
    for stream, batches in tables.items():
        setattr(result, stream, pa.concat_tables(batches))
    return result


def _totals(work: _Work, lanes: list[LaneSums]) -> list[BacktestRow]:
    """Return the rows of a product over all tapes."""
    of_lane: dict[tuple[int, str], list[LaneSums]] = {}
    for each in lanes:
        of_lane.setdefault((each.setting, each.queue), []).append(each)
    return [row_of(total(found), work.settings, None) for found in of_lane.values()]
