"""The figure of what a strategy earns with each threshold."""

from collections.abc import Mapping
from typing import Final

from orderbook import display
from orderbook.execution.codes import QUEUE_MODELS
from orderbook.thresholds import format_threshold
from replay.comparing.profits import Profit
from replay.report.figures.by_threshold import against_thresholds
from replay.report.figures.chart import Chart, Subject
from replay.report.figures.settings import BAND, COLOURS, DASHES
from replay.report.figures.trading import plain
from replay.report.tables import Table

_NAMES: Final = {"back": "profit_back", "share": "profit", "front": "profit_front"}


def profit_chart(subject: Subject) -> Chart | str | None:
    """Return the profit by threshold, between those of the other queue models; None without a strategy."""
    rows = [row for row in subject.rows if row.threshold in subject.profits]
    if len(rows) < 2:
        return None
    if not any(subject.profits[row.threshold].fills for row in rows):
        return "The strategy was never filled, so there is no profit to draw."
    found = [subject.profits[row.threshold] for row in rows]
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": model,
            "x": [round(row.threshold * 1e4, 9) for row in rows],
            "y": [getattr(each, _NAMES[model]) for each in found],
            "line": {"color": COLOURS[model], "dash": DASHES[model], "width": 2},
            "marker": {
                "color": COLOURS[model],
                "size": 7,
                "symbol": ["circle" if each.fills else "circle-open" for each in found],
            },
            "cliponaxis": False,
            "hovertemplate": f"%{{x:g}} bps: %{{y:,.6~g}}<extra>{model}</extra>",
            **({"fill": "tonexty", "fillcolor": BAND} if place else {}),
        }
        for place, model in enumerate(QUEUE_MODELS)
    ]
    cells = [
        [
            format_threshold(row.threshold),
            *(display.significant(getattr(each, _NAMES[model])) for model in QUEUE_MODELS),
            "-" if each.fills is None else display.count(each.fills),
        ]
        for row, each in zip(rows, found, strict=True)
    ]
    return Chart(
        "profit",
        f"The strategy {best_threshold(subject.profits, subject.unit)}",
        "Net profit by threshold; the band is how much of it hangs on the place in the queue. Hollow: no"
        " fill.",
        {
            "data": lines,
            "layout": against_thresholds(rows, f"net ({plain(subject.unit)})", {"rangemode": "tozero"}),
        },
        Table(
            f"Net profit by threshold and queue model ({subject.unit})",
            ["threshold", *QUEUE_MODELS, "fills"],
            cells,
        ),
    )


def best_threshold(profits: Mapping[float, Profit], unit: str) -> str:
    """Return what the best threshold that was filled earned, without a subject."""
    filled = {each: found for each, found in profits.items() if found.fills and found.profit is not None}
    if not filled:
        return "was never filled"
    best = max(filled, key=lambda each: filled[each].profit or 0.0)
    found = filled[best]
    net = found.profit or 0.0
    bounds = display.bounds(found.profit_back, found.profit_front)
    text = (
        f"{display.profit(net, unit)} at best, above {format_threshold(best)} with"
        f" {display.plural(found.fills or 0, 'fill')} ({display.by_queue(bounds)})"
    )
    return text + ("; not trading was better" if net < 0 else "")
