"""How a walk cuts a tape: parts to fit, each with the part to judge that follows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orderbook.errors import OptionError
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.running.window import Window
from replay.simulation.settings import BacktestSettings

MOST_STEPS: Final = 10_000
"""Steps of a walk: each is two backtests."""


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


def steps_of(tape: Tape, settings: BacktestSettings, plan: WalkPlan) -> list[tuple[Window, Window]]:
    """Return the parts of each step.

    Raises:
        OptionError: if the tape is too short for one step, or the steps are too many.
    """
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
