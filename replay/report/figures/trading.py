"""What the figures of a backtest are made of: a product, its settings, and what was kept of the best ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orderbook import display
from orderbook.execution.codes import QueueModel
from replay.report.collect.lanes import LaneEvidence
from replay.report.collect.traded import TradedProduct
from replay.simulation.rows import BacktestRow

_LONGEST: Final = 40


def plain(text: str, longest: int = _LONGEST) -> str:
    """Return text as Plotly takes it, which would read tags in it."""
    return display.printable(text, longest).replace("&", "&amp;").replace("<", "&lt;")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting on one product.

    Attributes:
        label: its values that differ between settings.
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
    def main_lane(self) -> LaneEvidence | None:
        """What was kept of the same lane."""
        return self.lanes.get(self.main.queue)


@dataclass(frozen=True, slots=True)
class TradedSubject:
    """A product on a tape, or over several.

    Attributes:
        id: HTML id of the section.
        settings: in their order.
        best: those that are drawn over time, the best first: by net profit, those without a fill last.
        swept: names of the settings that differ.
        evidence: what was kept of the product; None of several tapes together, which have no common time.
    """

    id: str
    settings: Sequence[Setting]
    best: Sequence[Setting]
    swept: Sequence[str]
    evidence: TradedProduct | None

    @property
    def axis(self) -> str:
        """What settings differ by."""
        return ", ".join(self.swept) or "setting"

    @property
    def is_filled(self) -> bool:
        """Whether any setting was filled: of the others there is no profit to draw."""
        return any(row.fills for each in self.settings for row in each.rows.values())

    @property
    def shown(self) -> LaneEvidence | None:
        """What was kept of the best setting, whose orders are drawn."""
        return self.best[0].main_lane if self.best else None
