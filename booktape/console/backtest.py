"""The result of a backtest on a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from math import floor, log10
from pathlib import Path
from typing import Final

from msgspec import UNSET
from rich.console import Console

from booktape.console.columns import Column, fitted_table
from orderbook import display
from replay.comparing.metrics import horizon_label
from replay.simulation.columns import flat_row
from replay.simulation.luck import FEWEST_PERIODS, Luck
from replay.simulation.parts import BacktestPart
from replay.simulation.results import Backtest
from replay.simulation.rows import CAVEATS, BacktestRow
from replay.simulation.statistics import MarkoutDocument

_SHOWN_LANES: Final = 1_000


def print_backtest(console: Console, result: Backtest, sort: str = "product") -> None:
    """Print a row for each lane and its parts, the mark-outs, and below them what limits the numbers.

    Args:
        console: where.
        result: the result, sorted.
        sort: the column that it is sorted by, which is always shown.
    """
    settings = result.settings
    what = f"strategy {settings.name}" if settings.name else "a table of orders"
    console.print(f"{result.title} {what}, fees {settings.fees_text}, latency {settings.latency}")
    shown = result.rows[:_SHOWN_LANES]
    swept = result.swept()
    _print_lanes(console, result, shown, swept, sort)
    if any(row.fills for row in shown):
        _print_markouts(console, result, shown, swept)
    if len(result.rows) > len(shown):
        left_out = len(result.rows) - len(shown)
        console.print(
            f"{display.plural(left_out, 'lane')} left out: --json, --csv and -o RUN have all of them"
        )
    for line in (*_best(result), *_notes(result)):
        console.print(line)


def _lane_columns(result: Backtest, swept: Sequence[str]) -> list[Column]:
    """Return the columns that name a lane; a narrow terminal can do without those that never change."""
    rows = result.rows
    return [
        Column("product", side="left", drop=3 if len({row.product for row in rows}) == 1 else 0),
        *([Column("tape", side="left")] if len(result.tapes) > 1 else []),
        *(Column(name, side="left") for name in swept),
        Column("queue", side="left", drop=4 if len({row.queue for row in rows}) == 1 else 0),
    ]


def _lane_cells(result: Backtest, row: BacktestRow, swept: Sequence[str]) -> tuple[str, ...]:
    values = result.values(row)
    tape = [] if row.tape is UNSET else [_tape(result, row)]
    return (row.product, *tape, *(str(values.get(name, "")) for name in swept), row.queue)


def _tape(result: Backtest, row: BacktestRow) -> str:
    """Return the name of a row's tape among several."""
    if not isinstance(row.tape, str):
        return "all"
    are_unique = len({path.name for path, _ in result.tapes}) == len(result.tapes)
    return Path(row.tape).name if are_unique else row.tape


def _print_lanes(
    console: Console, result: Backtest, shown: Sequence[BacktestRow], swept: Sequence[str], sort: str
) -> None:
    by = result.settings.by
    columns = [
        *_lane_columns(result, swept),
        *([Column(by, side="left")] if by else []),
        Column("orders", drop=5),
        Column("fills", drop=1),
        Column("accepted size", "(back to front)", side="left", drop=2),
        Column("net", "quote"),
        Column("fees", "quote", drop=6),
        Column("position", "base", drop=7),
        Column("drawdown", "quote", drop=8),
        Column("turnover", "quote", drop=9),
    ]
    is_number = sort not in {"product", "queue"}
    columns = [replace(each, drop=0) if is_number and each.heading == sort else each for each in columns]
    is_shown = sort in {"setting", *(each.heading for each in columns)} or sort.startswith("setting_")
    extra = [] if is_shown else [sort]
    columns += [Column(name) for name in extra]
    lanes = groupby(result.parts, key=lambda part: (part.product, part.tape, part.setting, part.queue))
    parts = {lane: list(of_lane) for lane, of_lane in lanes}
    rows, sections = [], []
    for row in shown:
        lane = _lane_cells(result, row, swept)
        of_lane = parts.get((row.product, row.tape, row.setting, row.queue), ())
        rows += [(*lane, *_part_cells(part), *("" for _ in extra)) for part in of_lane]
        sorted_by = (display.significant(flat_row(row, {})[name]) for name in extra)
        rows.append((*lane, *(["whole"] if by else []), *_cells(row), *sorted_by))
        sections.append(len(rows) - 1)
    console.print(fitted_table(console, columns, rows, sections[:-1] if by else []))


def _cells(row: BacktestRow) -> tuple[str, ...]:
    return (
        f"{row.orders:,}",
        f"{row.fills:,}",
        _filled(row),
        money(row.net),
        money(row.fees),
        f"{row.position:.4g}",
        money(row.drawdown),
        money(row.turnover),
    )


def _part_cells(part: BacktestPart) -> tuple[str, ...]:
    return (
        *(str(part.part), "", f"{part.fills:,}", ""),
        *(money(part.net), money(part.fees), f"{part.position:.4g}", "", money(part.turnover)),
    )


def _filled(row: BacktestRow) -> str:
    """Return how much of the accepted size was filled, with its bounds.

    The bounds are those of the orders as they were sent: another queue model might have sent others.
    """
    if row.fill_ratio is None or row.fill_ratio_back is None or row.fill_ratio_front is None:
        return "-"
    bounds = f"{row.fill_ratio_back:.0%} to {row.fill_ratio_front:.0%}".replace("%", "")
    return f"{row.fill_ratio * 100:.0f} % filled ({bounds})"


def money(value: float | None) -> str:
    """Return an amount of the quote currency with four significant digits, or cents."""
    return "-" if value is None else f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.4g}"


def _print_markouts(
    console: Console, result: Backtest, shown: Sequence[BacktestRow], swept: Sequence[str]
) -> None:
    """Print how the mid moved after fills: a column for each horizon, which fits 80 columns."""
    filled = [row for row in shown if any(each.all.mean_bps is not None for each in row.markouts.values())]
    if not filled:
        return
    columns = [
        *_lane_columns(result, swept),
        *(
            Column(f"after {horizon_label(horizon)}", "bps", drop=5 + place)
            for place, horizon in enumerate(result.settings.lane.markouts)
        ),
    ]
    rows = [
        (*_lane_cells(result, row, swept), *(_markout(found.all) for found in row.markouts.values()))
        for row in filled
    ]
    console.print("\nMark-outs: by how much the mid is better for us than the fill, mean ± standard error")
    console.print(fitted_table(console, columns, rows))


def _markout(found: MarkoutDocument) -> str:
    if found.mean_bps is None:
        return "-"
    error = found.standard_error_bps
    if not error:
        return f"{found.mean_bps:+.3g}"
    decimals = max(0, 1 - floor(log10(error)))  # two digits of the error: no more of the mean mean anything
    return f"{found.mean_bps:+.{decimals}f} ±{error:.{decimals}f}"


def _best(result: Backtest) -> Iterator[str]:
    """Yield the best setting of each product, of how many it is the best, and whether it is above luck."""
    if len(result.settings.settings) < 2:
        return
    models = result.settings.queues
    model = "share" if "share" in models else models[0]
    judged = {(each.product, each.queue): each for each in result.luck()}
    for product in dict.fromkeys(row.product for row in result.rows if row.net is not None):
        best = result.best("net", product, model)
        values = ", ".join(f"{name}={value}" for name, value in result.values(best).items())
        luck = "so some of it is luck" if best.fills else "and it was never filled"
        yield (
            f"Best net of {product}: {money(best.net)} with {values}, {best.queue}: the best of "
            f"{display.plural(best.best_of, 'setting')}, {luck}"
        )
        if best.fills and (found := judged.get((product, model))):
            yield _luck(found, "hour" if result.settings.by == "hour" else "day")
    if result.settings.by in {"hour", "day"} and not judged:
        by = result.settings.by
        yield f"How much of it is luck is not judged: that needs {FEWEST_PERIODS} {by}s with a known book"


def _luck(found: Luck, period: str) -> str:
    """Return in a sentence how far a best setting is above luck."""
    verdict = "within what luck gives" if found.is_luck else "above what luck gives"
    own, by_luck = display.significant(found.sharpe), display.significant(found.sharpe_by_luck)
    sure = "-" if found.deflated_sharpe is None else display.percent(found.deflated_sharpe)
    if found.reality_check is None:
        check = "for the reality check install booktape[search]"
    else:
        check = f"{display.percent(found.reality_check)} of histories without profit have one as good"
    return (
        f"{found.product}: {verdict}. Its Sharpe ratio by {period} is {own}; that of the best of "
        f"{found.trials} settings without profit would be {by_luck}. It is higher with probability {sure} "
        f"({display.plural(found.periods, period)}); {check}"
    )


def _notes(result: Backtest) -> Iterator[str]:
    for product in sorted(set(result.settings.products) - {row.product for row in result.rows}):
        yield f"{product}: no book in this part of the tape, so nothing was run"
    refused: dict[str, int] = {}
    for row in result.totals:
        for reason, count in row.refused.items():
            refused[reason] = refused.get(reason, 0) + count
    if refused:
        yield "Refused: " + ", ".join(f"{count:,} {reason}" for reason, count in sorted(refused.items()))
    yield from _limits(result)
    yield f"Execution digest {result.execution_digest}"


def _limits(result: Backtest) -> Iterator[str]:
    """Yield what limits the numbers, and of which products."""
    for caveat, meaning in CAVEATS.items():
        where = sorted({row.product for row in result.rows if caveat in row.caveats})
        if where:
            yield f"Note: {meaning} ({', '.join(where)})"
    for row in {row.product: row for row in result.rows}.values():
        for step, shown in (("tick", row.shown_tick), ("lot", row.shown_lot)):
            if step in row.caveats:
                yield f"{row.product}: the {step} of the first book is {display.price(shown)}"
