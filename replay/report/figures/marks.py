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
from replay.palette import BLUE, ORANGE, VIOLET
from replay.report.collect.gaps import Gap
from replay.report.collect.lanes import LaneEvidence
from replay.report.collect.market_trades import LargestTrades
from replay.report.collect.quotes import QuoteBand
from replay.report.collect.resting import Rested
from replay.report.figures.chart import Figure, Subject
from replay.report.figures.series import band, line, milliseconds, seconds_of
from replay.report.figures.trading import TradedSubject, size_text
from replay.report.tables import Table

_MOST_ROWS: Final = 100
_LARGEST: Final = 18
"""Diameter of the largest trade in pixels."""


def marks(subject: TradedSubject) -> dict[str, Figure]:
    """Return the traces of a product by name; empty if nothing was kept of it."""
    evidence, lane = subject.evidence, subject.shown
    if evidence is None or lane is None:
        return {}
    traces = {
        "quotes": quotes_trace(evidence.quotes, evidence.gaps.found()),
        **_trades(evidence.trades),
        **_orders(lane.resting.found()),
        **_fills(lane.fills.kept),
    }
    return {f"{subject.id}-{name}": trace for name, trace in traces.items()}


def seen_marks(subject: Subject) -> dict[str, Figure]:
    """Return the quotes and trades of a product by name; empty if nothing was kept of it."""
    evidence = subject.evidence
    if evidence is None:
        return {}
    traces = {"quotes": quotes_trace(evidence.quotes, evidence.gaps.found()), **_trades(evidence.trades)}
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
    for maker, what, symbol, colour in (
        (1, "bought", "circle-open", BLUE),
        (0, "sold", "square-open", ORANGE),
    ):
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
                "color": colour,
                "opacity": 1,  # Plotly draws marks of several sizes faintly otherwise
                "size": (4 + np.sqrt(found[:, 3] / largest) * (_LARGEST - 4)).round(1).tolist(),
            },
            "hovertemplate": f"%{{x}}: %{{customdata}} at %{{y:,.8~f}}<extra>taker {what}</extra>",
        }
    return traces


def _orders(rested: Sequence[Rested]) -> dict[str, Figure]:
    """Return own orders: lines in steps at the prices at which each rested, with what was ahead of it.

    A line ends where the order did not rest. Many short ones in a short time are a box.
    """
    traces = {}
    for side, name in ((0, "own bids"), (1, "own asks")):
        x: list[float | None] = []
        y: list[float | None] = []
        texts: list[str] = []
        before: Rested | None = None
        for each in (found for found in rested if found.side == side):
            if before is not None and not _goes_on(before, each):
                x, y, texts = [*x, None], [*y, None], [*texts, ""]
            before = each
            start, end, low, high = (
                *map(milliseconds, (each.start, each.end)),
                *(each.low / UNITS, each.high / UNITS),
            )
            outline = [(start, low), (end, low)]
            if low != high:
                outline += [(end, high), (start, high), (start, low)]
            x += [time for time, _ in outline]
            y += [price for _, price in outline]
            texts += [_told(each)] * len(outline)
        if x:
            trace = line(name, x, y, VIOLET, "dot" if side else "solid")
            trace["line"]["shape"] = "linear"
            traces[name.removeprefix("own ")] = trace | {
                "text": texts,
                "hovertemplate": "%{x}: %{text}<extra></extra>",
            }
    return traces


def rested_sentence(lane: LaneEvidence) -> str:
    """Return what the lines of own orders are."""
    resting = lane.resting
    if not resting.seen:
        return "no order rested."
    said = f"{display.plural(resting.seen, 'line')} of own orders, each at the price and for the time that it"
    if resting.width_ns:
        said += f" rested; those within {seconds_of(resting.width_ns)} are one box"
        return f"{said}, from their lowest to their highest price."
    return f"{said} rested."


def _goes_on(before: Rested, after: Rested) -> bool:
    """Tell whether an order moved from one price to the other at once."""
    return before.rows == after.rows == 1 and (before.number, before.end) == (after.number, after.start)


def _fills(fills: Sequence[FillRow]) -> dict[str, Figure]:
    """Return own fills as triangles."""
    traces = {}
    for side, name, symbol in (("bid", "own buys", "triangle-up"), ("ask", "own sells", "triangle-down")):
        found = [each for each in fills if each.side == side]
        if found:
            traces[name.removeprefix("own ")] = {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [milliseconds(each.time) for each in found],
                "y": [each.price / UNITS for each in found],
                "text": [f"{size_text(each.size)}, by {each.how.by}" for each in found],
                "marker": {
                    "symbol": symbol,
                    "color": VIOLET,
                    "size": 9,
                    "line": {"width": 1, "color": "#ffffff"},
                },
                "hovertemplate": f"%{{x}}: %{{text}} at %{{y:,.8~f}}<extra>{name}</extra>",
            }
    return traces


def _told(rested: Rested) -> str:
    """Return what is known of an order that rested."""
    low, high = (display.price(price / UNITS) for price in (rested.low, rested.high))
    if rested.rows > 1:
        return f"{display.count(rested.rows)} times at {low}" + (f" to {high}" if low != high else "")
    size, ahead, share, back = map(
        size_text, (rested.size, rested.back, rested.share_until, rested.back_until)
    )
    last = share if share == back else f"{share} (share) to {back} (back)"
    return f"order {rested.number}, {size} at {low}; ahead of it {ahead} at first, {last} at last"


def _facts(order: Order) -> tuple[str, str, str, str]:
    """Return size, price, the size ahead of it when it came to rest, and how it ended."""
    ahead = "-" if order.ahead_at_rest is None else size_text(order.ahead_at_rest)
    end = "-" if order.end is None else order.end.word
    return size_text(order.size), display.price(order.price / UNITS), ahead, end


def orders_table(orders: Sequence[Order], base: str) -> Table:
    """Return own orders that rested, with their place in the queue, in order of time."""
    rows = [
        (
            display.time_of_day(order.rested or 0),
            order.side,
            *_facts(order)[:2],
            display.count(order.amends),
            _facts(order)[2],
            *(size_text(order.filled[model]) for model in QUEUE_MODELS),
            _facts(order)[3],
        )
        for order in sorted(orders, key=lambda order: order.rested or 0)[:_MOST_ROWS]
    ]
    filled = (f"filled, {model}" for model in QUEUE_MODELS)
    headings = (
        "rested (UTC)",
        "side",
        f"size ({base})",
        "last price",
        "amends",
        f"ahead of it ({base})",
        *filled,
        "end",
    )
    part = f", the first {len(rows)} of {len(orders):,}" if len(rows) < len(orders) else ""
    return Table(f"Own orders, and their places in the queue{part}", headings, rows, text_columns=2)
