"""Figures over time: the spread, the hours of the day, the quotes around an episode."""

import math
from collections.abc import Sequence
from typing import Any, Final

from orderbook.threshold import format_threshold
from replay.report.episodes import Episode
from replay.report.gaps import Gap
from replay.report.gathering import Evidence, spread_out
from replay.report.hours import HOURS, HourShares
from replay.report.style import BLUE, GREY, NO_LEGEND, ORANGE, Figure

_MAX_LINES: Final = 7


def spread_figure(evidence: Evidence, thresholds: Sequence[float]) -> Figure:
    """Return the spread over time; thresholds as lines, the one in detail solid, gaps shaded."""
    times, values = evidence.spreads.points()
    gaps = evidence.gaps.found()
    moments, spreads = _broken(times.tolist(), (values * 1e4).tolist(), gaps)
    detail = evidence.episodes.threshold
    lines = _apart(spread_out(thresholds, _MAX_LINES), detail)
    shapes = [_shaded(milliseconds(gap.start), milliseconds(gap.end)) for gap in gaps]
    notes = []
    for line in lines:
        shape = {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": line * 1e4,
            "y1": line * 1e4,
            "line": {
                "color": ORANGE,
                "width": 2 if line == detail else 1,
                "dash": "solid" if line == detail else "dot",
            },
        }
        shapes.append(shape)
        notes.append(
            {
                "xref": "paper",
                "x": 1,
                "xanchor": "left",
                "y": line * 1e4,
                "text": f"{line * 1e4:.4g} bps",
                "showarrow": False,
            }
        )
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": moments,
        "y": spreads,
        "line": {"color": BLUE, "width": 1, "shape": "hv"},
        "connectgaps": False,
        "hovertemplate": "%{x|%Y-%m-%d %H:%M:%S.%L}<br>%{y:.3f} bps<extra></extra>",
    }
    return {
        "data": [trace],
        "layout": {
            "xaxis": {"type": "date", "title": {"text": "time (UTC)"}},
            "yaxis": {"title": {"text": "relative spread (bps)"}},
            "shapes": shapes,
            "annotations": notes,
            "margin": {"r": 64},
            "showlegend": False,
        },
    }


def hours_figure(hours: HourShares) -> Figure:
    """Return the share above by hour of the day: a map over the thresholds, bars where there is one."""
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
        "z": [[None if part is None else round(part, 4) for part in row] for row in shares],
        "colorscale": "Cividis",
        "zmin": 0,
        "hoverongaps": False,
        "colorbar": {"title": {"text": "% above"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": "%{x} h, %{y} bps: %{z:.2f} %<extra></extra>",
    }
    value = {"type": "category", "title": {"text": "threshold (bps)"}}
    return {"data": [cells], "layout": {"xaxis": axis, "yaxis": value}}


def episode_data(episode: Episode) -> dict[str, Any]:
    """Return what report.js draws of one episode: seconds since its start, best bid and ask."""
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
    """Return a time in ms since 1970, to the microsecond: what Plotly's dates are made of."""
    return round(time_ns / 1e6, 3)


def _apart(thresholds: Sequence[float], detail: float) -> list[float]:
    """Return the one in detail, and those far enough from it that their names do not touch."""
    distance = (max(thresholds, default=0.0) - min(thresholds, default=0.0)) / (2 * _MAX_LINES)
    return [detail, *(each for each in thresholds if abs(each - detail) > distance)]


def _broken(
    times: Sequence[int], values: Sequence[float], gaps: Sequence[Gap]
) -> tuple[list[float], list[float | None]]:
    """Return the points with a hole wherever a gap lies between two of them."""
    moments: list[float] = []
    broken: list[float | None] = []
    ahead = iter(gaps)
    gap = next(ahead, None)
    for time, value in zip(times, values, strict=True):
        while gap is not None and time > gap.start:
            moments += [milliseconds(gap.start), milliseconds(gap.start)]
            broken += [broken[-1] if broken else None, None]
            gap = next(ahead, None)
        moments.append(milliseconds(time))
        broken.append(_number(value, 4))
    return moments, broken


def _shaded(start: float, end: float) -> Figure:
    return {
        "type": "rect",
        "layer": "below",
        "yref": "paper",
        "x0": start,
        "x1": end,
        "y0": 0,
        "y1": 1,
        "fillcolor": GREY,
        "opacity": 0.45,
        "line": {"width": 1, "color": GREY},
    }


def _number(value: float, digits: int | None = None) -> float | None:
    if math.isnan(value):
        return None
    return value if digits is None else round(value, digits)
