"""The figure of a whole backtest on one time axis: quotes, trades, own orders and fills, position, equity."""

from typing import Any, Final

from orderbook import display
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.results import FillRow
from replay.report.collect.lanes import LaneEvidence
from replay.report.collect.traded import TradedProduct
from replay.report.figures.chart import GREEN, VIOLET, Chart, Figure
from replay.report.figures.marks import marks, named, rested_sentence
from replay.report.figures.series import ZOOM, interrupted, line, seconds_of, shaded, time_axis
from replay.report.figures.trading import TradedSubject, plain
from replay.report.tables import Table

_BANDS: Final = {"yaxis": [0.46, 1.0], "yaxis2": [0.24, 0.41], "yaxis3": [0.0, 0.19]}


def tape_chart(subject: TradedSubject) -> Chart | str | None:
    """Return prices, orders and money of the best setting over time."""
    evidence, lane = subject.evidence, subject.shown
    if evidence is None:
        return None
    if lane is None:
        return "No setting ran, so there are no prices to draw."
    best = subject.best[0]
    trades, width = evidence.trades, seconds_of(evidence.quotes.width_ns)
    drawn = [
        f"{display.count(len(found))} of {display.plural(seen, what)}"
        for found, seen, what in (
            (lane.fills.kept, lane.fills.seen, "fill"),
            (trades.trades(), trades.seen, "trade"),
        )
    ]
    return Chart(
        "tape",
        f"{display.plural(best.main.fills, 'fill')} of {subject.who}, net"
        f" {display.significant(best.main.net)} {subject.unit}"
        if best.main.fills
        else f"No fill of {subject.who} under {best.main.queue}",
        f"Blue: lowest bid to highest ask in each {width}. Drawn: {', '.join(drawn)} of others;"
        f" {rested_sentence(lane)}"
        + (" Below: position and equity." if _has_money(lane) else "")
        + " Shaded: no book, nothing is known.",
        _figure(subject, evidence, lane),
        _table(subject, lane.fills.kept),
        ZOOM,
        is_tall=True,
    )


def _figure(subject: TradedSubject, evidence: TradedProduct, lane: LaneEvidence) -> Figure:
    gaps = evidence.gaps.found()
    position = line("position", *interrupted(*lane.position(), []), VIOLET, "solid")
    equity = line("equity", *interrupted(*lane.equity(), gaps), GREEN, "solid")
    position |= {"yaxis": "y2", "hovertemplate": "%{x}: %{y:.6~g}<extra>position</extra>"}
    equity |= {"yaxis": "y3", "hovertemplate": "%{x}: %{y:,.6~g}<extra>equity</extra>"}
    has_money = _has_money(lane)
    unit, base = plain(subject.unit), plain(subject.base)
    titles = {"yaxis": f"price ({unit})", "yaxis2": f"position<br>({base})", "yaxis3": f"equity<br>({unit})"}
    axes: dict[str, Any] = {
        name: {"domain": domain, "title": {"text": titles[name], "standoff": 10}}
        for name, domain in (_BANDS if has_money else {"yaxis": [0.0, 1.0]}).items()
    }
    axes["yaxis"]["tickformat"] = ",.8~f"
    return {
        "data": [*named(marks(subject)), *([position, equity] if has_money else [])],
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
            f"{each.size / UNITS:g}",
            display.significant(each.how.fee / MONEY_UNITS),
        ]
        for each in fills[:200]
    ]
    headings = ("time (UTC)", "side", "as", "price", f"size ({subject.base})", f"fee ({subject.unit})")
    return Table("Own fills", headings, rows, text_columns=3)
