"""The content of the report of a backtest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path
from typing import Final

from msgspec import UNSET

from orderbook import display
from recorder.installed import tape_name, tape_names
from replay.comparing.metrics import horizon_label
from replay.report.backtest_answer import Drawn, caveats, sentence, without_book
from replay.report.figures import around, books, depth, equity, fills, settings, tape
from replay.report.figures.chart import Chart
from replay.report.figures.marks import marks
from replay.report.figures.trading import Setting, TradedSubject
from replay.report.page import Finding, Group, Page, Section, over_tapes, software
from replay.report.sparkline import Sparkline, sparkline
from replay.report.tables import Table, without_empty
from replay.simulation.neighbours import Nearest, Neighbours, nearest_of, neighbours_of
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import LATENCY

CHARTS: Final[Sequence[Callable[[TradedSubject], Chart | str | None]]] = (
    tape.tape_chart,
    settings.net_chart,
    settings.profit_map,
    around.around_chart,
    settings.latency_chart,
    equity.equity_chart,
    fills.funnel_chart,
    fills.markout_chart,
    depth.depth_chart,
    books.book_chart,
)
"""The charts of a product, in the order of the page; a sentence in place of an empty one, None for none."""

_MOST_SENTENCES: Final = 5
_MOST_ROWS: Final = 300
"""Rows of lanes in a page."""
_LONGEST: Final = 40  # characters of a value


def page_of(
    result: Backtest,
    drawn: Mapping[tuple[Path, str], Drawn],
    synthetic: AbstractSet[Path],
    command: str | None,
) -> Page:
    """Return the content of a report.

    Args:
        result: the result, sorted.
        drawn: what was kept, by tape and product.
        synthetic: the tapes of synthetic markets.
        command: the command line, if there is one.
    """
    run = result.settings
    what = f"strategy {run.name}" if run.name else "a table of orders"
    groups = subjects_of(result)
    most = max(_MOST_ROWS // max(sum(map(len, groups.values())), 1), 10)
    places = count()
    found = {
        product: [_product(f"p{next(places)}", rows, result, drawn, most) for rows in of_product.values()]
        for product, of_product in groups.items()
    }
    heads = [each[0] for each in found.values()]
    return Page(
        title=f"Backtest of {what} over {over_tapes([path for path, _ in result.tapes], synthetic)}",
        span=f"{display.plural(result.trials, 'setting')}, queue {', '.join(run.queues)}, fees"
        f" {run.fees_text}, {run.latency_text}",
        is_synthetic=bool(synthetic),
        answer=[*_answer(heads), *without_book(result)],
        caveats=list(caveats(result, drawn)),
        overview=_overview_table("Products", heads),
        groups=[
            Group(
                product,
                [each.section for each in of_product],
                _overview_table("By tape", of_product) if len(of_product) > 1 else None,
            )
            for product, of_product in found.items()
        ],
        quality=None,
        command=command,
        origin={
            "digest of executions": result.execution_digest,
            **{f"digest of {tape_name(path)}": digest for path, digest in result.tapes},
            "software": software(),
        },
    )


def subjects_of(result: Backtest) -> dict[str, dict[Path | None, list[BacktestRow]]]:
    """Return the rows of each section, by product, then by tape; that of all tapes together (None) is first.

    A product of one of several tapes has no row of all together: it would say the same again.
    """
    tapes = [path for path, _ in result.tapes]
    found: dict[str, dict[Path | None, list[BacktestRow]]] = {}
    for product in sorted({row.product for row in result.rows}):
        by_tape: dict[Path | None, list[BacktestRow]] = {path: [] for path in (None, *tapes)}
        for row in result.rows:
            if row.product == product:
                path = tapes[0] if row.tape is UNSET else None if row.tape is None else Path(str(row.tape))
                by_tape[path].append(row)
        if sum(bool(rows) for path, rows in by_tape.items() if path is not None) == 1:
            del by_tape[None]
        found[product] = {path: rows for path, rows in by_tape.items() if rows}
    return found


def _answer(heads: Sequence["_Product"]) -> Iterator[Finding]:
    """Yield a sentence for each product; of many for those with a profit, after one for all."""
    if len(heads) <= _MOST_SENTENCES:
        yield from (each.finding for each in heads)
        return
    profitable = [each for each in heads if each.profit > 0]
    unfilled = sum(each.is_unfilled for each in heads)
    idle = f"; {unfilled} {'was' if unfilled == 1 else 'were'} never filled" if unfilled else ""
    yield Finding(
        "",
        "All products",
        f"{len(profitable) or 'none'} of {len(heads)} made a profit with its best setting{idle}.",
    )
    yield from (each.finding for each in profitable[:_MOST_SENTENCES])
    if len(profitable) > _MOST_SENTENCES:
        yield Finding("", "The others", "in the table.")


def _overview_table(caption: str, found: Sequence["_Product"]) -> Table:
    """Return the rows of sections, with the currency in the headings if they share it."""
    units = {display.quote_of(each.product) for each in found}
    unit = units.pop() if len(units) == 1 else "quote"
    headings = [heading.replace("(quote)", f"({unit})") for heading in found[0].overview] if found else []
    rows = [list(each.overview.values()) for each in found]
    return without_empty(
        Table(caption, headings, rows, text_columns=2, links=[each.section.id for each in found])
    )


def best_settings(result: Backtest, tape: Path, product: str) -> list[int]:
    """Return the settings of a product on a tape by net profit, the best first, those without a fill last."""
    rows = [row for row in result.rows if row.product == product and row.tape in {UNSET, str(tape)}]
    return [row.setting for row in _ranked(rows, result)]


def _ranked(rows: Sequence[BacktestRow], result: Backtest) -> list[BacktestRow]:
    """Return the rows of the settings to choose from under the main queue model: the best first."""
    compared = result.settings.numbers_at(result.settings.best_at)
    of_main = [row for row in rows if row.queue == result.main_queue and row.setting in compared]
    return sorted(
        of_main,
        key=lambda row: (row.fills > 0, row.net is not None, row.net or 0.0, -row.setting),
        reverse=True,
    )


@dataclass(frozen=True, slots=True)
class _Product:
    """A product in the report: its sentence, its row of the overview, and its section."""

    product: str
    finding: Finding
    profit: float
    is_unfilled: bool
    overview: Mapping[str, str | Sparkline]
    section: Section


def _product(
    id_: str,
    rows: Sequence[BacktestRow],
    result: Backtest,
    drawn: Mapping[tuple[Path, str], Drawn],
    most_rows: int,
) -> _Product:
    first = rows[0]
    path = (
        result.tapes[0][0] if first.tape is UNSET else None if first.tape is None else Path(str(first.tape))
    )
    found = None if path is None else drawn.get((path, first.product))
    all_settings = list(_settings(rows, result, found))
    by_number = {each.main.setting: each for each in all_settings}
    ranked = _ranked(rows, result)
    best = [by_number[row.setting] for row in ranked]
    if found is not None:
        best = [each for each in best if each.lanes]
    subject = TradedSubject(
        id_,
        all_settings,
        best[:4],
        _swept(result),
        None if found is None else found.seen,
        result.settings.best_at,
        *_around(ranked, rows, result),
    )
    title = _title(result, first.product, path, is_total=first.tape is None)
    section = Section(
        id_,
        title,
        _facts(first),
        _table(rows, result, most_rows),
        [chart for make in CHARTS if (chart := make(subject)) is not None],
        shared=marks(subject),
        note="" if any(row.orders for row in rows) else "No lane sent an order.",
    )
    is_unfilled = not subject.is_filled
    profit = best[0].main.net or 0.0 if best else 0.0
    finding = Finding(id_, title, sentence(subject))
    return _Product(first.product, finding, profit, is_unfilled, _overview(subject, title), section)


def _title(result: Backtest, product: str, path: Path | None, *, is_total: bool) -> str:
    """Return what a section is about: its product, and its tape among several."""
    if len(result.tapes) == 1:
        return product
    if is_total or path is None:
        return f"{product}, all tapes"
    return f"{product}, {tape_names(each for each, _ in result.tapes)[path]}"


def _settings(rows: Sequence[BacktestRow], result: Backtest, drawn: Drawn | None) -> Iterator[Setting]:
    """Yield the settings in their order, with their lanes."""
    swept = _swept(result)
    ordered = sorted(rows, key=lambda row: row.setting)
    for number, lanes_of in groupby(ordered, key=lambda row: row.setting):
        values = result.settings.settings[number]
        label = ", ".join(f"{name}={display.printable(str(values.get(name)), _LONGEST)}" for name in swept)
        lanes = {} if drawn is None else drawn.lanes(number)
        yield Setting(label or "as given", values, {row.queue: row for row in lanes_of}, lanes)


def _around(
    ranked: Sequence[BacktestRow], rows: Sequence[BacktestRow], result: Backtest
) -> tuple[list[Neighbours], Nearest | None]:
    """Return the settings around the best one, if it was filled."""
    if not ranked or not ranked[0].fills:
        return [], None
    best, values = ranked[0], result.settings.settings
    of_model = [row for row in rows if row.queue == best.queue]
    return list(neighbours_of(best, of_model, values, "net")), nearest_of(best, ranked, values, "net")


def _swept(result: Backtest) -> list[str]:
    """Return the names of the settings that differ, without the latency, which nobody chooses."""
    return [name for name in result.swept() if name != LATENCY]


def _overview(subject: TradedSubject, title: str) -> dict[str, str | Sparkline]:
    """Return the cells of a product by their heading."""
    price: str | Sparkline = "-"
    if subject.evidence is not None:
        times, bids, asks = subject.evidence.quotes.points()
        price = sparkline(f"price of {title}", times, (bids + asks) / 2)
    best = subject.best[0] if subject.best else None
    # Without a fill there is no money to tell, only zeros.
    row, lane = (None, None) if best is None or not subject.is_filled else (best.main, best.main_lane)
    bounds = {}
    if len(subject.settings[0].rows) > 1:
        ends = "-" if best is None or row is None else best.bounds if " to " in best.bounds else "the same"
        bounds = {"back to front (quote)": ends}
    return {
        "product": title,
        "best setting": _name_of_best(subject),
        "net (quote)": "-" if row is None else display.significant(row.net),
        **bounds,
        "fills": "-" if best is None else display.count(best.main.fills),
        "price": price,
        "equity": sparkline(f"equity of {title}", *lane.equity()) if lane else "-",
        "filled (%)": "-" if row is None else display.percent(row.fill_ratio),
        "fees (quote)": "-" if row is None else display.significant(row.fees),
        "drawdown (quote)": "-" if row is None else display.significant(row.drawdown),
    }


def _name_of_best(subject: TradedSubject) -> str:
    if not subject.best:
        return "-"
    if not subject.is_filled:
        return "none was filled"
    return subject.best[0].label


def _facts(row: BacktestRow) -> dict[str, str]:
    return {
        "observed": f"{display.seconds(row.observed_s)} s",
        "trades of others": row.trades if row.trades == "none" else display.count(row.trades),
        "tick": f"{display.price(row.tick)} {display.quote_of(row.product)}",
    }


def _table(rows: Sequence[BacktestRow], result: Backtest, most: int) -> Table:
    """Return the lanes that were filled, or those that sent an order if none was; so many at most."""
    swept = result.swept()
    unit, base = display.quote_of(rows[0].product), display.base_of(rows[0].product)
    headings = [
        *(*swept, "queue", "orders", "fills", "filled (%)", "back (%)", "front (%)", f"net ({unit})"),
        *(
            f"fees ({unit})",
            f"position ({base})",
            f"drawdown ({unit})",
            f"turnover ({unit})",
            "Sharpe",
            "Sharpe error",
        ),
        *(f"after {horizon_label(horizon)} (bps)" for horizon in result.settings.lane.markouts),
    ]
    filled = [row for row in rows if row.fills]
    told = filled or [row for row in rows if row.orders]
    cells = [
        [
            *(display.printable(str(result.values(row).get(name)), 60) for name in swept),
            *(row.queue, display.count(row.orders), display.count(row.fills)),
            *map(display.percent, (row.fill_ratio, row.fill_ratio_back, row.fill_ratio_front)),
            *map(display.significant, (row.net, row.fees, row.position, row.drawdown, row.turnover)),
            *map(display.significant, (row.sharpe, row.sharpe_standard_error)),
            *(display.significant(found.all.mean_bps) for found in row.markouts.values()),
        ]
        for row in told[:most]
    ]
    notes = [
        f"{display.count(number)} {what}"
        for number, what in (
            (len(rows) - len(told), f"without {'a fill' if filled else 'an order'} left out"),
            (len(told) - len(cells), "more in --csv"),
        )
        if number
    ]
    return without_empty(Table(", ".join(["Lanes", *notes]), headings, cells, text_columns=len(swept) + 1))
