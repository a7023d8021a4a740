"""Figures of the depth: a heatmap over time with own orders and trades, and the book at the end."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from orderbook import display
from orderbook.execution.numbers import UNITS
from orderbook.thresholds import format_threshold
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.palette import HEAT, NOTHING, ORANGE
from replay.report.collect.evidence import Evidence, Limits
from replay.report.collect.gaps import Gaps
from replay.report.collect.heatmap import BookLevels, DepthHistory
from replay.report.collect.market_trades import LargestTrades
from replay.report.collect.quotes import QuoteBand
from replay.report.collect.traded import TradedLimits
from replay.report.figures.chart import Chart, Figure, Subject
from replay.report.figures.marks import marks, named, orders_table, seen_marks
from replay.report.figures.series import ZOOM, milliseconds, seconds_of, shaded, time_axis
from replay.report.figures.trading import TradedSubject, plain, size_text
from replay.report.tables import Table

_ROWS: Final = 120
_MARGIN: Final = 0.3
"""Part of the range of the best prices that is shown above and below it."""
_BRIGHT: Final = 0.98
"""Quantile of the sizes that has the last colour: one wall must not darken all the rest."""
_QUOTES: Final = {"fillcolor": "rgba(159,197,255,0.25)", "line": {"color": "#9fc5ff", "width": 1}}
_LARGEST: Final = 20


class Seen(Protocol):
    """What the tape shows of a product."""

    quotes: QuoteBand
    gaps: Gaps
    trades: LargestTrades
    depth: DepthHistory

    @property
    def limits(self) -> Limits | TradedLimits: ...  # noqa: D102


def depth_chart(subject: TradedSubject) -> Chart | str | None:
    """Return the depth over time, with own orders and the trades of others."""
    evidence, lane = subject.evidence, subject.shown
    if evidence is None or lane is None:
        return None
    if not len(evidence.quotes.points()[0]):
        return "No book with both sides was known, so there is no depth to draw."
    grid, low, height = _grid(evidence, round((subject.best[0].main.tick or 0) * UNITS) or 1)
    own = orders_table(lane.orders.kept, subject.base) if lane.orders.kept else None
    return Chart(
        "depth",
        f"{_peak(grid, low, height, subject)};"
        f" {display.plural(lane.stages['sent'], 'order')} of {subject.who}",
        f"{_colours(evidence, height, subject.unit)} A line of an own order"
        " tells what was ahead of it when it began and when it ended. Circles and squares:"
        " trades of others.",
        _figure(subject, evidence, named(marks(subject), quotes=_QUOTES), grid, low, height),
        _largest(evidence, grid, low, height, subject),
        ZOOM,
        below=own,
        folded="" if own is None else own.caption,
        is_tall=True,
    )


def market_depth_chart(subject: Subject) -> Chart | None:
    """Return the depth over time with the trades of others, and when the spread was above the threshold."""
    evidence = subject.evidence
    if evidence is None or not evidence.depth.is_begun or not len(evidence.quotes.points()[0]):
        return None
    grid, low, height = _grid(evidence, evidence.depth.tick())
    detail = format_threshold(subject.detail or evidence.episodes.threshold)
    figure = _figure(subject, evidence, named(seen_marks(subject), quotes=_QUOTES), grid, low, height)
    figure["layout"]["shapes"] += _signal_bars(evidence)
    return Chart(
        "depth",
        f"{_peak(grid, low, height, subject)}; {display.plural(evidence.trades.seen, 'trade')}",
        f"{_colours(evidence, height, subject.unit)} Orange bars at the top: the spread was above"
        f" {detail}; bars less than {seconds_of(evidence.wide.joined_ns)} apart are one. Circles and squares"
        " are trades.",
        figure,
        _largest(evidence, grid, low, height, subject),
        ZOOM,
        is_tall=True,
    )


def _peak(grid: Ints, low: int, height: int, subject: Subject | TradedSubject) -> str:
    """Return a title: the largest size of a level that is drawn, and where it was."""
    if not grid.any():
        return "Depth over time"
    size = display.significant(int(grid.max()) / UNITS)
    price = display.price((low + int(grid.max(axis=1).argmax()) * height) / UNITS)
    return f"Depth: levels of up to {size} {subject.base}, near {price} {subject.unit}"


def _signal_bars(evidence: Evidence) -> list[Figure]:
    """Return when the spread was above the threshold in detail, as bars at the upper edge."""
    bar = {"type": "rect", "yref": "paper", "y0": 0.97, "y1": 1, "fillcolor": ORANGE}
    bar["line"] = {"width": 1, "color": ORANGE}  # so that a bar is a pixel wide at least
    return [
        bar | {"x0": milliseconds(start), "x1": milliseconds(end)} for start, end in evidence.wide.found()
    ]


def _colours(evidence: Seen, height: int, unit: str) -> str:
    """Return what the colours of the depth say."""
    return (
        f"Colour: the largest size of a level in {seconds_of(evidence.depth.width_ns)} and"
        f" {display.price(height / UNITS)} {unit}; the brightest is the largest 2 %."
    )


def _grid(evidence: Seen, tick: int) -> tuple[Ints, int, int]:
    """Return the largest size in each cell, the lowest price, and the height of a cell."""
    _, bids, asks = evidence.quotes.points()
    rows = max(min(_ROWS, evidence.limits.cells // max(len(evidence.depth.columns), 1)), 1)
    low, high = _range(bids, asks, evidence.depth.levels(), tick)
    grid, height = evidence.depth.grid(low, high, rows, tick)
    return grid, low, height


def _largest(evidence: Seen, grid: Ints, low: int, height: int, subject: Subject | TradedSubject) -> Table:
    """Return the largest sizes of the figure: a row for as long as one stays in its row of prices."""
    is_first = np.diff(grid, axis=1, prepend=0) != 0
    places = np.argsort(np.where(is_first, -grid, 0), axis=None, kind="stable")[:_LARGEST]
    depth = evidence.depth
    rows = []
    for row, column in zip(*(each.tolist() for each in np.unravel_index(places, grid.shape)), strict=True):
        if not grid[row, column]:
            continue
        changes = np.flatnonzero(is_first[row, column + 1 :])
        end = column + 1 + int(changes[0]) if len(changes) else grid.shape[1]
        rows.append(
            [
                *(display.time_of_day(depth.start + each * depth.width_ns) for each in (column, end)),
                display.price((low + row * height) / UNITS),
                size_text(int(grid[row, column])),
            ]
        )
    headings = ("from (UTC)", "to (UTC)", f"price, from ({subject.unit})", f"size ({subject.base})")
    return Table("The largest sizes", headings, rows, text_columns=2)


def _range(bids: Floats, asks: Floats, levels: BookLevels, tick: int) -> tuple[int, int]:
    """Return the prices to show: those of the quotes, and some around them, 20 levels at least."""
    low, high = (round(float(each) * UNITS) for each in (bids.min(), asks.max()))
    step = int(np.median(np.diff(levels.prices))) if len(levels.prices) > 1 else 0
    margin = max(round((high - low) * _MARGIN), 10 * step, 1)
    return max(low - margin, tick) // tick * tick, high + margin


def _figure(
    subject: Subject | TradedSubject,
    evidence: Seen,
    drawn: Sequence[Figure],
    grid: Ints,
    low: int,
    height: int,
) -> Figure:
    depth, gaps = evidence.depth, evidence.gaps.found()
    shown = grid[grid > 0]
    brightest = float(np.quantile(shown, _BRIGHT)) / UNITS if len(shown) else 1.0
    # Stops at squares: a level of a quarter of the size is half as bright.
    last = len(HEAT) - 1
    scale = [[(place / last) ** 2, colour] for place, colour in enumerate(HEAT)]
    cells = {
        "type": "heatmap",
        "x0": milliseconds(depth.start + depth.width_ns // 2),
        "dx": depth.width_ns / 1e6,
        "y0": (low + height / 2) / UNITS,
        "dy": height / UNITS,
        "z": [[float(f"{size / UNITS:.3g}") if size else None for size in row] for row in grid.tolist()],
        "zmin": 0,
        "zmax": brightest,
        "colorscale": scale,
        "hoverongaps": False,
        "colorbar": {"title": {"text": f"size ({plain(subject.base)})"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": "%{x}: %{z:.4~g} at about %{y:,.8~g}<extra>depth</extra>",
    }
    return {
        "data": [cells, *drawn],
        "layout": {
            "xaxis": time_axis(evidence.quotes.points()[0]) | {"showgrid": False},
            "yaxis": {
                "title": {"text": f"price ({plain(subject.unit)})", "standoff": 10},
                "tickformat": ",.8~f",
                "showgrid": False,
            },
            "shapes": shaded(gaps),
            "plot_bgcolor": NOTHING,
            "showlegend": True,
        },
    }
