"""Figures of the hours of the day, and of the quotes around an episode."""

from typing import Any, Final

from orderbook import display
from orderbook.thresholds import format_threshold
from replay.palette import BLUE
from replay.report.collect.episodes import AROUND_NS, Episode
from replay.report.collect.hours import HOURS, HourShares
from replay.report.figures.chart import NO_LEGEND, Chart, Figure, Subject
from replay.report.figures.series import milliseconds, number
from replay.report.figures.trading import plain
from replay.report.tables import episodes_table, hours_table, quotes_table

_HOUR_COLUMNS: Final = 6
_OBSERVED_S: Final = 300
"""Of an hour that was observed for a shorter time the share says little."""
_STEP: Final = (("previous", "Previous episode"), ("next", "Next episode"))


def hours_chart(subject: Subject) -> Chart | None:
    """Return the share above by hour of the day; None unless two were observed for some minutes."""
    if (
        subject.evidence is None
        or sum(second >= _OBSERVED_S for second in subject.evidence.hours.observed_s()) < 2
    ):
        return None
    hours = subject.evidence.hours
    reading = "Share of the observed time above, by UTC hour; empty where nothing was observed."
    title = _busiest_hour(hours, subject.detail or subject.evidence.episodes.threshold)
    return Chart("hours", title, reading, hours_figure(hours), hours_table(hours, _HOUR_COLUMNS))


def _busiest_hour(hours: HourShares, detail: float) -> str:
    """Return in which hour the spread was most often above the threshold in detail, or the middle one."""
    known = hours.thresholds
    place = known.index(detail) if detail in known else len(known) // 2
    shares = [0.0 if share is None else share for share in hours.shares()[place]]
    most = max(range(HOURS), key=shares.__getitem__)
    return (
        f"Above {format_threshold(known[place])} most often from {most:02d}:00 to"
        f" {(most + 1) % HOURS:02d}:00 UTC: {display.percent(shares[most])} % of the time"
    )


def hours_figure(hours: HourShares) -> Figure:
    """Return the share above by hour of the day: a heat map over thresholds, or bars for one threshold."""
    shares = [[None if part is None else part * 100 for part in row] for row in hours.shares()]
    seen = [hour for hour, second in enumerate(hours.observed_s()) if second]
    shown = range(min(seen, default=0), max(seen, default=HOURS - 1) + 1)
    shares = [[row[hour] for hour in shown] for row in shares]
    labels = [f"{hour:02d}" for hour in shown]
    axis = {"type": "category", "title": {"text": "hour of the day (UTC)"}}
    if len(shares) == 1:
        bars = {"type": "bar", "x": labels, "y": shares[0], "marker": {"color": BLUE}}
        value = {"title": {"text": "share of observed time (%)"}, "rangemode": "tozero"}
        return {"data": [bars], "layout": {"xaxis": axis, "yaxis": value, **NO_LEGEND}}
    cells = {
        "type": "heatmap",
        "x": labels,
        "y": [format_threshold(threshold).removesuffix(" bps") for threshold in hours.thresholds],
        "z": [[None if part is None else number(part, 4) for part in row] for row in shares],
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
    id_, detail = f"{subject.id}-book", subject.detail or episodes.threshold
    listed = "an episode" if len(subject.longest) == 1 else f"each of {len(subject.longest):,} episodes"
    return Chart(
        "book",
        f"Best bid and ask around {listed} above {format_threshold(detail)}",
        f"Shaded is the episode, with {AROUND_NS // 10**9} s before and after it on its connection. Choose"
        " one in the list below.",
        None,
        quotes_table(f"{id_}-quotes", subject.unit),
        _STEP,
        overview="spread",
        below=episodes_table(subject.longest, detail, episodes.count, id_),
    )


def episode_data(episode: Episode, unit: str) -> dict[str, Any]:
    """Return one episode as report.js draws it: seconds since its start, best bid and ask in a currency."""
    quotes = episode.quotes
    data: dict[str, Any] = {
        "start_ms": milliseconds(episode.start),
        "end_ms": milliseconds(episode.end),
        "seconds": episode.duration_ns / 1e9,
        "unit": plain(unit),
    }
    if quotes is not None:
        data["x"] = ((quotes.times - episode.start) / 1e9).round(6).tolist()
        data["bid"] = [number(value) for value in quotes.bids.tolist()]
        data["ask"] = [number(value) for value in quotes.asks.tolist()]
    return data
