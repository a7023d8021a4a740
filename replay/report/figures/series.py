"""Series over time as Plotly takes them: times, steps, lines that end where nothing is known, shaded gaps."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from orderbook.times import NS
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.palette import GREY
from replay.report.collect.gaps import Gap
from replay.report.figures.chart import Figure

_FEW_TICKS: Final = 6
_FEW_DECADES: Final = 3
"""A logarithmic axis of more decades has a tick at powers of ten alone."""
TIME_AXIS: Final = {"type": "date", "title": {"text": "time (UTC)"}, "ticklabelstandoff": 6}
"""Its labels keep clear of the lowest one of the axis at the left."""
ZOOM: Final = (
    ("earlier", "Earlier"),
    ("later", "Later"),
    ("in", "Zoom in"),
    ("out", "Zoom out"),
    ("all", "Whole time"),
)


def milliseconds(time_ns: int) -> float:
    """Return a time in milliseconds since 1970, to the microsecond, as Plotly's date axes take it."""
    return round(time_ns / 1e6, 3)


def number(value: float, digits: int | None = None) -> float | None:
    """Return a number in some significant digits, which make the file smaller; None for NaN.

    >>> number(0.00153648, 5), number(math.nan, 5)
    (0.0015365, None)
    """
    if math.isnan(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")


def pieces(times: Ints, gaps: Sequence[Gap]) -> list[slice]:
    """Return the places of a series between gaps, so that no line crosses one."""
    ends = np.searchsorted(times, [gap.end for gap in gaps]).tolist()
    borders = [0, *ends, len(times)]
    return [slice(*pair) for pair in itertools.pairwise(borders) if pair[0] < pair[1]]


def interrupted(
    times: Ints, values: Floats, gaps: Sequence[Gap], digits: int | None = None
) -> tuple[list[float | None], list[float | None]]:
    """Return x and y of a line that ends at each gap; a value holds until the gap begins."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place in pieces(times, gaps):
        x += [milliseconds(each) for each in times[place].tolist()]
        y += [number(each, digits) for each in values[place].tolist()]
        if (after := next((gap for gap in gaps if gap.start >= times[place][-1]), None)) is not None:
            x += [milliseconds(after.start), None]
            y += [y[-1], None]
    return x, y


def band(
    times: Ints, lows: Floats, highs: Floats, gaps: Sequence[Gap]
) -> tuple[list[float | None], list[float | None]]:
    """Return x and y of the outline of a band: a closed one for each piece between gaps, in steps."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place in pieces(times, gaps):
        part = times[place].tolist()
        after = next((gap.start for gap in gaps if gap.start >= part[-1]), part[-1])
        moments = [milliseconds(each) for each in [*part, after]]
        steps = [moment for pair in itertools.pairwise(moments) for moment in pair]
        upper = np.repeat(highs[place], 2).tolist()
        lower = np.repeat(lows[place], 2).tolist()
        x += [*steps, *reversed(steps), None]
        y += [*upper, *reversed(lower), None]
    return x, y


def line(name: str, x: Sequence[float | None], y: Sequence[float | None], colour: str, dash: str) -> Figure:
    """Return a line in steps: a value holds until the next one."""
    style = {"color": colour, "dash": dash, "width": 2, "shape": "hv"}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": style}


def shaded(gaps: Sequence[Gap]) -> list[Figure]:
    """Return the times without a book as shaded areas."""
    looks = {"fillcolor": GREY, "opacity": 0.45, "line": {"width": 1, "color": GREY}}
    area = {"type": "rect", "layer": "below", "yref": "paper", "y0": 0, "y1": 1}
    return [{**area, "x0": milliseconds(gap.start), "x1": milliseconds(gap.end), **looks} for gap in gaps]


def shading(gaps: Sequence[Gap]) -> str:
    """Return what a figure says of its shaded areas; nothing if it has none."""
    return " Shaded: no book, nothing is known." if gaps else ""


def time_axis(times: Ints, anchor: str = "y") -> Figure:
    """Return an axis from the first time to the last one."""
    ends = [milliseconds(each) for each in times[[0, -1]].tolist()] if len(times) else None
    return TIME_AXIS | {"anchor": anchor} | ({} if ends is None else {"range": ends})


def price_axis(unit: str, traces: Iterable[Figure], tick: float | None = None) -> Figure:
    """Return the axis of prices; if they span a few ticks, its labels are prices that exist.

    Args:
        unit: the currency, as Plotly takes it.
        traces: what is drawn on the axis.
        tick: the smallest step of prices, if it is known.
    """
    axis: Figure = {"title": {"text": f"price ({unit})", "standoff": 10}, "tickformat": ",.8~f"}
    prices = [price for trace in traces for price in trace["y"] if price is not None]
    if tick and prices and max(prices) - min(prices) <= _FEW_TICKS * tick:
        axis["dtick"] = tick
    return axis


def log_ticks(values: Sequence[float | None]) -> Figure:
    """Return a logarithmic axis with whole numbers at its ticks: Plotly would write a bare 2 and 5.

    >>> log_ticks([0.3, None, 4.0])["ticktext"]
    ['0.2', '0.5', '1', '2', '5']
    """
    known = [each for each in values if each]
    if not known:
        return {"type": "log"}
    decades = range(math.floor(math.log10(min(known))), math.floor(math.log10(max(known))) + 1)
    steps = (1, 2, 5) if len(decades) <= _FEW_DECADES else (1,)
    ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
    ticks.append(float(f"1e{decades[-1] + 1}"))
    first = max((each for each in ticks if each <= min(known)), default=ticks[0])
    last = min((each for each in ticks if each >= max(known)), default=ticks[-1])
    shown = [each for each in ticks if first <= each <= last]
    return {
        "type": "log",
        "tickvals": shown,
        "ticktext": [f"{each:,.6f}".rstrip("0").rstrip(".") for each in shown],
    }


def seconds_of(width_ns: int) -> str:
    """Return the width of a bucket as text: in seconds, or in milliseconds if it is short."""
    return f"{width_ns / NS:.3g} s" if width_ns >= NS / 10 else f"{width_ns / NS * 1e3:.3g} ms"
