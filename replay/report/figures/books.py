"""The figure of the cumulative depth: of the last book, and of moments before it."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Final

import numpy as np

from orderbook import display
from orderbook.execution.numbers import UNITS
from replay.palette import BLUE, ORANGE
from replay.report.collect.heatmap import BookLevels
from replay.report.figures.chart import Chart, Figure, Subject
from replay.report.figures.depth import Seen
from replay.report.figures.trading import TradedSubject, plain, size_text
from replay.report.tables import Table

_MOMENTS: Final = 9
_ROOM: Final = 0.02
"""Part of the range of prices that is left free at both ends."""
_MOVE: Final = (("before", "Earlier moment"), ("after", "Later moment"))


def last_book_chart(subject: Subject) -> Chart | str | None:
    """Return the cumulative depth of the last book that was known, and of moments before it."""
    evidence = subject.evidence
    if evidence is None or not evidence.depth.is_begun or not len(evidence.quotes.points()[0]):
        return None
    return _book_chart(subject, evidence, "last-book")


def book_chart(subject: TradedSubject) -> Chart | str | None:
    """Return the cumulative depth of the last book that was known, and of moments before it."""
    evidence = subject.evidence
    if evidence is None or not len(evidence.quotes.points()[0]):
        return None
    return _book_chart(subject, evidence, "book")


def _book_chart(subject: Subject | TradedSubject, evidence: Seen, name: str) -> Chart | str:
    """Return the cumulative depth of some moments, of which report.js shows one, the last book first."""
    levels, most = evidence.depth.levels(), evidence.limits.levels
    sides = {side: _cumulative(levels, number, most) for number, side in enumerate(("bids", "asks"))}
    if not all(len(prices) for prices, _ in sides.values()):
        return "The last book has an empty side, so its depth is not drawn."
    moments = [
        (time, {side: _cumulative(book, number, most) for number, side in enumerate(sides)})
        for time, book in evidence.depth.moments(_MOMENTS)[:-1]
    ]
    names = [f"{display.time_of_day(time)} UTC" for time, _ in moments] + ["the last book"]
    traces = [
        trace | {"visible": place == len(moments)}
        for place, found in enumerate([*(each for _, each in moments), sides])
        for trace in _steps(found)
    ]
    axes = {
        # Some room beside the last levels, whose steps stand on the edge.
        "xaxis": {
            "title": {"text": f"price ({plain(subject.unit)})"},
            "tickformat": ",.8~f",
            "autorangeoptions": {"include": _beyond(sides)},
        },
        "yaxis": {"title": {"text": f"cumulative size ({plain(subject.base)})"}, "rangemode": "tozero"},
    }
    cells = [
        [(display.price(price), size_text(round(size * UNITS))) for price, size in zip(*found, strict=True)]
        for found in sides.values()
    ]
    rows = [[*bid, *ask] for bid, ask in zip_longest(*cells, fillvalue=("-", "-"))]
    headings = [
        f"{side}{what}" for side in ("bid", "ask") for what in ("", f", size up to it ({subject.base})")
    ]
    bids, asks = (
        f"{display.significant(sizes[-1])} {subject.base} in {display.plural(len(sizes), 'level')}"
        for _, sizes in sides.values()
    )
    return Chart(
        name,
        f"The last book: {bids} bid, {asks} asked",
        f"Cumulative size from the best price on, of {most} levels a side at most"
        + (f"; the buttons show {len(moments)} earlier moments." if moments else "."),
        {"data": traces, "layout": {**axes, "showlegend": True, "meta": {"moments": names}}},
        Table("Cumulative depth of the last book", headings, rows, text_columns=0),
        _MOVE if moments else (),
    )


def _beyond(sides: Mapping[str, tuple[list[float], list[float]]]) -> list[float]:
    """Return two prices a little beyond the last levels of a book."""
    (*_, low), (*_, high) = (prices for prices, _ in sides.values())
    room = (high - low) * _ROOM
    return [low - room, high + room]


def _steps(sides: Mapping[str, tuple[list[float], list[float]]]) -> Iterator[Figure]:
    """Yield the cumulative size of each side."""
    looks = {"bids": (BLUE, "rgba(47,126,216,0.25)"), "asks": (ORANGE, "rgba(217,115,13,0.25)")}
    for name, (prices, sizes) in sides.items():
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": prices,
            "y": sizes,
            "line": {"color": looks[name][0], "width": 2, "shape": "hv"},
            "fill": "tozeroy",
            "fillcolor": looks[name][1],
            "hovertemplate": f"%{{x:,.8~f}}: %{{y:,.6~g}}<extra>{name}</extra>",
        }


def _cumulative(levels: BookLevels, side: int, most: int) -> tuple[list[float], list[float]]:
    """Return prices, the best first, and the size up to each."""
    is_side = levels.sides == side
    prices, sizes = levels.prices[is_side], levels.sizes[is_side]
    if side == 0:
        prices, sizes = prices[::-1], sizes[::-1]
    return (prices[:most] / UNITS).tolist(), (np.cumsum(sizes[:most]) / UNITS).tolist()
