"""Walk-forward: settings are chosen on one part of a tape and judged on the part after it, again and again.

Every part is a backtest of its own: it begins flat, with the book as it stood, and sees no row of another.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median

from orderbook.engine import Engine
from orderbook.execution.codes import QueueModel
from orderbook.times import format_time
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.pieces.cutting import ProductPiece, whole_product
from replay.pieces.workers import LocalWorkers, Workers
from replay.running.window import Window
from replay.simulation.api import engine_of
from replay.simulation.columns import flat_row
from replay.simulation.pieces import sent
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import BacktestSettings
from replay.simulation.walk_plan import WalkPlan, steps_of
from replay.simulation.walk_results import WalkForward, WalkStep
from replay.simulation.work import BacktestWork, result_of, run_pass


def walk_forward(
    tape: Tape,
    settings: BacktestSettings,
    plan: WalkPlan,
    *,
    processes: int = 1,
    engine: Engine | EngineName = "auto",
    progress: Callable[[int, int], None] | None = None,
    workers: Workers | None = None,
) -> WalkForward:
    """Choose settings on one part of a tape and judge them on the next, until the tape ends.

    Args:
        tape: the tape.
        settings: what is run; its window is the part of the tape to walk over.
        plan: how it is cut, and what chooses.
        processes: number of processes that share the steps of each product.
        engine: runs the books and the exchange; all give the same results.
        progress: called before each step with its number from 0, and the number of steps; not if there are
            several processes.
        workers: who run the steps; None for those processes.

    Raises:
        OptionError: if the tape is too short for one step, or the steps are too many.
        TapeError, StrategyError, EngineError, InterruptedRunError: as `backtest`.
    """
    started = time.perf_counter()
    steps = steps_of(tape, settings, plan)
    products = tape.select(settings.products)
    with ExitStack() as stack:
        if workers is None and processes > 1:
            workers = stack.enter_context(LocalWorkers(processes, "plain", run_step.__module__))
        running = engine_of([tape], settings, engine)
        work = BacktestWork([tape], [tape.path], settings, None, keep=False, engine=running)
        if workers is not None:
            pieces = [whole_product(number, each) for number in range(len(steps)) for each in products]
            walk = _Walk(sent(work, workers), plan, steps)
            found = [step for each in workers.merged(run_step, walk, pieces) for step in each.steps]
        else:
            stopped = threading.Event()
            stack.enter_context(interruptible(stopped.set, "no run was written"))
            found = []
            for number in range(len(steps)):
                if progress is not None:
                    progress(number, len(steps))
                for product in products:
                    found += _steps(_Walk(work, plan, steps), number, product, stopped.is_set)
                if stopped.is_set():
                    break
    found.sort(key=lambda step: (step.product, settings.queues.index(step.queue)))
    return WalkForward(tape.path, settings, plan, found, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Walk:
    """The steps to run; picklable."""

    work: BacktestWork
    plan: WalkPlan
    parts: Sequence[tuple[Window, Window]]


@dataclass(frozen=True, slots=True)
class _Steps:
    """What came of a step of a product; picklable."""

    steps: list[WalkStep]

    def merge(self, _later: "_Steps") -> None:
        """Refuse what comes next: a step is never cut."""
        raise NotImplementedError


def run_step(walk: _Walk, each: ProductPiece) -> _Steps:
    """Run a step of a product as a worker does; it has the number of its step in place of a tape's."""
    return _Steps(_steps(walk, each.tape, each.product, lambda: False))


def _steps(walk: _Walk, number: int, product: str, is_stopped: Callable[[], bool]) -> list[WalkStep]:
    parts, settings = walk.parts[number], walk.work.settings
    works = [replace(walk.work, settings=replace(settings, window=part)) for part in parts]
    fitted, judged = (result_of(each, [run_pass(each, 0, product, is_stopped)]) for each in works)
    return [_step(product, queue, fitted, judged, parts, walk.plan.by) for queue in settings.queues]


def _step(
    product: str,
    queue: QueueModel,
    fitted: Backtest,
    judged: Backtest,
    parts: tuple[Window, Window],
    by: str,
) -> WalkStep:
    """Return what the best setting of the part to fit comes to in the part to judge."""
    before, after = ({row.setting: row for row in _lanes(each, product, queue)} for each in (fitted, judged))
    known = {
        setting: value for setting, row in before.items() if (value := _value(row, fitted, by)) is not None
    }
    chosen = max(known, key=lambda setting: known[setting], default=None)
    own = None if chosen is None else after.get(chosen)
    value = None if own is None else _value(own, judged, by)
    others = [other for row in after.values() if (other := _value(row, judged, by)) is not None]
    nets = [row.net for row in after.values() if row.net is not None]
    fit, judge = parts
    return WalkStep(
        product=product,
        queue=queue,
        fit_from=_time(fit.start),
        judge_from=_time(judge.start),
        judge_to=_time(judge.end),
        setting=chosen,
        in_sample=None if chosen is None else known[chosen],
        out_of_sample=value,
        rank=None if value is None else 1 + sum(other > value for other in others),
        fills=None if own is None else own.fills,
        net=None if own is None else own.net,
        net_median=median(nets) if nets else None,
        net_best=max(nets, default=None),
        fit_filled=_filled(before.values()),
        judge_filled=_filled(after.values()),
    )


def _lanes(result: Backtest, product: str, queue: QueueModel) -> Iterator[BacktestRow]:
    """Yield the rows of a product under a queue model in the order of the settings."""
    rows = (row for row in result.rows if (row.product, row.queue) == (product, queue))
    yield from sorted(rows, key=lambda row: row.setting)


def _filled(rows: Collection[BacktestRow]) -> int | None:
    """Return how many settings were filled; None if no book was known."""
    return None if all(row.net is None for row in rows) else sum(row.fills > 0 for row in rows)


def _value(row: BacktestRow, result: Backtest, by: str) -> float | None:
    value = flat_row(row, result.values(row))[by]
    return None if value is None else float(value)


def _time(time: int | None) -> str:
    assert time is not None  # noqa: S101  parts of a walk are closed
    return format_time(time)
