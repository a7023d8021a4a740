"""Figures of numbers against the threshold, and of the episode durations above one threshold."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orderbook import display
from orderbook.thresholds import format_threshold
from replay.comparing.sweep.statistics import MarkOut, ThresholdStatistics
from replay.palette import BLUE
from replay.report.collect.episodes import BINS_PER_DECADE, LongestEpisodes
from replay.report.collect.evidence import evenly_chosen
from replay.report.figures.chart import NO_LEGEND, STYLES, Chart, Figure, Subject
from replay.report.figures.series import log_ticks
from replay.report.tables import duration_table, markout_table

_MAX_BARS: Final = 40
_MAX_MARKED: Final = 60
_FEW_EPISODES: Final = 10
"""Below this number of episodes their mean says little."""
_FEWEST_COUNTED: Final = 2
"""Fewer episodes need no counts by duration."""
_FEW: Final = 6
"""Up to this count the axis needs a tick at each integer."""


def share_chart(subject: Subject) -> Chart | str | None:
    """Return the share above against the threshold; None for a single threshold."""
    if len(subject.rows) < 2:
        return None
    if not any(row.signals for row in subject.rows):
        return (
            f"The spread was never above {format_threshold(subject.rows[0].threshold)}, the lowest threshold."
        )
    reading = "How much of the observed time the spread was above each threshold."
    high = next(row for row in reversed(subject.rows) if row.signals)
    low = next((row for row in subject.rows if (row.share or 0.0) < 1), high)  # all of the time says little
    told = (
        f"{display.percent(row.share)} % of the time above {format_threshold(row.threshold)}"
        for row in ((low, high) if low.threshold < high.threshold else (high,))
    )
    return Chart("share", ", ".join(told), reading, share_figure(subject.rows))


def share_figure(rows: Sequence[ThresholdStatistics]) -> Figure:
    """Return the share of observed time above against the threshold."""
    share = [None if row.share is None else row.share * 100 for row in rows]
    return {
        "data": [_line("share above", rows, share, 0, "%{y:.4~g} %")],
        "layout": against_thresholds(rows, "share of observed time (%)", {"rangemode": "tozero"}) | NO_LEGEND,
    }


def duration_chart(subject: Subject) -> Chart | None:
    """Return the episode durations against the threshold; None for a single threshold, or without any."""
    if len(subject.rows) < 2 or not any(row.episodes for row in subject.rows):
        return None
    reading = "An episode is a run of summaries above, within one connection. Logarithmic."
    longest = max((row.duration_max_s or 0.0 for row in subject.rows), default=0.0)
    title = f"Episodes lasted up to {display.seconds(longest)} s"
    return Chart("durations", title, reading, duration_figure(subject.rows))


def duration_figure(rows: Sequence[ThresholdStatistics]) -> Figure:
    """Return percentiles of the episode durations against the threshold."""
    # The axis is logarithmic: an episode of one summary at a connection's end lasts 0 s and cannot be shown.
    lines = [
        _line("longest", rows, [row.duration_max_s or None for row in rows], 0, "%{y:.4~g} s"),
        _line("p95", rows, [row.duration_p95_s or None for row in rows], 1, "%{y:.4~g} s"),
        _line("p50, the median", rows, [row.duration_p50_s or None for row in rows], 2, "%{y:.4~g} s"),
    ]
    return {
        "data": lines,
        "layout": against_thresholds(
            rows, "duration (s)", log_ticks([each for line in lines for each in line["y"]])
        ),
    }


def markout_chart(subject: Subject) -> Chart | str | None:
    """Return the mark-outs; None if none is known."""
    if all(each.mean_bps is None for row in subject.rows for each in row.markouts):
        return None
    most = max(each.episodes for row in subject.rows for each in row.markouts)
    if most == 1:
        return "One episode alone was followed long enough, so there are no mark-outs to draw."
    return Chart(
        "markouts",
        _moved(subject.rows, subject.detail),
        "The mid's change from each episode's start to a time after it; bars: two standard errors, in the"
        f" title one. Fewer than {_FEW_EPISODES} episodes say little: they have no line, and a hollow mark.",
        markout_figure(subject.rows),
        markout_table(subject.rows, subject.detail),
    )


def row_in_detail(rows: Sequence[ThresholdStatistics], detail: float | None) -> ThresholdStatistics | None:
    """Return the row of the threshold in detail; None if no row is at or above it.

    Of several thresholds with the same signals only the highest has a row, which stands for the others.
    """
    if detail is None:
        return None
    return next((each for each in rows if each.threshold >= detail), None)


def _moved(rows: Sequence[ThresholdStatistics], detail: float | None) -> str:
    """Return what the mark-outs of the threshold in detail, or of the lowest, say."""
    row = row_in_detail(rows, detail) or rows[0]
    known = [each for each in row.markouts if each.mean_bps is not None]
    if not known:
        return f"Mark-outs: no episode above {format_threshold(row.threshold)} was followed long enough"
    first = known[0]
    return (
        f"{first.horizon} after an episode above {format_threshold(row.threshold)} begins, the mid has moved"
        f" {display.with_error(first.mean_bps or 0.0, first.standard_error_bps)} bps"
        f" ({display.plural(first.episodes, 'episode')})"
    )


def markout_figure(rows: Sequence[ThresholdStatistics]) -> Figure:
    """Return the mean mark-outs with their standard errors: against the threshold, one line per horizon.

    If there is only one threshold: against the horizon.
    """
    title = "mean change of the mid (bps)"
    if len(rows) == 1:
        line = _markouts("mean", [markout.horizon for markout in rows[0].markouts], rows[0].markouts, 0)
        axis = {"type": "category", "title": {"text": "time after an episode's start"}}
        layout = {"xaxis": axis, "yaxis": {"title": {"text": title}}, **NO_LEGEND}
        return {"data": [line | {"mode": "markers"}], "layout": layout}
    shown = evenly_chosen(rows, _MAX_BARS)
    places = [round(row.threshold * 1e4, 9) for row in shown]
    lines = []
    for place in range(len(shown[0].markouts) if shown else 0):
        at_horizon = [row.markouts[place] for row in shown]
        style = place % len(STYLES)
        line = _markouts(at_horizon[0].horizon, places, at_horizon, style)
        firm = [each.mean_bps if each.episodes >= _FEW_EPISODES else None for each in at_horizon]
        looks = {"mode": "lines", "showlegend": False, "hoverinfo": "skip"}
        lines += [line, _line(at_horizon[0].horizon, shown, firm, style, "") | looks]
    return {"data": lines, "layout": against_thresholds(rows, title, {})}


def _markouts(name: str, places: Sequence[Any], found: Sequence[MarkOut], style: int) -> Figure:
    """Return mean mark-outs as marks, hollow of few episodes, with their errors and counts."""
    colour, _, symbol = STYLES[style]
    symbols = [symbol + ("-open" if each.episodes < _FEW_EPISODES else "") for each in found]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": places,
        "y": [each.mean_bps for each in found],
        "text": [display.plural(each.episodes, "episode") for each in found],
        "marker": {"color": colour, "symbol": symbols, "size": 7},
        "error_y": {
            "type": "data",
            "array": [None if (error := each.standard_error_bps) is None else 2 * error for each in found],
            "color": colour,
            "thickness": 1,
            "width": 3,
        },
        "hovertemplate": f"%{{x}}: %{{y:.4~g}} bps of %{{text}}<extra>{name}</extra>",
    }


def histogram_chart(subject: Subject) -> Chart | None:
    """Return the counts of episodes by duration of a single threshold; None if there are no episodes."""
    if subject.evidence is None or len(subject.longest) < _FEWEST_COUNTED or len(subject.rows) > 1:
        return None
    episodes, (row,) = subject.evidence.episodes, subject.rows
    return Chart(
        "histogram",
        f"Half of the episodes above {format_threshold(row.threshold)} lasted up to"
        f" {display.seconds(row.duration_p50_s)} s, the longest {display.seconds(row.duration_max_s)} s",
        f"{display.count(episodes.count)} in all, counted by duration.",
        histogram_figure(episodes),
        duration_table(duration_counts(episodes)),
    )


def histogram_figure(episodes: LongestEpisodes) -> Figure:
    """Return a histogram of the episode durations above the threshold in detail."""
    found = duration_counts(episodes)
    labels, counts = [name for name, _ in found], [count for _, count in found]
    bars: Figure = {"type": "bar", "x": labels, "y": counts, "marker": {"color": BLUE}}
    bars |= {"text": counts, "textposition": "outside", "cliponaxis": False}
    few = {"dtick": 1} if max(counts, default=0) <= _FEW else {}
    return {
        "data": [bars],
        "layout": {
            "xaxis": {"type": "category", "title": {"text": "duration, from (s)"}},
            "yaxis": {"title": {"text": "episodes"}, "rangemode": "tozero", **few},
            **NO_LEGEND,
        },
    }


def duration_counts(episodes: LongestEpisodes) -> list[tuple[str, int]]:
    """Return the lower edge of each duration bin in seconds, as text, and the number of episodes in it."""
    found = episodes.durations
    bins = [number for number in found if number is not None]
    between = range(min(bins), max(bins) + 1) if bins else range(0)
    counts = [(f"{10 ** (number / BINS_PER_DECADE):.3g}", found[number]) for number in between]
    return [("0", found[None]), *counts] if found[None] else counts


def against_thresholds(rows: Sequence[ThresholdStatistics], title: str, axis: Mapping[str, Any]) -> Figure:
    """Return a layout with thresholds to the right, logarithmic if they are at equal ratios."""
    # Thresholds at equal ratios crowd at the left of a linear axis; their middle one is far from its middle.
    is_linear = not rows or not rows[0].threshold or rows[len(rows) // 2].threshold * 4 > rows[-1].threshold
    scale = {} if is_linear else log_ticks([row.threshold * 1e4 for row in rows])
    return {
        "xaxis": {"title": {"text": "threshold (bps)"}, **scale},
        "yaxis": {"title": {"text": title}, **axis},
    }


def _line(
    name: str, rows: Sequence[ThresholdStatistics], values: Sequence[float | None], style: int, shown: str
) -> Figure:
    colour, dash, symbol = STYLES[style]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(rows) <= _MAX_MARKED else "lines",
        "name": name,
        "x": [round(row.threshold * 1e4, 9) for row in rows],
        "y": values,
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "symbol": symbol, "size": 7},
        "hovertemplate": f"%{{x:g}} bps: {shown}<extra>{name}</extra>",
    }
