"""The numbers of a report as HTML tables. Every text is escaped here, whoever it comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from orderbook.threshold import format_threshold
from orderbook.times import NS
from recorder import terminal
from replay.report.episodes import Episode
from replay.report.figures import Row
from replay.report.gaps import Gap
from replay.report.hours import HOURS, HourShares
from replay.report.reduction import MinMaxReduction

_MAX_ROWS: Final = 200
_SLICES: Final = 24


@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is HTML already; everything else is escaped."""

    html: str


Cell = str | Markup


def markup(value: Cell) -> str:
    """Return a text as HTML."""
    return value.html if isinstance(value, Markup) else escape(value)


def table(caption: str, headings: Sequence[Cell], rows: Sequence[Sequence[Cell]], left: int = 1) -> str:
    """Return a table that scrolls in itself where it is wider than the page, also by keyboard.

    Args:
        caption: what it shows.
        headings: of the columns.
        rows: its cells; the first of each names the row.
        left: how many columns are text, the others numbers.
    """

    def sided(place: int) -> str:
        return "" if place < left else ' class="number"'

    head = "".join(f'<th scope="col"{sided(n)}>{markup(cell)}</th>' for n, cell in enumerate(headings))
    lines = []
    for row in rows:
        cells = "".join(f"<td{sided(n)}>{markup(cell)}</td>" for n, cell in enumerate(row[1:], 1))
        lines.append(f'<tr><th scope="row"{sided(0)}>{markup(row[0])}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>"
    )


@dataclass(frozen=True, slots=True)
class _Number:
    """A column of the table of thresholds; left out where the rows lack its key."""

    key: str
    heading: str
    show: Callable[[Any], str]


_NUMBERS: Final = (
    _Number("signals", "signals", terminal.count),
    _Number("episodes", "episodes", terminal.count),
    _Number("time_above_s", "above (s)", terminal.seconds),
    _Number("share", "share (%)", terminal.percent),
    _Number("duration_p50_s", "episode p50 (s)", terminal.seconds),
    _Number("duration_p95_s", "p95 (s)", terminal.seconds),
    _Number("duration_max_s", "longest (s)", terminal.seconds),
    _Number("mean_relative_spread", "mean spread (bps)", terminal.bps),
    _Number("max_relative_spread", "largest (bps)", terminal.bps),
)


def threshold_table(rows: Sequence[Row], detail: float, sort: str) -> str:
    """Return the table of thresholds in the order of the rows, the one in detail marked."""
    shown = rows if len(rows) <= _MAX_ROWS else rows[:_MAX_ROWS]
    numbers = [number for number in _NUMBERS if number.key in rows[0]] if rows else []
    headings = ["threshold", *(n.heading + (" ▾" if n.key == sort else "") for n in numbers)]
    lines = [
        [
            format_threshold(row["threshold"]) + (" ●" if row["threshold"] == detail else ""),
            *(number.show(row[number.key]) for number in numbers),
        ]
        for row in shown
    ]
    order = "in ascending order" if sort == "threshold" else "the largest of the marked column first"
    cut = "" if len(shown) == len(rows) else f", the first {len(shown):,} of {len(rows):,}"
    return table(f"Thresholds, {order}{cut}; ● is shown in detail", headings, lines)


def slices_table(spreads: MinMaxReduction) -> str:
    """Return the smallest and largest spread in even slices of time: the figure in words."""
    times, values = spreads.points()
    if not len(times):
        return "<p>There is no spread.</p>"
    first, last = int(times[0]), int(times[-1])
    width = max(-(-(last - first + 1) // _SLICES), 1)
    rows = []
    for number in range(_SLICES):
        start = first + number * width
        inside = values[(times >= start) & (times < start + width)]
        if start > last:
            break
        low, high = (terminal.bps(float(inside.min())), terminal.bps(float(inside.max()))) if len(inside) else "--"
        rows.append((terminal.time_of_day(start), low, high))
    return table(
        f"Relative spread in slices of {width / NS:,.3f} s", ("from (UTC)", "smallest (bps)", "largest (bps)"), rows
    )


def hours_table(hours: HourShares, columns: Sequence[int]) -> str:
    """Return the share above by hour of the day for some of the thresholds, by their place."""
    shares = hours.shares()
    rows = [
        [f"{hour:02d}", f"{observed:,.1f}", *(terminal.percent(shares[place][hour]) for place in columns)]
        for hour, observed in zip(range(HOURS), hours.observed_s(), strict=True)
        if observed
    ]
    headings = ["hour (UTC)", "observed (s)", *(format_threshold(hours.thresholds[place]) for place in columns)]
    return table("Share above by hour of the day, %", headings, rows)


def episodes_table(episodes: Sequence[Episode], threshold: float, total: int, figure: str) -> str:
    """Return the list of episodes; each leads to the figure of the quotes around it."""
    rows = [
        (
            Markup(
                f'<a href="#{escape(figure)}" data-figure="{escape(figure)}" data-episode="{place}">'
                f"{escape(terminal.time_of_day(episode.start))}</a>"
            ),
            terminal.seconds(episode.duration_ns / NS),
            terminal.bps(episode.max_spread),
            str(episode.connection),
            "cut" if episode.is_cut else "ended",
        )
        for place, episode in enumerate(episodes)
    ]
    which = "all" if len(episodes) == total else f"the longest {len(episodes):,} of"
    caption = f"Episodes above {format_threshold(threshold)}: {which} {total:,}"
    headings = ("start (UTC)", "lasted (s)", "largest spread (bps)", "connection", "end")
    return table(caption, headings, rows)


def gaps_table(gaps: Sequence[Gap]) -> str:
    """Return the list of what was not observed between connections."""
    rows = [
        (
            terminal.time_of_day(gap.start),
            terminal.time_of_day(gap.end),
            terminal.seconds(gap.excluded_ns / NS),
            terminal.count(gap.interruptions),
        )
        for gap in gaps
    ]
    return table(
        "Time without a book", ("from (UTC)", "to (UTC)", "excluded (s)", "interruptions"), rows, left=2
    )
