"""The figure of the money of the best settings over time: equity and drawdown."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from orderbook import display
from replay.comparing.sweep.order_statistics import Floats
from replay.report.collect.gaps import Gap
from replay.report.collect.lanes import LaneEvidence
from replay.report.figures.chart import STYLES, Chart, Figure
from replay.report.figures.series import band, interrupted, line, shaded, shading, time_axis
from replay.report.figures.settings import BAND
from replay.report.figures.trading import Setting, TradedSubject, plain
from replay.report.tables import Table

_BANDS: Final = {"yaxis": [0.42, 1.0], "yaxis2": [0.0, 0.34]}


def equity_chart(subject: TradedSubject) -> Chart | str | None:
    """Return equity and drawdown of the best settings, with the band of the queue models around the best.

    None if none was filled.
    """
    if subject.evidence is None or not subject.best or not subject.is_filled:
        return None
    # One without a fill has no money to draw; the best one is first, and may be filled by another model only.
    filled = [subject.best[0], *(each for each in subject.best[1:] if each.main.fills)]
    drawn = _drawn(filled)
    gaps = subject.evidence.gaps.found()
    traces: list[Figure] = []
    if len(subject.best[0].lanes) > 1:
        traces.append(_models(subject.best[0], gaps))
    for place, (setting, lane) in enumerate(drawn):
        times, values = lane.equity()
        colour, dash, _ = STYLES[place % len(STYLES)]
        for axis, y in (("y", values), ("y2", _drawdown(values, lane.start))):
            trace = line(setting.plot_label, *interrupted(times, y, gaps), colour, dash)
            extra = {"yaxis": axis, "showlegend": axis == "y", "legendgroup": str(place)}
            traces.append(
                trace | extra | {"hovertemplate": "%{x}: %{y:,.6~g}<extra>%{fullData.name}</extra>"}
            )
    unit = subject.unit
    titles = {"yaxis": f"equity ({plain(unit)})", "yaxis2": f"drawdown<br>({plain(unit)})"}
    axes = {name: {"domain": domain, "title": {"text": titles[name]}} for name, domain in _BANDS.items()}
    cells = [
        [
            each.label,
            *map(display.significant, (each.main.net, each.main.drawdown, each.main.sharpe)),
            *map(display.significant, (each.main.position_min, each.main.position_max)),
        ]
        for each in filled
    ]
    best = subject.best[0]
    which = f", of the best {len(filled)} that were filled" if len(filled) > 1 else ""
    alike = len(filled) - len(drawn)
    which += f"; {alike} more of the same equity {'is' if alike == 1 else 'are'} not drawn" if alike else ""
    shaded_band = (
        " The band is the best setting under all queue models." if len(subject.best[0].lanes) > 1 else ""
    )
    return Chart(
        "equity",
        f"Equity, with a drawdown of {display.significant(best.main.drawdown)} {unit} at most"
        + (f" for {best.label}" if len(subject.compared) > 1 else ""),
        f"Cash and position at the mid{which}.{shaded_band}{shading(gaps)}",
        {
            "data": traces,
            "layout": {
                "xaxis": time_axis(subject.evidence.quotes.points()[0], "y2"),
                **axes,
                "shapes": shaded(gaps),
                "showlegend": True,
            },
        },
        Table(
            "The best settings",
            (
                *("setting", f"net ({unit})", f"drawdown ({unit})", "Sharpe"),
                *(f"least held ({subject.base})", f"most held ({subject.base})"),
            ),
            cells,
        ),
        is_tall=True,
    )


def _drawn(settings: Sequence[Setting]) -> list[tuple[Setting, LaneEvidence]]:
    """Return the settings whose equity is not that of one before, whose line would hide theirs."""
    found: dict[bytes, tuple[Setting, LaneEvidence]] = {}
    for each in settings:
        if (lane := each.main_lane) is not None:
            times, values = lane.equity()
            found.setdefault(times.tobytes() + values.tobytes(), (each, lane))
    return list(found.values())


def _models(setting: Setting, gaps: list[Gap]) -> Figure:
    """Return the band from the lowest to the highest equity of a setting under the queue models."""
    found = [lane.equity() for lane in setting.lanes.values()]
    times = np.unique(np.concatenate([each for each, _ in found]))
    held = np.array([_held(times, *each) for each in found])
    known = ~np.isnan(held).any(axis=0)
    held = held[:, known]
    x, y = band(times[known], held.min(axis=0), held.max(axis=0), gaps) if known.any() else ([], [])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "back to front",
        "x": x,
        "y": y,
        "fill": "toself",
        "fillcolor": BAND,
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _held(times: np.ndarray, own: np.ndarray, values: Floats) -> Floats:
    """Return the last value at or before each time; NaN before the first."""
    places = np.searchsorted(own, times, side="right") - 1
    return np.where(places >= 0, values[np.maximum(places, 0)], np.nan)


def _drawdown(equity: Floats, start: float) -> Floats:
    """Return how far equity is below its highest before, its start included."""
    return equity - np.fmax.accumulate(np.fmax(equity, start)) if len(equity) else equity
