"""A chart of a section: its figure and colours, the text around it, and the same numbers as a table.

A figure is plain data that Plotly draws. Lines of different colours also differ in dash and marker. The other
looks are in report.css and report.js.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from replay.comparing.profits import Profit
from replay.comparing.sweep.statistics import ThresholdStatistics
from replay.palette import BLUE, GREEN, GREY, ORANGE, VIOLET
from replay.report.collect.episodes import Episode
from replay.report.collect.evidence import Evidence
from replay.report.tables import Table

Figure = dict[str, Any]

STYLES: Final = (
    (BLUE, "solid", "circle"),
    (ORANGE, "dash", "square"),
    (GREEN, "dot", "diamond"),
    (VIOLET, "dashdot", "triangle-up"),
    (GREY, "longdash", "x"),
)

NO_LEGEND: Final = {"showlegend": False}


@dataclass(frozen=True, slots=True)
class Subject:
    """The numbers from which the charts of a section are made.

    Attributes:
        id: HTML id of the section.
        rows: statistics by threshold, ascending.
        evidence: what was collected; None for a total of several tapes, or a product without rows.
        longest: the longest episodes above the threshold in detail, in order of time.
        detail: the threshold in detail; None if there is none.
        profits: what a strategy earns by threshold; empty without one.
        unit, base: the currencies of prices and sizes.
    """

    id: str
    rows: Sequence[ThresholdStatistics]
    evidence: Evidence | None
    longest: Sequence[Episode]
    detail: float | None = None
    profits: Mapping[float, Profit] = field(default_factory=dict)
    unit: str = "quote"
    base: str = "base"


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, as product.html shows it.

    Attributes:
        name: the HTML id is that of the section, a hyphen and this name.
        title: its heading.
        reading: how to read it, one or two sentences.
        figure: what report.js draws; None if it draws the episodes.
        table: the same numbers; None if they are in the table of thresholds.
        buttons: (action of report.js, label) of each.
        overview: name of the chart that follows the episode on show; "" if none does.
        below: a further table below the chart; None if there is none.
        folded: title under which `below` is folded away; "" if it is open.
        is_tall: whether it is several figures on one axis.
    """

    name: str
    title: str
    reading: str
    figure: Figure | None
    table: Table | None = None
    buttons: Sequence[tuple[str, str]] = ()
    overview: str = ""
    below: Table | None = None
    folded: str = ""
    is_tall: bool = False
