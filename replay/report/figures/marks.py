"""What is drawn over time in several figures of a product: quotes, trades of others, own orders and fills.

The file has each of these traces once: a figure names it, and report.js puts it in.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from orderbook import display
from orderbook.execution.codes import QUEUE_MODELS
from orderbook.execution.numbers import UNITS
from orderbook.execution.orders import Order
from orderbook.execution.results import FillRow
from replay.report.collect.gaps import Gap
from replay.report.collect.market_trades import LargestTrades
from replay.report.collect.quotes import QuoteBand
from replay.report.figures.chart import BLUE, GREEN, ORANGE, Figure
from replay.report.figures.series import band, line, milliseconds
from replay.report.figures.trading import TradedSubject
from replay.report.tables import Table

_MOST_ROWS: Final = 100
_LARGEST: Final = 18
"""Diameter of the largest trade in pixels."""
_PINK: Final = "#d6579b"


def marks(subject: TradedSubject) -> dict[str, Figure]:
    """Return the traces of a product by name; empty if nothing was kept of it."""
    evidence, lane = subject.evidence, subject.shown
    if evidence is None or lane is None:
        return {}
    traces = {
        "quotes": quotes_trace(evidence.quotes, evidence.gaps.found()),
        **_trades(evidence.trades),
        **_orders(lane.orders.kept),
        **_fills(lane.fills.kept),
    }
    return {f"{subject.id}-{name}": trace for name, trace in traces.items()}


def named(traces: Mapping[str, Figure], **changes: Figure) -> list[Figure]:
    """Return the names of traces, as report.js takes them, with changes of those of a name such as quotes."""
    return [{"same": name, **changes.get(name.partition("-")[2], {})} for name in traces]


def quotes_trace(quotes: QuoteBand, gaps: Sequence[Gap]) -> Figure:
    """Return the band from the lowest bid to the highest ask."""
    x, y = band(*quotes.points(), gaps)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "bid to ask",
        "x": x,
        "y": y,
        "fill": "toself",
        "fillcolor": "rgba(47,126,216,0.30)",
        "line": {"color": BLUE, "width": 1},
        "hoveron": "points",
        "hovertemplate": "%{x}: %{y:,.8~f}<extra>quote</extra>",
    }


def _trades(trades: LargestTrades) -> dict[str, Figure]:
    """Return the trades of others as bubbles, by who was the taker."""
    kept = trades.trades()
    largest = max(kept[:, 3].max(initial=0), 1)
    traces = {}
    for maker, what, symbol in ((1, "bought", "circle-open"), (0, "sold", "circle-open-dot")):
        found = kept[kept[:, 1] == maker]
        if not len(found):
            continue
        sizes = (found[:, 3] / UNITS).tolist()
        traces[what] = {
            "type": "scatter",
            "mode": "markers",
            "name": f"taker {what}",
            "x": [milliseconds(time) for time in found[:, 0].tolist()],
            "y": (found[:, 2] / UNITS).tolist(),
            "customdata": sizes,
            "marker": {
                "symbol": symbol,
                "color": _PINK,
                "size": (4 + np.sqrt(found[:, 3] / largest) * (_LARGEST - 4)).round(1).tolist(),
            },
            "hovertemplate": f"%{{x}}: %{{customdata}} at %{{y:,.8~f}}<extra>taker {what}</extra>",
        }
    return traces


def _orders(orders: Sequence[Order]) -> dict[str, Figure]:
    """Return own orders, each a line at its price from when it rested to its end, with what was ahead.

    Not those that were amended: of their prices only the last is known here.
    """
    traces = {}
    for side, name, colour, dash in (("bid", "own bids", GREEN, "solid"), ("ask", "own asks", ORANGE, "dot")):
        x: list[float | None] = []
        y: list[float | None] = []
        texts: list[str] = []
        for order in (each for each in orders if each.side == side and not each.amends):
            price = order.price / UNITS
            x += [milliseconds(order.rested or 0), milliseconds(order.ended or 0), None]
            y += [price, price, None]
            texts += [_told(order)] * 2 + [""]
        if x:
            trace = line(name, x, y, colour, dash)
            traces[f"{side}s"] = trace | {"text": texts, "hovertemplate": "%{x}: %{text}<extra></extra>"}
    return traces


def _fills(fills: Sequence[FillRow]) -> dict[str, Figure]:
    """Return own fills as triangles."""
    traces = {}
    for side, name, colour, symbol in (
        ("bid", "own buys", GREEN, "triangle-up"),
        ("ask", "own sells", ORANGE, "triangle-down"),
    ):
        found = [each for each in fills if each.side == side]
        if found:
            traces[name.removeprefix("own ")] = {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [milliseconds(each.time) for each in found],
                "y": [each.price / UNITS for each in found],
                "text": [f"{each.size / UNITS:g}, by {each.how.by}" for each in found],
                "marker": {"symbol": symbol, "color": colour, "size": 9, "line": {"width": 1}},
                "hovertemplate": f"%{{x}}: %{{text}} at %{{y:,.8~f}}<extra>{name}</extra>",
            }
    return traces


def _told(order: Order) -> str:
    size, price, ahead, end = _facts(order)
    return f"{size} at {price}, {ahead} ahead when it came; {end}"


def _facts(order: Order) -> tuple[str, str, str, str]:
    """Return size, price, the size ahead of it when it came to rest, and how it ended."""
    ahead = "-" if order.ahead_at_rest is None else f"{order.ahead_at_rest / UNITS:.8g}"
    end = "-" if order.end is None else order.end.word
    return f"{order.size / UNITS:.8g}", display.price(order.price / UNITS), ahead, end


def orders_table(orders: Sequence[Order]) -> Table:
    """Return own orders that rested, with their place in the queue."""
    rows = [
        (
            display.time_of_day(order.rested or 0),
            order.side,
            *_facts(order)[:3],
            *(f"{order.filled[model] / UNITS:.8g}" for model in QUEUE_MODELS),
            _facts(order)[3],
        )
        for order in orders[:_MOST_ROWS]
    ]
    filled = (f"filled, {model}" for model in QUEUE_MODELS)
    headings = ("rested (UTC)", "side", "size (base)", "price", "ahead of it (base)", *filled, "end")
    return Table("Own orders that rested", headings, rows, text_columns=2)
