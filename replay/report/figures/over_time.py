"""Figures over time: the spread, the hours of the day, the quotes around an episode."""

import math
from collections.abc import Sequence
from typing import Any, Final

from orderbook import display
from orderbook.thresholds import format_threshold
from replay.report.collect.episodes import AROUND_NS, Episode
from replay.report.collect.evidence import Evidence, evenly_chosen
from replay.report.collect.gaps import Gap
from replay.report.collect.hours import HOURS, HourShares
from replay.report.figures.chart import BLUE, GREY, NO_LEGEND, ORANGE, Chart, Figure, Subject
from replay.report.tables import episodes_table, gaps_table, hours_table, quotes_table, spread_table

_MAX_LINES: Final = 7
_HOUR_COLUMNS: Final = 6
_ZOOM: Final = (
    ("earlier", "Earlier"),
    ("later", "Later"),
    ("in", "Zoom in"),
    ("out", "Zoom out"),
    ("all", "Whole time"),
)
_MOST_ABOVE: Final = 3
"""A threshold that is more than this times the largest spread is not drawn: it would flatten the spread."""
_STEP: Final = (("previous", "Previous episode"), ("next", "Next episode"))


def spread_chart(subject: Subject) -> Chart | None:
    """Return the spread over time, with the times without a book below; None without evidence."""
    evidence = subject.evidence
    if evidence is None:
        return None
    spreads, gaps = evidence.spreads, evidence.gaps.found()
    return Chart(
        "spread",
        "Spread over time",
        f"The smallest and largest relative spread in each {spreads.width_ns / 1e9:.3g} s, of"
        f" {display.count(spreads.seen)} summaries. Orange lines are thresholds, the solid one is shown in"
        " detail. Shaded: no book, nothing is known.",
        spread_figure(evidence, [row.threshold for row in subject.rows]),
        spread_table(spreads),
        _ZOOM,
        below=gaps_table(gaps) if gaps else None,
        folded="Interruptions",
    )


def spread_figure(evidence: Evidence, thresholds: Sequence[float]) -> Figure:
    """Return the spread over time, with thresholds as lines (the one in detail solid) and gaps shaded."""
    times, values = evidence.spreads.points()
    gaps = evidence.gaps.found()
    moments, spreads = _interrupted(times.tolist(), (values * 1e4).tolist(), gaps)
    detail = evidence.episodes.threshold
    highest = _MOST_ABOVE * values.max(initial=0.0)
    lines = [each for each in _apart(evenly_chosen(thresholds, _MAX_LINES), detail) if each <= highest]
    shapes = [_shaded(milliseconds(gap.start), milliseconds(gap.end)) for gap in gaps]
    notes = []
    for line in lines:
        y, width, dash = line * 1e4, *((2, "solid") if line == detail else (1, "dot"))
        style = {"color": ORANGE, "width": width, "dash": dash}
        shapes.append({"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": style})
        label = {"x": 1, "xanchor": "left", "y": y, "text": f"{y:.4g} bps", "showarrow": False}
        notes.append({"xref": "paper", **label})
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": moments,
        "y": spreads,
        "line": {"color": BLUE, "width": 1, "shape": "hv"},
        "connectgaps": False,
        "hovertemplate": "%{x|%Y-%m-%d %H:%M:%S.%L}<br>%{y:.4~g} bps<extra></extra>",
    }
    return {
        "data": [trace],
        "layout": {
            "xaxis": {"type": "date", "title": {"text": "time (UTC)"}},
            "yaxis": {"title": {"text": "relative spread (bps)"}},
            "shapes": shapes,
            "annotations": notes,
            "margin": {"r": 88},
            "showlegend": False,
        },
    }


def hours_chart(subject: Subject) -> Chart | None:
    """Return the share above by hour of the day; None without evidence."""
    if subject.evidence is None:
        return None
    hours = subject.evidence.hours
    reading = "Share of the observed time above, by UTC hour; empty where nothing was observed."
    return Chart("hours", "Hour of the day", reading, hours_figure(hours), hours_table(hours, _HOUR_COLUMNS))


def hours_figure(hours: HourShares) -> Figure:
    """Return the share above by hour of the day: a heat map over thresholds, or bars for one threshold."""
    shares = [[None if part is None else part * 100 for part in row] for row in hours.shares()]
    labels = [f"{hour:02d}" for hour in range(HOURS)]
    axis = {"type": "category", "title": {"text": "hour of the day (UTC)"}}
    if len(shares) == 1:
        bars = {"type": "bar", "x": labels, "y": shares[0], "marker": {"color": BLUE}}
        value = {"title": {"text": "share of observed time (%)"}, "rangemode": "tozero"}
        return {"data": [bars], "layout": {"xaxis": axis, "yaxis": value, **NO_LEGEND}}
    cells = {
        "type": "heatmap",
        "x": labels,
        "y": [format_threshold(threshold).removesuffix(" bps") for threshold in hours.thresholds],
        "z": [[None if part is None else _number(part, 4) for part in row] for row in shares],
        "colorscale": "Cividis",
        "zmin": 0,
        "hoverongaps": False,
        "colorbar": {"title": {"text": "% above"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": "%{x} h, %{y} bps: %{z:.4~g} %<extra></extra>",
    }
    value = {"type": "category", "title": {"text": "threshold (bps)"}}
    return {"data": [cells], "layout": {"xaxis": axis, "yaxis": value}}


def book_chart(subject: Subject) -> Chart | None:
    """Return the quotes around an episode, with the list of episodes below; None if there are none.

    report.js draws the chosen episode, from `episode_data`.
    """
    if subject.evidence is None or not subject.longest:
        return None
    episodes = subject.evidence.episodes
    id_ = f"{subject.id}-book"
    return Chart(
        "book",
        "Best bid and ask around an episode",
        f"Shaded is the episode, with {AROUND_NS // 10**9} s before and after it on its connection. Choose"
        " one in the list below.",
        None,
        quotes_table(f"{id_}-quotes"),
        _STEP,
        overview="spread",
        below=episodes_table(subject.longest, episodes.threshold, episodes.count, id_),
    )


def episode_data(episode: Episode) -> dict[str, Any]:
    """Return one episode as report.js draws it: seconds since its start, best bid and ask."""
    quotes = episode.quotes
    data: dict[str, Any] = {
        "start_ms": milliseconds(episode.start),
        "end_ms": milliseconds(episode.end),
        "seconds": episode.duration_ns / 1e9,
    }
    if quotes is not None:
        data["x"] = ((quotes.times - episode.start) / 1e9).round(6).tolist()
        data["bid"] = [_number(value) for value in quotes.bids.tolist()]
        data["ask"] = [_number(value) for value in quotes.asks.tolist()]
    return data


def milliseconds(time_ns: int) -> float:
    """Return a time in milliseconds since 1970, to the microsecond, as Plotly's date axes take it."""
    return round(time_ns / 1e6, 3)


def _apart(thresholds: Sequence[float], detail: float) -> list[float]:
    """Return the one in detail, and those far enough from it that their labels do not overlap."""
    distance = (max(thresholds, default=0.0) - min(thresholds, default=0.0)) / (2 * _MAX_LINES)
    return [detail, *(each for each in thresholds if abs(each - detail) > distance)]


def _interrupted(
    times: Sequence[int], values: Sequence[float], gaps: Sequence[Gap]
) -> tuple[list[float], list[float | None]]:
    """Return the points, interrupted at each gap so that no line crosses it."""
    moments: list[float] = []
    interrupted: list[float | None] = []
    remaining = iter(gaps)
    gap = next(remaining, None)
    for time, value in zip(times, values, strict=True):
        while gap is not None and time > gap.start:
            moments += [milliseconds(gap.start), milliseconds(gap.start)]
            interrupted += [interrupted[-1] if interrupted else None, None]
            gap = next(remaining, None)
        moments.append(milliseconds(time))
        interrupted.append(_number(value, 5))
    return moments, interrupted


def _shaded(start: float, end: float) -> Figure:
    area = {"yref": "paper", "x0": start, "x1": end, "y0": 0, "y1": 1}
    looks = {"fillcolor": GREY, "opacity": 0.45, "line": {"width": 1, "color": GREY}}
    return {"type": "rect", "layer": "below", **area, **looks}


def _number(value: float, digits: int | None = None) -> float | None:
    """Return a number in some significant digits, which make the file smaller; None for NaN.

    >>> _number(0.00153648, 5), _number(math.nan, 5)
    (0.0015365, None)
    """
    if math.isnan(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")
