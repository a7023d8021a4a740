"""What the figures of a backtest are made of: a product, its settings, and what was kept of the best ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orderbook import display
from orderbook.execution.codes import QUEUE_MODELS, QueueModel
from orderbook.execution.numbers import UNITS
from replay.report.collect.lanes import LaneEvidence
from replay.report.collect.traded import TradedProduct
from replay.simulation.neighbours import Nearest, Neighbours
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import LATENCY

_LONGEST: Final = 40


def size_text(units: int) -> str:
    """Return a size in units of 1e-8 with all its decimals.

    >>> size_text(9012), size_text(150_400_000_000), size_text(0)
    ('0.00009012', '1,504', '0')
    """
    return f"{units / UNITS:,.8f}".rstrip("0").rstrip(".")


def plain(text: str, longest: int = _LONGEST) -> str:
    """Return text as Plotly takes it, which would read tags in it."""
    return display.printable(text, longest).replace("&", "&amp;").replace("<", "&lt;")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting on one product.

    Attributes:
        label: its values that differ between settings; a latency is not among them.
        values: all of them, by name.
        rows: the numbers of its lanes, by queue model.
        lanes: what was kept of its lanes; empty unless it is one of the best.
    """

    label: str
    values: Mapping[str, object]
    rows: Mapping[QueueModel, BacktestRow]
    lanes: Mapping[QueueModel, LaneEvidence] = field(default_factory=dict)

    @property
    def plot_label(self) -> str:
        """The label as Plotly takes it, which would read tags in it."""
        return self.label.replace("&", "&amp;").replace("<", "&lt;")

    def short(self, swept: Sequence[str]) -> str:
        """Return the values of some settings as Plotly takes them."""
        return ", ".join(plain(str(self.values.get(name))) for name in swept) or "as given"

    @property
    def main(self) -> BacktestRow:
        """The numbers under the estimate, or under the only model."""
        return self.rows.get("share") or next(iter(self.rows.values()))

    @property
    def bounds(self) -> str:
        """The net profit under the bounds of the queue, back to front; empty if only one model was run."""
        ends = [self.rows[model].net for model in QUEUE_MODELS if model in self.rows]
        return display.bounds(ends[0], ends[-1]) if len(self.rows) > 1 else ""

    @property
    def main_lane(self) -> LaneEvidence | None:
        """What was kept of the same lane."""
        return self.lanes.get(self.main.queue)


@dataclass(frozen=True, slots=True)
class TradedSubject:
    """A product on a tape, or over several.

    Attributes:
        id: HTML id of the section.
        settings: in their order, those of all latencies.
        best: those that are drawn over time, the best first: by net profit, those without a fill last.
        swept: names of the settings that differ; a latency is not among them.
        latency: the one at which settings are compared, if several were run.
        neighbours: the settings that differ from the best one in a single value.
        nearest: those nearest to it, if it has few neighbours.
        evidence: what was kept of the product; None of several tapes together, which have no common time.
    """

    id: str
    settings: Sequence[Setting]
    best: Sequence[Setting]
    swept: Sequence[str]
    evidence: TradedProduct | None
    latency: str | None = None
    neighbours: Sequence[Neighbours] = ()
    nearest: Nearest | None = None

    @property
    def compared(self) -> Sequence[Setting]:
        """The settings among which the best is chosen: those at one latency."""
        if self.latency is None:
            return self.settings
        return [each for each in self.settings if each.values[LATENCY] == self.latency]

    @property
    def at(self) -> str:
        """At which latency they are compared; empty if there is one."""
        return "" if self.latency is None else f" at a latency of {self.latency}"

    @property
    def who(self) -> str:
        """What is drawn over time: the best setting, or the strategy if there is one setting."""
        return self.best[0].label if len(self.compared) > 1 else "the strategy"

    @property
    def unit(self) -> str:
        """The currency of prices and money."""
        return display.quote_of(self.settings[0].main.product)

    @property
    def base(self) -> str:
        """The currency of sizes."""
        return display.base_of(self.settings[0].main.product)

    @property
    def axis(self) -> str:
        """What settings differ by."""
        return ", ".join(self.swept) or "setting"

    @property
    def is_filled(self) -> bool:
        """Whether any setting was filled: of the others there is no profit to draw."""
        return any(row.fills for each in self.compared for row in each.rows.values())

    @property
    def is_bookless(self) -> bool:
        """Whether no book with both sides was known, as far as the product was watched."""
        return self.evidence is not None and not len(self.evidence.quotes.points()[0])

    @property
    def shown(self) -> LaneEvidence | None:
        """What was kept of the best setting, whose orders are drawn."""
        return self.best[0].main_lane if self.best else None
