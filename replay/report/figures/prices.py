"""The figure of prices and spread over the whole time."""

from typing import Final

from orderbook import display
from orderbook.execution.numbers import UNITS
from replay.palette import BLUE, ORANGE
from replay.report.collect.evidence import Evidence, evenly_chosen
from replay.report.figures.chart import Chart, Figure, Subject
from replay.report.figures.marks import named, seen_marks
from replay.report.figures.series import (
    ZOOM,
    interrupted,
    line,
    price_axis,
    seconds_of,
    shaded,
    shading,
    time_axis,
)
from replay.report.figures.trading import plain
from replay.report.tables import gaps_table, spread_table

_MAX_LINES: Final = 7
_MOST_ABOVE: Final = 3
"""A threshold that is more than this times the largest spread is not drawn: it would flatten the spread."""


def spread_chart(subject: Subject) -> Chart | str | None:
    """Return prices and spread over time, with the times without a book below; None without evidence."""
    evidence = subject.evidence
    if evidence is None:
        return None
    spreads, gaps = evidence.spreads, evidence.gaps.found()
    _, values = spreads.points()
    if not len(values):
        return "No book with both sides was known, so there are no prices to draw."
    kept, trades = len(evidence.trades.trades()), evidence.trades.seen
    part = "" if kept == trades else f"{kept:,} of "
    said = f" {part}{display.plural(trades, 'trade')}: a circle if the taker bought, a square if it sold."
    drawn = said if trades else ""
    return Chart(
        "spread",
        f"Prices, and a spread of up to {display.bps(float(values.max()))} bps",
        f"Above: lowest bid to highest ask in each {seconds_of(evidence.quotes.width_ns)}. Below: smallest"
        f" and largest spread in each {seconds_of(spreads.width_ns)}, of {display.count(spreads.seen)}"
        f" summaries. Orange lines are thresholds, the solid one is shown in detail.{drawn}{shading(gaps)}",
        spread_figure(subject, evidence),
        spread_table(spreads),
        ZOOM,
        below=gaps_table(gaps) if gaps else None,
        folded="Interruptions",
        is_tall=True,
    )


def spread_figure(subject: Subject, evidence: Evidence) -> Figure:
    """Return prices and spread, with thresholds as lines (the one in detail solid) and gaps shaded."""
    times, values = evidence.spreads.points()
    gaps, drawn = evidence.gaps.found(), seen_marks(subject)
    detail = evidence.episodes.threshold if subject.detail is None else subject.detail
    highest = _MOST_ABOVE * values.max(initial=0.0)
    thresholds = [row.threshold for row in subject.rows]
    near = [each for each in evenly_chosen(thresholds, _MAX_LINES) if each <= highest]
    shown = [detail] if detail <= highest else []
    for each in near:  # so far apart that their labels do not overlap
        if all(abs(each - other) > max(values.max(initial=0.0), *near) / 9 for other in shown):
            shown.append(each)
    shapes, notes = shaded(gaps), []
    for each in shown:
        y, width, dash = each * 1e4, *((2, "solid") if each == detail else (1, "dot"))
        style = {"color": ORANGE, "width": width, "dash": dash}
        place = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y2", "y0": y, "y1": y}
        shapes.append({**place, "line": style})
        label = {"x": 1, "xanchor": "left", "y": y, "text": f"{y:.4g} bps", "showarrow": False}
        notes.append({"xref": "paper", "yref": "y2", **label})
    spread = line("spread", *interrupted(times, values * 1e4, gaps, 5), BLUE, "solid")
    spread["line"] |= {"width": 1}
    return {
        "data": [
            *named(drawn),
            spread | {"yaxis": "y2", "hovertemplate": "%{x}: %{y:.4~g} bps<extra></extra>"},
        ],
        "layout": {
            "xaxis": time_axis(times, "y2"),
            "yaxis": {
                "domain": [0.45, 1],
                **price_axis(plain(subject.unit), drawn.values(), _tick(evidence)),
            },
            "yaxis2": {
                "domain": [0, 0.38],
                "title": {"text": "spread (bps)", "standoff": 10},
                "rangemode": "tozero",
            },
            "shapes": shapes,
            "annotations": notes,
            "margin": {"r": 88},
            "showlegend": False,
        },
    }


def _tick(evidence: Evidence) -> float | None:
    """Return the smallest step of prices, if a book was kept."""
    return evidence.depth.tick() / UNITS if evidence.depth.is_begun else None
