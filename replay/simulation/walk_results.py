"""The result of a walk: a row for each step, and what was judged, added up."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from orderbook.display import plural
from orderbook.document import Document
from orderbook.execution.codes import QueueModel
from orderbook.result import Result
from orderbook.schema import TIME, columns
from orderbook.times import parse_time
from recorder.installed import tapes_title
from replay.simulation.columns import csv_of, setting_names, table_of
from replay.simulation.settings import BacktestSettings, plain_settings
from replay.simulation.walk_plan import WalkPlan

WALK_SCHEMA: Final = pa.schema(
    [
        *columns(False, product=pa.string(), queue=pa.string()),
        *columns(False, fit_from=TIME, judge_from=TIME, judge_to=TIME),
        *columns(True, setting=pa.int32(), in_sample=pa.float64(), out_of_sample=pa.float64()),
        *columns(True, rank=pa.int32(), fills=pa.int64()),
        *columns(True, net=pa.float64(), net_median=pa.float64(), net_best=pa.float64()),
        *columns(True, fit_filled=pa.int32(), judge_filled=pa.int32()),
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
        fit_filled, judge_filled: number of settings that were filled in the part to fit, and in the part to
            judge; null if no book was known. If none was filled in the part to fit, the choice means nothing.
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
    fit_filled: int | None
    judge_filled: int | None


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
        last_judge_s: length of the last part to judge, which the end of the tape may cut short.
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
    last_judge_s: float
    steps: list[WalkStep]
    totals: list[WalkTotal]
    elapsed_s: float


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

    @property
    def last_judge(self) -> int:
        """Length of the last part to judge in nanoseconds: what the tape has left, if that is shorter."""
        ends = [(parse_time(step.judge_from) or 0, parse_time(step.judge_to) or 0) for step in self.steps]
        return min((end - start for start, end in ends), default=self.plan.judge)

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
            last_judge_s=self.last_judge / 1e9,
            steps=self.steps,
            totals=self.totals(),
            elapsed_s=self.elapsed_s,
        )


def _cell(step: WalkStep, column: pa.Field) -> Any:
    value = getattr(step, column.name)
    return parse_time(value) if column.type == TIME else value


def _sum(values: Iterable[float | None]) -> float:
    return sum(value for value in values if value is not None)
