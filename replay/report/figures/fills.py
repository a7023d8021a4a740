"""Figures of orders and fills: how far orders came, and how the mid moved after fills."""

from math import floor, log10, sqrt
from typing import Final

from orderbook import display
from replay.palette import BLUE, GREY
from replay.report.collect.lanes import STAGES
from replay.report.figures.chart import NO_LEGEND, STYLES, Chart, Figure
from replay.report.figures.settings import COLOURS
from replay.report.figures.trading import TradedSubject
from replay.report.tables import Table
from replay.simulation.statistics import MarkoutDocument

_FEW: Final = 10
"""Below this number of fills a mean says nothing."""


def funnel_chart(subject: TradedSubject) -> Chart | None:
    """Return how many orders of the best setting were sent, accepted, rested and filled under each model.

    None if it sent none.
    """
    lane = subject.shown
    if lane is None or not lane.stages["sent"]:
        return None
    best = subject.best[0]
    counts = [lane.stages[stage] for stage in STAGES]
    few = {"dtick": 1} if counts[0] <= _FEW else {}
    sent, filled = counts[0], lane.stages[f"filled, {best.main.queue}"]
    least, most = (lane.stages[f"filled, {model}"] for model in ("back", "front"))
    bounds = f" ({least:,} to {most:,} by the place in the queue)" if least != most else ""
    colours = [GREY, GREY, BLUE, *COLOURS.values()]
    bars: Figure = {
        "type": "bar",
        "orientation": "h",
        "x": counts,
        "y": list(STAGES),
        "marker": {"color": colours},
        "text": list(map(display.count, counts)),
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{x:,} orders<extra></extra>",
    }
    refused = ", ".join(f"{count:,} {reason}" for reason, count in best.main.refused.items())
    return Chart(
        "funnel",
        f"{display.plural(sent, 'order')} sent, {display.count(filled)} filled{bounds}",
        f"Orders of {subject.who}, filled in part at least."
        + (f" Refused: {refused}." if refused else "")
        + " Back is the lower bound of what fills, front the upper one.",
        {
            "data": [bars],
            "layout": {
                "xaxis": {"title": {"text": "orders"}, "range": [0, 1.15 * sent]} | few,
                "yaxis": {"autorange": "reversed", "type": "category"},
                **NO_LEGEND,
            },
        },
        Table(
            "How far orders came",
            ("stage", "orders", "of those sent (%)"),
            [
                [stage, display.count(count), display.percent(count / sent)]
                for stage, count in zip(STAGES, counts, strict=True)
            ],
        ),
    )


def markout_chart(subject: TradedSubject) -> Chart | str | None:
    """Return how the mid moved after the fills of the best setting, with its spread and counts."""
    if not subject.best or not subject.best[0].main.fills:
        return None
    best = subject.best[0]
    known = {name: found.all for name, found in best.main.markouts.items()}
    most = max((found.fills for found in known.values()), default=0)
    if not most:
        return f"No fill of {subject.who} has a mark-out that is known."
    first, of_first = next(iter(known.items()))
    if most == 1:
        return f"{first} after the only fill of {subject.who} the mid was {_better(of_first)}."
    traces = []
    for place, (name, symbol) in enumerate((("maker", "circle"), ("taker", "square"))):
        found = {horizon: getattr(each, name) for horizon, each in best.main.markouts.items()}
        found = {horizon: each for horizon, each in found.items() if each.fills}
        if found:
            traces.append(_points(name, found, STYLES[place][0], symbol))
    few = f" {_FEW} fills or fewer say little: they are drawn hollow." if most <= _FEW else ""
    cells = [
        [
            horizon,
            name,
            display.count(found.fills),
            display.count(found.left_out),
            *map(display.significant, (found.mean_bps, found.standard_error_bps, _spread(found))),
            display.significant(found.mean_by_value_bps),
        ]
        for horizon, of_horizon in best.main.markouts.items()
        for name, found in (("maker", of_horizon.maker), ("taker", of_horizon.taker))
        if found.fills or found.left_out
    ]
    return Chart(
        "markouts",
        f"{first} after a fill the mid is {_better(of_first)}",
        f"Of {subject.who}, {display.plural(most, 'fill')} at most; bars: two standard errors, in the title"
        f" one.{few}",
        {
            "data": traces,
            "layout": {
                "xaxis": {
                    "type": "category",
                    "title": {"text": "time after the fill"},
                    "range": [-0.4, len(known) - 0.3],
                },
                "yaxis": {"title": {"text": "better for us (bps)"}, "rangemode": "tozero", "zeroline": True},
                "showlegend": True,
            },
        },
        Table(
            "Mark-outs of fills",
            (
                "after",
                "as",
                "fills",
                "left out",
                "mean (bps)",
                "standard error",
                "standard deviation",
                "by value (bps)",
            ),
            cells,
            text_columns=2,
        ),
    )


def _points(name: str, found: dict[str, MarkoutDocument], colour: str, symbol: str) -> Figure:
    counts = [each.fills for each in found.values()]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": list(found),
        "y": [each.mean_bps for each in found.values()],
        "text": [f"n={count:,}" for count in counts],
        "textposition": "middle right",
        "marker": {
            "color": colour,
            "size": 10,
            "symbol": [symbol + ("-open" if count <= _FEW else "") for count in counts],
        },
        "error_y": {
            "type": "data",
            "array": [2 * (each.standard_error_bps or 0) for each in found.values()],
            "color": colour,
            "thickness": 3,
            "width": 6,
        },
        "hovertemplate": f"%{{x}}: %{{y:.4~g}} bps, %{{text}}<extra>{name}</extra>",
    }


def _spread(found: MarkoutDocument) -> float | None:
    """Return the standard deviation of a fill's mark-out."""
    return None if found.standard_error_bps is None else found.standard_error_bps * sqrt(found.fills)


def _better(found: MarkoutDocument) -> str:
    """Return how much better or worse the mid was than the fills, in words."""
    mean, error, fills = found.mean_bps, found.standard_error_bps, display.plural(found.fills, "fill")
    if mean is None:
        return "not known"
    side = "worse" if mean < 0 else "better"
    if not error:
        return f"{display.significant(abs(mean))} bps {side} for us ({fills})"
    decimals = max(1 - floor(log10(error)), 0)
    return f"{abs(mean):,.{decimals}f} ±{error:,.{decimals}f} bps {side} for us ({fills})"
