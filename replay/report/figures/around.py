"""The figure of how flat the optimum is: what the settings around the best one come to."""

from collections.abc import Sequence
from typing import Final

from orderbook import display
from replay.report.figures.chart import STYLES, Chart, Figure
from replay.report.figures.trading import TradedSubject, plain
from replay.report.tables import Table
from replay.simulation.neighbours import Nearest, NearPoint, NeighbourPoint, Neighbours
from replay.simulation.settings import LATENCY

_STEPS: Final = 10
"""Steps to each side of the best setting."""
_NAMED: Final = 2
"""Most neighbours that the title names one by one."""


def around_chart(subject: TradedSubject) -> Chart | None:
    """Return the profit around the best setting; None if there is no setting beside it."""
    if subject.nearest is not None and subject.nearest.points:
        return _nearest_chart(subject, subject.nearest)
    found = [each for each in subject.neighbours if each.name != LATENCY]
    if not found:
        return None
    unfilled = _unfilled(subject)
    cells = [
        [
            each.name,
            point.at + (" (best)" if point.setting == each.setting else ""),
            display.significant(point.value) + " (no fill)" * (point.setting in unfilled),
        ]
        for each in found
        for point in each.points[_first(each) : _last(each)]
    ]
    return Chart(
        "around",
        _title(subject, found),
        "One setting is moved a step at a time, the others stay. A peak that its neighbours do not share"
        " is luck." + (" Hollow: no fill." if unfilled else ""),
        {
            "data": [_line(each, place, unfilled) for place, each in enumerate(found)],
            "layout": {
                "xaxis": {"title": {"text": "steps from the best"}, "dtick": 1, "zeroline": False},
                "yaxis": {"title": {"text": f"net ({plain(subject.unit)})"}, "rangemode": "tozero"},
                "showlegend": True,
            },
        },
        Table("Net profit around the best setting", ["setting", "value", "net"], cells, text_columns=2),
    )


def _title(subject: TradedSubject, found: list[Neighbours]) -> str:
    """Return what the best setting and the two beside it come to, or those of all settings in a range."""
    best = subject.best[0]
    beside = [
        each.points[place]
        for each in found
        for place in (each.place - 1, each.place + 1)
        if 0 <= place < len(each.points)
    ]
    unfilled = _unfilled(subject)
    nets = [
        f"{display.significant(each.value)} at {each.at}{' (no fill)' * (each.setting in unfilled)}"
        for each in beside
    ]
    said = ", ".join(nets) if len(nets) <= _NAMED else _range(beside)
    return f"Next to {best.label} ({display.significant(best.main.net)} {subject.unit}): {said}"


def _range(points: Sequence[NeighbourPoint] | Sequence[NearPoint]) -> str:
    values = [each.value for each in points if each.value is not None]
    if not values:
        return "none is known"
    return f"{display.significant(min(values))} to {display.significant(max(values))}"


def _unfilled(subject: TradedSubject) -> set[int]:
    """Return the settings without a fill under the model by which the best is chosen."""
    return {each.main.setting for each in subject.settings if not each.main.fills}


def _line(found: Neighbours, place: int, unfilled: set[int]) -> Figure:
    """Return the profit along one setting."""
    colour, dash, marker = STYLES[place % len(STYLES)]
    points = found.points[_first(found) : _last(found)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(found.name),
        "x": [number - found.place for number in range(_first(found), _last(found))],
        "y": [each.value for each in points],
        "text": [plain(f"{found.name}={each.at}") for each in points],
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {
            "color": colour,
            "symbol": [marker + "-open" * (each.setting in unfilled) for each in points],
            "size": 7,
        },
        "cliponaxis": False,
        "hovertemplate": "%{text}: %{y:,.6~g}<extra></extra>",
    }


def _first(found: Neighbours) -> int:
    return max(0, found.place - _STEPS)


def _last(found: Neighbours) -> int:
    return min(len(found.points), found.place + _STEPS + 1)


def _nearest_chart(subject: TradedSubject, nearest: Nearest) -> Chart:
    """Return the profit of the nearest settings by their distance, where hardly two differ in one value."""
    best = subject.best[0]
    labels = {each.main.setting: each.label for each in subject.compared}
    colour, _, marker = STYLES[0]
    points: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": [0.0, *(each.distance * 100 for each in nearest.points)],
        "y": [best.main.net, *(each.value for each in nearest.points)],
        "text": [
            plain(labels[each]) for each in (nearest.setting, *(each.setting for each in nearest.points))
        ],
        "marker": {"color": colour, "symbol": marker, "size": 9},
        "hovertemplate": "%{text}: %{y:,.6~g}<extra></extra>",
    }
    cells = [
        [labels[each.setting], display.percent(each.distance), display.significant(each.value)]
        for each in nearest.points
    ]
    return Chart(
        "around",
        f"The {len(nearest.points)} settings nearest to {best.label}: net {_range(nearest.points)}"
        f" {subject.unit}",
        "The distance is the largest difference in any setting. A peak that they do not share is luck.",
        {
            "data": [points],
            "layout": {
                "xaxis": {"title": {"text": "distance (% of the range that was tried)"}, "zeroline": False},
                "yaxis": {"title": {"text": f"net ({plain(subject.unit)})"}, "rangemode": "tozero"},
                "showlegend": False,
            },
        },
        Table("The settings nearest to the best", ["setting", "distance (%)", "net"], cells),
    )
