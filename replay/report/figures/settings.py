"""Figures by setting: net profit with its bounds, and over two settings that are swept."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orderbook import display
from orderbook.execution.codes import QUEUE_MODELS, QueueModel
from orderbook.time_input import parse_duration
from replay.palette import BLUE, GREEN, ORANGE
from replay.report.collect.evidence import evenly_chosen
from replay.report.figures.chart import NO_LEGEND, Chart, Figure
from replay.report.figures.trading import Setting, TradedSubject, plain
from replay.report.tables import Table
from replay.simulation.settings import LATENCY

COLOURS: Final = {"back": ORANGE, "share": BLUE, "front": GREEN}
DASHES: Final = {"back": "dash", "share": "solid", "front": "dot"}
BAND: Final = "rgba(125,136,148,0.25)"
_MOST_SETTINGS: Final = 60
_MOST_TICKS: Final = 12


def net_chart(subject: TradedSubject) -> Chart | str | None:
    """Return the profit by setting, between those of the other queue models; None for one setting."""
    compared = subject.compared
    if len(compared) < 2:
        return None
    if not any(row.orders for each in compared for row in each.rows.values()):
        return None
    if not subject.is_filled:
        return "No setting was filled, so there is no profit to draw."
    shown = evenly_chosen(compared, _MOST_SETTINGS)
    models = [model for model in QUEUE_MODELS if model in shown[0].rows]
    places = range(len(shown))
    ticks = places[:: -(-len(places) // _MOST_TICKS)]
    names = [each.short(subject.swept) for each in shown]
    labels = {"tickvals": list(ticks), "ticktext": [names[place] for place in ticks]}
    labels |= {"range": [-0.5, len(shown) - 0.5], "zeroline": False}
    axis = {"title": {"text": plain(subject.axis)}, **labels}
    figure = _lines(list(places), shown, models, axis, subject.unit)
    for trace in figure["data"]:
        trace |= {"text": names, "hovertemplate": trace["hovertemplate"].replace("%{x}", "%{text}")}
    cells = [[each.label, *(display.significant(each.rows[model].net) for model in models)] for each in shown]
    part = "" if len(shown) == len(compared) else f" {len(shown)} of {len(compared):,}, evenly chosen."
    profitable = sum((each.main.net or 0) > 0 for each in compared)
    unfilled = sum(not each.main.fills for each in compared)
    idle = f", {unfilled:,} had no fill" if unfilled else ""
    return Chart(
        "net",
        f"{profitable:,} of {display.plural(len(compared), 'setting')} made a profit{idle}{subject.at}",
        _reading(models) + (" Hollow: no fill." if unfilled else "") + part,
        figure,
        Table("Net profit by setting and queue model", [subject.axis, *models], cells),
    )


def latency_chart(subject: TradedSubject) -> Chart | None:
    """Return the profit of the best setting against the latency; None for one latency, or without a fill."""
    if subject.latency is None or not subject.best:
        return None
    best = subject.best[0].values
    found = [
        each
        for each in subject.settings
        if all(each.values.get(name) == best.get(name) for name in subject.swept)
    ]
    if not any(row.fills for each in found for row in each.rows.values()):
        return None
    models = [model for model in QUEUE_MODELS if model in found[0].rows]
    durations = [_milliseconds(str(each.values[LATENCY])) for each in found]
    is_time = None not in durations
    places: Sequence[Any] = durations if is_time else [str(each.values[LATENCY]) for each in found]
    axis = {
        "title": {"text": "latency (ms)" if is_time else "latency"},
        **({} if is_time else {"type": "category"}),
    }
    cells = [
        [str(each.values[LATENCY]), *(display.significant(each.rows[model].net) for model in models)]
        for each in found
    ]
    with_best = ", ".join(f"{name}={best.get(name)}" for name in subject.swept)
    return Chart(
        "latency",
        f"Net {_by_latency(found, subject.unit)}"
        f"{f', with {display.printable(with_best, 60)}' if with_best else ''}",
        _reading(models),
        _lines(places, found, models, axis, subject.unit),
        Table("Net profit by latency and queue model", ["latency", *models], cells),
    )


def profit_map(subject: TradedSubject) -> Chart | None:
    """Return the profit over two swept settings, or one and the latency.

    None unless there are two, and a setting was filled under the main queue model.
    """
    names, settings = subject.swept, subject.compared
    if len(names) == 1 and subject.latency is not None:
        names, settings = [*names, LATENCY], subject.settings
    if len(names) != 2 or not any(each.main.fills for each in settings):
        return None
    columns, rows = (_distinct(settings, name) for name in names)
    # A setting without a fill has no colour: its 0 is no result.
    nets = {
        tuple(str(each.values.get(name)) for name in names): each.main.net if each.main.fills else None
        for each in settings
    }
    cells = [[nets.get((column, row)) for column in columns] for row in rows]
    empty = " Empty: no fill." if any(None in line for line in cells) else ""
    across, up = names
    at = subject.at if LATENCY not in names else ""
    model = subject.settings[0].main.queue
    return Chart(
        "map",
        f"Net profit over {across} and {up}: {_extremes(settings, names, subject.unit)}",
        f"Under the queue model {model}{at}. A good setting whose neighbours are bad is luck.{empty}",
        {
            "data": [
                {
                    "type": "heatmap",
                    "x": list(map(plain, columns)),
                    "y": list(map(plain, rows)),
                    "z": cells,
                    "zmid": 0,
                    "colorscale": [[0, ORANGE], [0.5, "#f2f2f2"], [1, BLUE]],
                    "hoverongaps": False,
                    "colorbar": {
                        "title": {"text": f"net ({plain(subject.unit)})"},
                        "thickness": 12,
                        "outlinewidth": 0,
                    },
                    "hovertemplate": "%{x}, %{y}: %{z:,.4~g}<extra></extra>",
                }
            ],
            "layout": {
                "xaxis": {"type": "category", "title": {"text": plain(across)}},
                "yaxis": {"type": "category", "title": {"text": plain(up)}},
            },
        },
        Table(
            f"Net profit, {model}",
            [f"{up} / {across}", *columns],
            [[row, *map(display.significant, line)] for row, line in zip(rows, cells, strict=True)],
        ),
    )


def _extremes(settings: Sequence[Setting], names: Sequence[str], unit: str) -> str:
    """Return the smallest and the largest net that were filled, and where the largest is."""
    found = [each for each in settings if each.main.fills and each.main.net is not None]
    if not found:
        return "not known"
    low, high = (pick(found, key=lambda each: each.main.net or 0.0) for pick in (min, max))
    place = ", ".join(f"{name}={display.printable(str(high.values.get(name)), 40)}" for name in names)
    least = "" if low is high else f"{display.significant(low.main.net)} to "
    return f"{least}{display.significant(high.main.net)} {unit}, the most at {place}"


def _by_latency(found: Sequence[Setting], unit: str) -> str:
    """Return the net at the first and the last latency."""
    ends = (found[0], found[-1])
    return ", ".join(
        f"{display.significant(each.main.net)} {unit} at {each.values[LATENCY]}" for each in ends
    )


def _lines(
    places: Sequence[Any],
    settings: Sequence[Setting],
    models: Sequence[QueueModel],
    axis: Mapping[str, Any],
    unit: str,
) -> Figure:
    """Return the net profit as a line for each queue model, the band between them shaded."""
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": model,
            "x": places,
            "y": [each.rows[model].net for each in settings],
            "line": {"color": COLOURS[model], "dash": DASHES[model], "width": 2},
            "marker": {
                "color": COLOURS[model],
                "size": 7,
                "symbol": ["circle" if each.rows[model].fills else "circle-open" for each in settings],
            },
            "cliponaxis": False,
            "hovertemplate": f"%{{x}}: %{{y:,.6~g}}<extra>{model}</extra>",
            **({"fill": "tonexty", "fillcolor": BAND} if place else {}),
        }
        for place, model in enumerate(models)
    ]
    layout = {
        "xaxis": axis,
        "yaxis": {"title": {"text": f"net ({plain(unit)})"}, "rangemode": "tozero"},
        "showlegend": True,
    }
    return {"data": lines, "layout": layout | ({} if len(models) > 1 else NO_LEGEND)}


def _reading(models: Sequence[QueueModel]) -> str:
    if len(models) > 1:
        return "The band is how much of it hangs on the place in the queue, which the feed does not say."
    return "Run with --queue back,share,front to see how much of it hangs on the queue."


def _distinct(settings: Sequence[Setting], name: str) -> list[str]:
    return list(dict.fromkeys(str(each.values.get(name)) for each in settings))


def _milliseconds(text: str) -> float | None:
    """Return a latency in milliseconds; None of a model that is no duration."""
    if re.fullmatch(r"[0-9.]+ ?[a-z]+", text) is None:
        return None
    return parse_duration(text) * 1e3
