"""What stands in a report, in order: for each product its figures and tables, then quality and origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from orderbook.threshold import format_threshold
from recorder import terminal
from replay.compared import Group
from replay.report.curves import (
    duration_counts,
    duration_figure,
    histogram_figure,
    markout_figure,
    share_figure,
)
from replay.report.episodes import AROUND_NS
from replay.report.figures import episode_data, hours_figure, spread_figure
from replay.report.gathering import Bounds, Evidence, spread_out
from replay.report.markup import table
from replay.report.style import Figure
from replay.report.tables import (
    episodes_table,
    gaps_table,
    hours_table,
    markout_table,
    slices_table,
    threshold_table,
)
from replay.sweep.results import QUANTILES, ThresholdStatistics

_HOUR_COLUMNS: Final = 6
_MOVES: Final = (
    ("earlier", "Earlier"),
    ("later", "Later"),
    ("in", "Zoom in"),
    ("out", "Zoom out"),
    ("all", "Whole time"),
)


@dataclass(slots=True)
class Content:
    """The body of a page as it grows, and what its figures are drawn from.

    Attributes:
        html: pieces of the body.
        figures: by the id of the element.
        episodes: by the id of the element that shows one of them.
    """

    html: list[str] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)
    episodes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def figure(self, name: str, title: str, reading: str, figure: Figure | None, numbers: str) -> None:
        """Add a figure.

        Args:
            name: its id.
            title: what it shows.
            reading: how to read it.
            figure: what Plotly draws; None where report.js makes it.
            numbers: the same as a table, HTML.
        """
        if figure is not None:
            self.figures[name] = figure
        controls, extra = "", ""
        if figure is None:
            controls = _buttons(name, (("previous", "Previous episode"), ("next", "Next episode")))
            extra = f' data-overview="{escape(name.rpartition("-")[0])}-spread"'
        elif name.endswith("-spread"):
            controls = _buttons(name, _MOVES)
        self.html.append(
            f'<figure aria-labelledby="{name}-title"><h3 id="{name}-title">{escape(title)}</h3>'
            f"<figcaption>{escape(reading)}</figcaption>{controls}"
            f'<div class="plot" id="{name}" role="img" tabindex="-1" aria-label="{escape(title)}"{extra}>'
            "</div>"
            f"<details><summary>{escape(title)} as a table</summary>{numbers}</details></figure>"
        )


def product_section(
    content: Content, place: int, title: str, group: Group, evidence: Evidence | None, sort: str
) -> None:
    """Add the section of one product.

    Args:
        content: what it is added to.
        place: its number in the page.
        title: product, and tape where there are several.
        group: its numbers.
        evidence: what was kept of its pass; None for a total, or where it has no row.
        sort: the column by which the numbers are sorted.
    """
    name = f"p{place}"
    bounds = Bounds() if evidence is None else evidence.bounds
    detail = None if evidence is None else evidence.episodes.threshold
    most = bounds.thresholds
    rows = spread_out(sorted(group.statistics, key=lambda row: row.threshold), most)
    content.html += [
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{escape(title)}</h2>',
        _facts(group),
        threshold_table(group.statistics, detail, sort, most),
    ]
    if evidence is not None:
        _over_time(content, name, evidence, [row.threshold for row in rows])
    _against_thresholds(content, name, rows, markout_table(rows, detail, most))
    if evidence is not None:
        _of_day(content, name, evidence)
        _episodes(content, name, evidence)
    content.html.append("</section>")


def _against_thresholds(
    content: Content, name: str, rows: Sequence[ThresholdStatistics], markouts: str
) -> None:
    if len(rows) > 1:
        numbers = f'<p>All of it is in the <a href="#{name}">table of thresholds</a> above.</p>'
        content.figure(
            f"{name}-share",
            "Share above against the threshold",
            "How much of the observed time the spread was above each threshold.",
            share_figure(rows),
            numbers,
        )
        content.figure(
            f"{name}-durations",
            "Episode durations against the threshold",
            "An episode is a run of summaries above, within one connection. Logarithmic.",
            duration_figure(rows),
            numbers,
        )
    if rows and rows[0].markouts:
        content.figure(
            f"{name}-markouts",
            "Mark-outs",
            "The mid's change from each episode's start to a time after it. Bars are one standard error, "
            "of two episodes at least.",
            markout_figure(rows),
            markouts,
        )


def _over_time(content: Content, name: str, evidence: Evidence, thresholds: Sequence[float]) -> None:
    seen, width = evidence.spreads.seen, evidence.spreads.width_ns / 1e9
    content.figure(
        f"{name}-spread",
        "Spread over time",
        f"The smallest and largest relative spread in each {width:.3g} s, of {seen:,} summaries. Orange "
        "lines are thresholds, the solid one is shown in detail. Shaded: no book, nothing is known.",
        spread_figure(evidence, thresholds),
        slices_table(evidence.spreads),
    )
    if gaps := evidence.gaps.found():
        content.html.append(f"<details><summary>Interruptions</summary>{gaps_table(gaps)}</details>")


def _of_day(content: Content, name: str, evidence: Evidence) -> None:
    count = len(evidence.hours.thresholds)
    columns = sorted({round(part * (count - 1) / (_HOUR_COLUMNS - 1)) for part in range(_HOUR_COLUMNS)})
    content.figure(
        f"{name}-hours",
        "Hour of the day",
        "Share of the observed time above, by UTC hour; empty where nothing was observed.",
        hours_figure(evidence.hours),
        hours_table(evidence.hours, columns),
    )


def _episodes(content: Content, name: str, evidence: Evidence) -> None:
    episodes = evidence.episodes
    threshold = format_threshold(episodes.threshold)
    kept = episodes.finish()
    if not kept:
        content.html.append(f"<p>No episode was above {escape(threshold)}.</p>")
        return
    counts = [(edge, f"{count:,}") for edge, count in duration_counts(episodes)]
    content.figure(
        f"{name}-histogram",
        f"How long the episodes above {threshold} lasted",
        f"{episodes.count:,} in all, counted by duration.",
        histogram_figure(episodes),
        table("Episodes by duration", ("from (s)", "episodes"), counts),
    )
    book = f"{name}-book"
    content.episodes[book] = [episode_data(episode) for episode in kept]
    content.figure(
        book,
        "Best bid and ask around an episode",
        f"Shaded is the episode, with {AROUND_NS // 10**9} s before and after it on its connection. "
        "Choose one in the list below.",
        None,
        table(
            "Quotes", ("seconds since its start", "best bid", "best ask"), (), left=0, name=f"{book}-quotes"
        ),
    )
    content.html.append(episodes_table(kept, episodes.threshold, episodes.count, book))


def _facts(group: Group) -> str:
    quality = group.quality
    quantiles = group.spread.quantiles
    facts: dict[str, str] = {}
    if group.statistics:
        facts["observed"] = f"{group.statistics[0].observed_s:,.3f} s"
    if quantiles is not None:
        facts["relative spread, time-weighted"] = (
            ", ".join(
                f"p{quantile * 100:g} {terminal.bps(value)}"
                for quantile, value in zip(QUANTILES, quantiles, strict=True)
            )
            + " bps"
            + ("" if group.spread.quantiles_exact else " (within 1 %)")
        )
    facts["data quality"] = (
        f"{quality.verdict or 'no connection'}; {terminal.plural(quality.interruptions, 'interruption')}, "
        f"{quality.excluded_s:,.3f} s excluded (no book), {quality.crossed:,} crossed"
    )
    return definitions(facts)


def definitions(facts: Mapping[str, str]) -> str:
    """Return names and what they stand for."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _buttons(target: str, actions: Sequence[tuple[str, str]]) -> str:
    buttons = "".join(
        f'<button type="button" data-target="{target}" data-action="{action}">{escape(label)}</button>'
        for action, label in actions
    )
    return (
        f'<div class="controls js-only">{buttons}</div>'
        f'<p class="muted" id="{target}-state" role="status"></p>'
    )
