"""The tables of a report: cells as text, ready to be shown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from orderbook import display
from orderbook.anomalies import ANOMALY_KINDS
from orderbook.display import significant
from orderbook.thresholds import format_threshold
from orderbook.times import NS
from replay.comparing.metrics import PROFIT_METRICS, THRESHOLD_METRICS
from replay.comparing.profits import Profit
from replay.comparing.results import Comparison
from replay.comparing.sweep.statistics import ThresholdStatistics
from replay.report.collect.episodes import Episode
from replay.report.collect.evidence import evenly_chosen
from replay.report.collect.gaps import Gap
from replay.report.collect.hours import HOURS, HourShares
from replay.report.collect.reduction import MinMaxReduction
from replay.report.sparkline import Sparkline

_SLICES: Final = 24
_EMPHASIS: Final = r"`|\*(?=\S)|(?<=\S)\*"
"""Marks of Markdown in a definition, but no sign of a product between two factors."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of each row names the row.

    Attributes:
        caption: what the table shows.
        headings: of the columns.
        definitions: of the columns, shown as tooltips of their headings; empty if there are none.
        rows: cells as text, or as sparklines.
        text_columns: number of columns from the left that hold text; the others hold numbers.
        links: HTML ids of sections, if each row leads to one.
        episodes_of: id of the figure that shows an episode, if each row names one; "" if not.
        id: HTML id by which report.js finds the table to fill it; "" if the rows are here.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | Sparkline]]
    definitions: Sequence[str] = ()
    text_columns: int = 1
    links: Sequence[str] = ()
    episodes_of: str = ""
    id: str = ""


def without_empty(table: Table) -> Table:
    """Return a table without the columns in which every row has `-`."""
    kept = [
        column
        for column in range(len(table.headings))
        if not table.rows or any(row[column] != "-" for row in table.rows)
    ]
    return replace(
        table,
        headings=[table.headings[column] for column in kept],
        rows=[[row[column] for column in kept] for row in table.rows],
        text_columns=sum(column < table.text_columns for column in kept),
    )


def threshold_table(
    rows: Sequence[ThresholdStatistics],
    detail: float | None,
    sort: str,
    limit: int,
    profits: Mapping[float, Profit] = MappingProxyType({}),
) -> Table:
    """Return the table of thresholds in the order of `rows`, the one in detail marked.

    If there are more than `limit`: evenly chosen ones, or the first if they are sorted by a number.
    """
    chosen = evenly_chosen(rows, limit) if sort == "threshold" else rows[:limit]
    thresholds = {detail, *(row.threshold for row in chosen)}
    shown = [row for row in rows if row.threshold in thresholds]
    # Numbers net of fees exist only if a fee was named.
    values = [row.row() | profits.get(row.threshold, Profit())._asdict() for row in shown]
    metrics = [each for each in (*THRESHOLD_METRICS[1:], *PROFIT_METRICS) if each.title]
    columns = [each for each in metrics if any(row[each.name] is not None for row in values)]
    order = "ascending" if sort == "threshold" else f"by {sort}, the largest first"
    part = "" if len(shown) == len(rows) else f", {len(shown):,} of {len(rows):,}"
    return Table(
        f"Thresholds, {order}{part}{'' if detail is None else '; ● is shown in detail'}",
        ["threshold", *(each.heading + (" ▾" if each.name == sort else "") for each in columns)],
        [[_marked(row["threshold"], detail), *(each.cell(row) for each in columns)] for row in values],
        [re.sub(_EMPHASIS, "", each.definition) for each in (THRESHOLD_METRICS[0], *columns)],
    )


def markout_table(rows: Sequence[ThresholdStatistics], detail: float | None) -> Table:
    """Return the mark-outs of each threshold: mean ± standard error, mean absolute change, episodes."""
    headings, lines = ["threshold"], []
    for markout in rows[0].markouts if rows else ():
        name = markout.horizon
        headings += [f"{name}: mean ± error (bps)", f"{name}: absolute", f"{name}: of (left out)"]
    for row in rows:
        line = [_marked(row.threshold, detail)]
        for markout in row.markouts:
            line += [
                significant(markout.mean_bps)
                if markout.standard_error_bps is None
                else f"{significant(markout.mean_bps)} ± {significant(markout.standard_error_bps)}",
                significant(markout.mean_abs_bps),
                f"{markout.episodes:,} ({markout.left_out:,})",
            ]
        lines.append(line)
    return Table("Mark-outs", headings, lines)


def _marked(threshold: float, detail: float | None) -> str:
    return format_threshold(threshold) + (" ●" if threshold == detail else "")


def spread_table(spreads: MinMaxReduction) -> Table:
    """Return the smallest and largest spread in 24 even slices of time."""
    times, values = spreads.points()
    first, last = (int(times[0]), int(times[-1])) if len(times) else (0, -1)
    width = max(-(-(last - first + 1) // _SLICES), 1)
    rows = []
    for start in range(first, last + 1, width):
        inside = values[(times >= start) & (times < start + width)]
        extremes = (inside.min(), inside.max()) if len(inside) else (None, None)
        rows.append((display.time_of_day(start), *map(display.bps, extremes)))
    return Table(
        f"Relative spread in slices of {display.seconds(width / NS)} s",
        ("from (UTC)", "smallest (bps)", "largest (bps)"),
        rows,
    )


def hours_table(hours: HourShares, columns: int) -> Table:
    """Return the share above by hour of the day, for `columns` of the thresholds at most."""
    shares = hours.shares()
    last = len(hours.thresholds) - 1
    places = sorted({round(part * last / (columns - 1)) for part in range(columns)})
    return Table(
        "Share above by hour of the day, %",
        ["hour (UTC)", "observed (s)", *(format_threshold(hours.thresholds[place]) for place in places)],
        [
            [
                f"{hour:02d}",
                display.seconds(observed),
                *(display.percent(shares[place][hour]) for place in places),
            ]
            for hour, observed in zip(range(HOURS), hours.observed_s(), strict=True)
            if observed
        ],
    )


def duration_table(counts: Sequence[tuple[str, int]]) -> Table:
    """Return the number of episodes in each bin of durations."""
    rows = [(edge, display.count(episodes)) for edge, episodes in counts]
    return Table("Episodes by duration", ("from (s)", "episodes"), rows)


def episodes_table(episodes: Sequence[Episode], threshold: float, total: int, figure: str) -> Table:
    """Return the list of episodes; each row leads to the figure of the quotes around it.

    Args:
        episodes: to be listed, in order of time.
        threshold: that they are above.
        total: number of all episodes, also those not listed.
        figure: HTML id of the figure.
    """
    which = "" if len(episodes) == total else f"the longest {len(episodes):,} of "
    return Table(
        f"Episodes above {format_threshold(threshold)}: {which}{total:,}",
        ("start (UTC)", "lasted (s)", "largest spread (bps)", "connection", "end"),
        [
            (
                display.time_of_day(episode.start),
                display.seconds(episode.duration_ns / NS),
                display.bps(episode.max_spread),
                str(episode.connection),
                "cut" if episode.is_cut else "ended",
            )
            for episode in episodes
        ],
        episodes_of=figure,
    )


def quotes_table(id_: str, unit: str) -> Table:
    """Return the table that report.js fills with the quotes around the episode on show."""
    return Table(
        "Quotes",
        ("seconds since its start", f"best bid ({unit})", f"best ask ({unit})"),
        (),
        text_columns=0,
        id=id_,
    )


def gaps_table(gaps: Sequence[Gap]) -> Table:
    """Return the list of times without a book between connections."""
    return Table(
        "Time without a book",
        ("from (UTC)", "to (UTC)", "excluded (s)", "interruptions"),
        [
            (
                display.time_of_day(gap.start),
                display.time_of_day(gap.end),
                display.seconds(gap.excluded_ns / NS),
                display.count(gap.interruptions),
            )
            for gap in gaps
        ],
        text_columns=2,
    )


def quality_table(comparison: Comparison) -> Table:
    """Return verdict, interruptions, counts and anomalies of each product over all tapes."""
    rows = []
    seen = [tally.anomalies for found in comparison.tapes for tally in found.tallies.values()]
    kinds = [kind for kind in ANOMALY_KINDS if any(each[kind] for each in seen)]
    for product in comparison.products:
        quality = comparison.whole(product).quality
        tallies = [found.tallies[product] for found in comparison.tapes if product in found.tallies]
        verdicts = (
            f"{count:,} {display.verdict(name)}" for name, count in quality.connections.items() if count
        )
        counts = [sum(getattr(each, name) for each in tallies) for name in ("rows", "frames", "summaries")]
        anomalies = [sum(each.anomalies[kind] for each in tallies) for kind in kinds]
        rows.append(
            [
                product,
                display.verdict(quality.verdict),
                ", ".join(verdicts),
                display.count(quality.interruptions),
                display.seconds(quality.excluded_s),
                *map(display.count, counts + anomalies),
            ]
        )
    headings = [
        *("product", "verdict", "connections", "interruptions", "excluded (s)"),
        *("rows", "frames", "summaries", *(kind.replace("_", " ") for kind in kinds)),
    ]
    told = "anomalies that are not named were not seen" if kinds else "no anomaly was seen"
    return Table(f"By product; {told}", headings, rows, text_columns=3)
