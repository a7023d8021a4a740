"""The figure of a whole backtest on one time axis: quotes, trades, own orders and fills, position, equity."""

from collections.abc import Iterator
from typing import Any, Final

from orderbook import display
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.results import FillRow
from replay.palette import GREEN, VIOLET
from replay.report.collect.lanes import LaneEvidence
from replay.report.collect.traded import TradedProduct
from replay.report.figures.chart import Chart, Figure
from replay.report.figures.marks import marks, named, rested_sentence
from replay.report.figures.series import (
    ZOOM,
    interrupted,
    line,
    price_axis,
    seconds_of,
    shaded,
    shading,
    time_axis,
)
from replay.report.figures.trading import TradedSubject, plain, size_text
from replay.report.tables import Table

_MOST_ROWS: Final = 200
_BANDS: Final = {"yaxis": [0.46, 1.0], "yaxis2": [0.24, 0.41], "yaxis3": [0.0, 0.19]}


def tape_chart(subject: TradedSubject) -> Chart | str | None:
    """Return prices, orders and money of the best setting over time."""
    evidence, lane = subject.evidence, subject.shown
    if evidence is None:
        return None
    if lane is None:
        return "No setting ran, so there are no prices to draw."
    if subject.is_bookless and not evidence.trades.seen:
        return "No book with both sides was known, and no trade, so there are no prices to draw."
    best = subject.best[0]
    said = "; ".join(filter(None, (*_drawn(evidence, lane), rested_sentence(lane))))
    return Chart(
        "tape",
        f"{display.plural(best.main.fills, 'fill')} of {subject.who}, net"
        f" {display.significant(best.main.net)} {subject.unit}"
        if best.main.fills
        else _unfilled(subject, evidence),
        f"{said[:1].upper()}{said[1:]}"
        + (" Below: position and equity." if _has_money(lane) else "")
        + (" No book with both sides was known." if subject.is_bookless else shading(evidence.gaps.found())),
        _figure(subject, evidence, lane),
        _table(subject, lane.fills.kept),
        ZOOM,
        is_tall=True,
    )


def _drawn(evidence: TradedProduct, lane: LaneEvidence) -> Iterator[str]:
    """Yield what is drawn besides own orders, and how much of it."""
    if len(evidence.quotes.points()[0]):
        yield f"blue: lowest bid to highest ask in each {seconds_of(evidence.quotes.width_ns)}"
    for found, seen, what, whose in (
        (len(lane.fills.kept), lane.fills.seen, "fill", ""),
        (len(evidence.trades.trades()), evidence.trades.seen, "trade", " of others"),
    ):
        if seen:
            part = "" if found == seen else f"{display.count(found)} of "
            yield f"{part}{display.plural(seen, what)}{whose}"
    if not evidence.trades.seen:
        yield "no trade of others could be read"


def _unfilled(subject: TradedSubject, evidence: TradedProduct) -> str:
    """Return a title of prices at which nothing was filled."""
    if not any(row.orders for each in subject.compared for row in each.rows.values()):
        if subject.is_bookless:
            return f"{display.plural(evidence.trades.seen, 'trade')}, and no book with both sides"
        return "Prices: no order was sent"
    return f"No fill of {subject.who} under {subject.best[0].main.queue}"


def _figure(subject: TradedSubject, evidence: TradedProduct, lane: LaneEvidence) -> Figure:
    gaps = evidence.gaps.found()
    position = line("position", *interrupted(*lane.position(), []), VIOLET, "solid")
    equity = line("equity", *interrupted(*lane.equity(), gaps), GREEN, "solid")
    # The titles of their axes say what they are.
    position |= {
        "yaxis": "y2",
        "showlegend": False,
        "hovertemplate": "%{x}: %{y:.6~g}<extra>position</extra>",
    }
    equity |= {"yaxis": "y3", "showlegend": False, "hovertemplate": "%{x}: %{y:,.6~g}<extra>equity</extra>"}
    has_money = _has_money(lane)
    unit, base = plain(subject.unit), plain(subject.base)
    titles = {"yaxis": "", "yaxis2": f"position<br>({base})", "yaxis3": f"equity<br>({unit})"}
    axes: dict[str, Any] = {
        name: {"domain": domain, "title": {"text": titles[name], "standoff": 10}}
        for name, domain in (_BANDS if has_money else {"yaxis": [0.0, 1.0]}).items()
    }
    drawn = marks(subject)
    axes["yaxis"] |= price_axis(unit, drawn.values(), subject.best[0].main.tick)
    return {
        "data": [*named(drawn), *([position, equity] if has_money else [])],
        "layout": {
            "xaxis": time_axis(evidence.quotes.points()[0], "y3" if has_money else "y"),
            **axes,
            "shapes": shaded(gaps),
            "showlegend": True,
        },
    }


def _has_money(lane: LaneEvidence) -> bool:
    """Tell whether position and equity are more than zeros."""
    return lane.fills.seen > 0 or bool(lane.position()[1].any())


def _table(subject: TradedSubject, fills: list[FillRow]) -> Table:
    rows = [
        [
            display.time_of_day(each.time),
            "buy" if each.side == "bid" else "sell",
            "maker" if each.how.is_maker else "taker",
            display.price(each.price / UNITS),
            size_text(each.size),
            display.significant(each.how.fee / MONEY_UNITS),
        ]
        for each in fills[:_MOST_ROWS]
    ]
    headings = ("time (UTC)", "side", "as", "price", f"size ({subject.base})", f"fee ({subject.unit})")
    part = f": the first {len(rows)} of {len(fills):,}" if len(rows) < len(fills) else ""
    return Table(f"Own fills{part}", headings, rows, text_columns=3)
