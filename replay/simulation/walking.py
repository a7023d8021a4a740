"""Walk-forward: settings are chosen on one part of a tape and judged on the part after it, again and again.

Every part is a backtest of its own: it begins flat, with the book as it stood, and sees no row of another.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow as pa

from orderbook.display import plural
from orderbook.document import Document
from orderbook.engine import Engine
from orderbook.errors import OptionError
from orderbook.execution.codes import QueueModel
from orderbook.result import Result
from orderbook.schema import TIME, columns
from orderbook.times import format_time, parse_time
from recorder.installed import tapes_title
from recorder.settings import EngineName
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.running.window import Window
from replay.simulation.api import backtest
from replay.simulation.columns import csv_of, flat_row, setting_names, table_of
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import BacktestSettings, plain_settings

MOST_STEPS: Final = 10_000
"""Steps of a walk: each is two backtests."""

WALK_SCHEMA: Final = pa.schema(
    [
        *columns(False, product=pa.string(), queue=pa.string()),
        *columns(False, fit_from=TIME, judge_from=TIME, judge_to=TIME),
        *columns(True, setting=pa.int32(), in_sample=pa.float64(), out_of_sample=pa.float64()),
        *columns(True, rank=pa.int32(), fills=pa.int64()),
        *columns(True, net=pa.float64(), net_median=pa.float64(), net_best=pa.float64()),
    ]
)
"""Columns of `WalkForward.table`, after which come those of the settings that were chosen."""


class WalkStep(Document, frozen=True, kw_only=True):
    """A setting that was chosen on one part and judged on the next. Money is in the quote currency.

    Attributes:
        product: product id.
        queue: queue model that decided what filled.
        fit_from, judge_from, judge_to: ISO times; the part to fit ends where that to judge begins.
        setting: index of the setting with the largest value in the part to fit, the first of equals; null if
            none had a value there.
        in_sample: that value.
        out_of_sample: its value in the part to judge; null if it had none.
        rank: how many settings were better there, plus one; null likewise.
        fills: number of its fills there.
        net, net_median, net_best: net profit there: its own, that of the middle setting, and that of the best
            one, which nobody could have known; null if no book was known.
    """

    product: str
    queue: QueueModel
    fit_from: str
    judge_from: str
    judge_to: str
    setting: int | None
    in_sample: float | None
    out_of_sample: float | None
    rank: int | None
    fills: int | None
    net: float | None
    net_median: float | None
    net_best: float | None


class WalkTotal(Document, frozen=True, kw_only=True):
    """The parts to judge of a product under a queue model, added up.

    Attributes:
        product, queue: of which steps.
        steps: number of steps with a net profit in the part to judge.
        net, net_median, net_best: sums of those of the steps; 0 without any.
        profitable: number of steps whose `net` is above 0.
    """

    product: str
    queue: QueueModel
    steps: int
    net: float
    net_median: float
    net_best: float
    profitable: int


class WalkDocument(Document, frozen=True, kw_only=True):
    """The JSON form of `WalkForward`.

    Attributes:
        tape: directory of the tape.
        strategy: its name, `module:factory`.
        by: the column that chose.
        fit_s, judge_s: lengths of the parts in seconds.
        fees, latency: as given.
        settings: those of the strategy; `setting` of a step is an index into them.
        trials: number of settings among which each step chose.
        steps: by product and queue model, in the order of time.
        totals: of each product and queue model.
    """

    tape: str
    strategy: str | None
    by: str
    fit_s: float
    judge_s: float
    fees: str
    latency: str
    settings: list[dict[str, Any]]
    trials: int
    steps: list[WalkStep]
    totals: list[WalkTotal]
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """How a tape is cut.

    Attributes:
        fit, judge: lengths of the parts in nanoseconds; each step goes on by `judge`.
        by: the column of a backtest whose largest value chooses.
    """

    fit: int
    judge: int
    by: str = "net"

    def steps(self, first: int, end: int) -> Iterator[tuple[Window, Window]]:
        """Yield the parts to fit and to judge from a first time to an end (exclusive).

        The last part to judge is cut at the end; there is one step at least if anything is left to judge.
        """
        start = first
        while start + self.fit < end:
            split = start + self.fit
            yield Window(start, split), Window(split, min(split + self.judge, end))
            start += self.judge


@dataclass(slots=True, repr=False)
class WalkForward(Result):
    """The result of a walk.

    Attributes:
        tape: directory of the tape.
        settings: what was run on every part.
        plan: how the tape was cut.
        steps: by product and queue model, in the order of time.
        elapsed_s: wall time in seconds.
    """

    tape: Path
    settings: BacktestSettings
    plan: WalkPlan
    steps: list[WalkStep]
    elapsed_s: float = 0.0

    @property
    def title(self) -> str:
        """The name of the tape and a colon."""
        return tapes_title(self.tape)

    def swept(self) -> list[str]:
        """Return the names of the settings that differ."""
        return self.settings.swept()

    @property
    def trials(self) -> int:
        """Number of settings among which each step chose."""
        return len(self.settings.settings)

    def totals(self) -> list[WalkTotal]:
        """Return the sums of the parts to judge, by product and queue model."""
        found = []
        for (product, queue), steps in groupby(self.steps, key=lambda step: (step.product, step.queue)):
            known = [step for step in steps if step.net is not None]
            found.append(
                WalkTotal(
                    product=product,
                    queue=queue,
                    steps=len(known),
                    net=_sum(step.net for step in known),
                    net_median=_sum(step.net_median for step in known),
                    net_best=_sum(step.net_best for step in known),
                    profitable=sum((step.net or 0) > 0 for step in known),
                )
            )
        return found

    def summary(self) -> str:
        """Return one line: steps and settings."""
        what = f"{plural(len(self.steps), 'step')}, each chose among {plural(self.trials, 'setting')}"
        return f"{self.title} {what} by {self.plan.by}"

    def table(self) -> pa.Table:
        """Return a row for each step, columns `WALK_SCHEMA`, then the settings that were chosen."""
        rows = [
            {each.name: _cell(step, each) for each in WALK_SCHEMA}
            | {f"setting_{name}": str(value) for name, value in self.values(step).items()}
            for step in self.steps
        ]
        return table_of(rows, WALK_SCHEMA, setting_names(self.settings.settings))

    def csv(self) -> str:
        """Return the steps as CSV with a header."""
        return csv_of(self.table())

    def values(self, step: WalkStep) -> dict[str, Any]:
        """Return the settings that a step chose; none if it chose none."""
        return {} if step.setting is None else dict(self.settings.settings[step.setting])

    def _document(self) -> WalkDocument:
        return WalkDocument(
            tape=str(self.tape),
            strategy=self.settings.name,
            by=self.plan.by,
            fit_s=self.plan.fit / 1e9,
            judge_s=self.plan.judge / 1e9,
            fees=self.settings.fees,
            latency=self.settings.latency,
            settings=[plain_settings(each) for each in self.settings.settings],
            trials=self.trials,
            steps=self.steps,
            totals=self.totals(),
            elapsed_s=self.elapsed_s,
        )


def walk_forward(
    tape: Tape,
    settings: BacktestSettings,
    plan: WalkPlan,
    *,
    processes: int = 1,
    engine: Engine | EngineName = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> WalkForward:
    """Choose settings on one part of a tape and judge them on the next, until the tape ends.

    Args:
        tape: the tape.
        settings: what is run; its window is the part of the tape to walk over.
        plan: how it is cut, and what chooses.
        processes: number of processes that share the products of a part.
        engine: runs the books and the exchange; all give the same results.
        progress: called before each step with its number from 0, and the number of steps.

    Raises:
        OptionError: if the tape is too short for one step, or the steps are too many.
        TapeError, StrategyError, EngineError, InterruptedRunError: as `backtest`.
    """
    started = time.perf_counter()
    steps = _steps(tape, settings, plan)
    found: list[WalkStep] = []
    for number, parts in enumerate(steps):
        if progress is not None:
            progress(number, len(steps))
        fitted, judged = (
            backtest([tape], replace(settings, window=part), keep=False, processes=processes, engine=engine)
            for part in parts
        )
        found += [
            _step(product, queue, fitted, judged, parts, plan.by)
            for product in tape.select(settings.products)
            for queue in settings.queues
        ]
    found.sort(key=lambda step: (step.product, settings.queues.index(step.queue)))
    return WalkForward(tape.path, settings, plan, found, time.perf_counter() - started)


def _steps(tape: Tape, settings: BacktestSettings, plan: WalkPlan) -> list[tuple[Window, Window]]:
    """Return the parts of each step; refuse a tape that has none."""
    seen = [overview(tape.product(product)) for product in tape.select(settings.products)]
    firsts = [each.first_time for each in seen if each.first_time is not None]
    lasts = [each.last_time for each in seen if each.last_time is not None]
    if not firsts or not lasts:
        raise OptionError("the tape has no row yet", option="walk")
    window = settings.window
    first = min(firsts) if window.start is None else window.start
    end = max(lasts) + 1 if window.end is None else min(window.end, max(lasts) + 1)
    if (end - first - plan.fit) / plan.judge > MOST_STEPS:
        reason = f"these are more than {MOST_STEPS:,} steps: judge longer parts"
        raise OptionError(reason, option="walk")
    steps = list(plan.steps(first, end))
    if not steps:
        seconds = max(0, end - first) / 1e9
        reason = (
            f"nothing is left to judge after {plan.fit / 1e9:,.6g} s of {seconds:,.6g} s: fit on a shorter "
            f"part, such as {_whole(seconds / 2)}:{_whole(seconds / 10)}"
        )
        raise OptionError(reason, option="walk")
    return steps


def _whole(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms" if seconds < 1 else f"{round(seconds)}s"


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
    )


def _lanes(result: Backtest, product: str, queue: QueueModel) -> Iterator[BacktestRow]:
    """Yield the rows of a product under a queue model in the order of the settings."""
    rows = (row for row in result.rows if (row.product, row.queue) == (product, queue))
    yield from sorted(rows, key=lambda row: row.setting)


def _cell(step: WalkStep, column: pa.Field) -> Any:
    value = getattr(step, column.name)
    return parse_time(value) if column.type == TIME else value


def _value(row: BacktestRow, result: Backtest, by: str) -> float | None:
    value = flat_row(row, result.values(row))[by]
    return None if value is None else float(value)


def _time(time: int | None) -> str:
    assert time is not None  # noqa: S101  parts of a walk are closed
    return format_time(time)


def _sum(values: Iterable[float | None]) -> float:
    return sum(value for value in values if value is not None)
