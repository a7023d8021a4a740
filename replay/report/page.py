"""The content of a page: the answer, an overview of the products, and the details of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from recorder.installed import tape_name, tape_names
from replay.comparing.results import versions
from replay.report.figures.chart import Chart, Figure
from replay.report.tables import Table

_MOST_NAMED: Final = 2
"""Tapes that a title names."""


class Finding(NamedTuple):
    """One sentence of the answer.

    Attributes:
        section: HTML id of the section that it is about; "" if it is about all.
        subject: the name of that section.
        text: the rest of the sentence.
    """

    section: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """The details of one product, as product.html shows them.

    Attributes:
        id: HTML id of the section; the ids of its figures begin with it.
        title: the product, and the tape if there are several.
        facts: short facts by name.
        numbers: the numbers of each threshold or lane, below the figures.
        charts: in the order of the page; a sentence in place of one that would be empty.
        episodes: quotes around each of the longest episodes, for report.js.
        shared: traces that several figures show, by name.
        note: a last sentence; "" if there is none.
    """

    id: str
    title: str
    facts: Mapping[str, str]
    numbers: Table
    charts: Sequence[Chart | str]
    episodes: Sequence[Mapping[str, Any]] = ()
    shared: Mapping[str, Figure] = field(default_factory=dict)
    note: str = ""

    @property
    def drawn(self) -> list[Chart]:
        """The charts that are drawn."""
        return [chart for chart in self.charts if isinstance(chart, Chart)]


@dataclass(frozen=True, slots=True)
class Group:
    """The sections of a product.

    Attributes:
        title: the product.
        sections: its only one; or of several tapes that of all together, then one for each.
        overview: a row for each section, which it links; None if there is one.
    """

    title: str
    sections: Sequence[Section]
    overview: Table | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report, as page.html shows it.

    Attributes:
        title: of the page.
        span: how it was run, or first and last time of the tapes.
        is_synthetic: whether some of it comes from a synthetic market.
        answer: what was found, the most important first.
        caveats: what limits the answer, a sentence each.
        overview: a row for each product, which it links.
        groups: one for each product.
        quality: data quality by product; None if it is not told.
        command: the command line that made the report, if one did.
        origin: digests and software versions by name.
    """

    title: str
    span: str
    is_synthetic: bool
    answer: Sequence[Finding]
    caveats: Sequence[str]
    overview: Table
    groups: Sequence[Group]
    quality: Table | None
    command: str | None
    origin: Mapping[str, str]

    @property
    def sections(self) -> list[Section]:
        """The sections of all products, in the order of the page."""
        return [section for group in self.groups for section in group.sections]

    def figure_data(self) -> dict[str, dict[str, Any]]:
        """Return what report.js draws, by the id of the element."""
        return {
            "figures": {
                f"{part.id}-{chart.name}": chart.figure
                for part in self.sections
                for chart in part.drawn
                if chart.figure is not None
            },
            "shared": {name: trace for part in self.sections for name, trace in part.shared.items()},
            "episodes": {f"{part.id}-book": part.episodes for part in self.sections if part.episodes},
        }


def over_tapes(paths: Sequence[Path], synthetic: Collection[Path]) -> str:
    """Return the tapes of a title: their names if they are few."""
    if len(paths) > _MOST_NAMED:
        some = sum(path in synthetic for path in paths)
        kind = "" if not some else " (SYNTHETIC)" if some == len(paths) else f" ({some} of them SYNTHETIC)"
        return f"{len(paths):,} tapes{kind}"
    names = tape_names(paths) if len(paths) > 1 else {path: tape_name(path) for path in paths}
    return ", ".join(f"{name}{' (SYNTHETIC)' * (path in synthetic)}" for path, name in names.items())


def software() -> str:
    """Return the versions of the software that made a report."""
    return ", ".join(
        f"{name} {number}" for name, number in (versions() | {"plotly": version("plotly")}).items()
    )
