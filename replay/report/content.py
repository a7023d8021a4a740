"""The content of a report: for each product its figures and tables, then data quality and origin."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from orderbook import display
from orderbook.thresholds import format_threshold
from recorder.installed import tape_name
from replay.comparing.default_thresholds import nothing_above
from replay.comparing.results import Comparison, Group, versions
from replay.comparing.sweep.spread_times import QUANTILES
from replay.report import tables
from replay.report.collect.evidence import Evidence, Limits, evenly_chosen
from replay.report.figures import by_threshold, over_time
from replay.report.figures.chart import Chart, Subject
from replay.report.tables import Table

CHARTS: Final[Sequence[Callable[[Subject], Chart | None]]] = (
    over_time.spread_chart,
    by_threshold.share_chart,
    by_threshold.duration_chart,
    by_threshold.markout_chart,
    over_time.hours_chart,
    by_threshold.histogram_chart,
    over_time.book_chart,
)
"""The charts of a section, in the order of the page; None leaves a chart out."""


@dataclass(frozen=True, slots=True)
class Section:
    """One product's section, as product.html shows it.

    Attributes:
        id: HTML id of the section; the ids of its figures begin with it.
        title: the product, and the tape if there are several.
        facts: short facts by name.
        thresholds: the numbers of each threshold.
        charts: in the order of the page.
        episodes: quotes around each of the longest episodes, for report.js.
        note: a last sentence; "" if there is none.
    """

    id: str
    title: str
    facts: Mapping[str, str]
    thresholds: Table
    charts: Sequence[Chart]
    episodes: Sequence[Mapping[str, Any]]
    note: str


@dataclass(frozen=True, slots=True)
class Content:
    """The whole report, as report.html shows it.

    Attributes:
        title: of the page.
        span: first and last time of the tapes.
        sections: one for each product (and tape).
        quality: data quality by product.
        command: the command line that made the report, if one did.
        origin: digests and software versions by name.
    """

    title: str
    span: str
    sections: list[Section]
    quality: Table
    command: str | None
    origin: Mapping[str, str]

    def figure_data(self) -> dict[str, dict[str, Any]]:
        """Return what report.js draws, by the id of the element."""
        return {
            "figures": {
                f"{part.id}-{chart.name}": chart.figure
                for part in self.sections
                for chart in part.charts
                if chart.figure is not None
            },
            "episodes": {f"{part.id}-book": part.episodes for part in self.sections if part.episodes},
        }


def content_of(comparison: Comparison, evidence: Mapping[Path, Mapping[str, Evidence]], sort: str) -> Content:
    """Return the content of a report.

    Args:
        comparison: the numbers, sorted.
        evidence: what was collected during the pass, by tape and product.
        sort: the column by which the numbers are sorted.
    """
    tallies = [tally for found in comparison.tapes for tally in found.tallies.values()]
    first = min((tally.first_time for tally in tallies if tally.first_time is not None), default=None)
    last = max((tally.last_time for tally in tallies if tally.last_time is not None), default=None)
    software = ", ".join(
        f"{name} {number}" for name, number in (versions() | {"plotly": version("plotly")}).items()
    )
    names = (f"{tape_name(found.tape)}{' (synthetic)' * found.synthetic}" for found in comparison.tapes)
    return Content(
        title=f"Thresholds over {', '.join(names)}",
        span=display.span(first, last),
        sections=[
            _section(f"p{place}", *subject, sort)
            for place, subject in enumerate(_subjects(comparison, evidence))
        ],
        quality=tables.quality_table(comparison),
        command=comparison.command,
        origin={f"digest of {tape_name(found.tape)}": found.digest for found in comparison.tapes}
        | {"software": software},
    )


def _subjects(
    comparison: Comparison, evidence: Mapping[Path, Mapping[str, Evidence]]
) -> Iterator[tuple[str, Group, Evidence | None]]:
    """Yield title, numbers and evidence of each section: a product of each tape, then its total over tapes.

    A total has no figures over time: the tapes may overlap.
    """
    for group in comparison.groups:
        if group.part is not None:
            continue
        collected = None if group.tape is None else evidence.get(group.tape, {}).get(group.product)
        if len(comparison.tapes) == 1:
            yield group.product, group, collected
        else:
            tape = tape_name(group.tape) if group.tape else "all tapes"
            yield f"{group.product}, {tape}", group, collected


def _section(id_: str, title: str, group: Group, evidence: Evidence | None, sort: str) -> Section:
    limit = (Limits() if evidence is None else evidence.limits).thresholds
    detail = None if evidence is None else evidence.episodes.threshold
    rows = evenly_chosen(sorted(group.statistics, key=lambda row: row.threshold), limit)
    longest = [] if evidence is None else evidence.episodes.finish()
    subject = Subject(id_, rows, evidence, longest)
    return Section(
        id_,
        title,
        _facts(group),
        tables.threshold_table(group.statistics, detail, sort, limit),
        [chart for make in CHARTS if (chart := make(subject)) is not None],
        [over_time.episode_data(episode) for episode in longest],
        "" if detail is None or longest else _no_episode(detail, group),
    )


def _no_episode(detail: float, group: Group) -> str:
    told = nothing_above(detail, group.spread)
    return f"No episode was above {format_threshold(detail)}" + (f": {told}." if told else ".")


def _facts(group: Group) -> dict[str, str]:
    quality, spread = group.quality, group.spread
    facts: dict[str, str] = {}
    if group.statistics:
        facts["observed"] = f"{display.seconds(group.statistics[0].observed_s)} s"
    if spread.known_s:
        quantiles = zip(QUANTILES, spread.quantiles, strict=True)
        listed = ", ".join(f"p{quantile * 100:g} {display.bps(value)}" for quantile, value in quantiles)
        precision = "" if spread.quantiles_exact else " (within 1 %)"
        facts["relative spread, time-weighted"] = f"{listed} bps{precision}"
    facts["data quality"] = (
        f"{display.verdict(quality.verdict or 'no connection')}; "
        f"{display.plural(quality.interruptions, 'interruption')}, "
        f"{display.seconds(quality.excluded_s)} s excluded (no book), {quality.crossed:,} crossed"
    )
    return facts
