"""The result of a backtest on a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from math import floor, log10
from pathlib import Path
from typing import Final

from msgspec import UNSET
from rich.console import Console

from booktape.console.best import best_lines
from booktape.console.columns import Column, fitted_table, money
from orderbook import display
from replay.comparing.metrics import horizon_label
from replay.simulation.columns import flat_row
from replay.simulation.parts import BacktestPart
from replay.simulation.results import Backtest
from replay.simulation.rows import CAVEATS, BacktestRow
from replay.simulation.statistics import MarkoutDocument

_SHOWN_ROWS: Final = 1_000
_SHOWN_TRIALS: Final = 10


def print_backtest(console: Console, result: Backtest, sort: str = "product") -> None:
    """Print a row for each lane and its parts, the mark-outs, and below them what limits the numbers.

    Args:
        console: where.
        result: the result, sorted.
        sort: the column that it is sorted by, which is always shown.
    """
    settings = result.settings
    what = f"strategy {settings.name}" if settings.name else "a table of orders"
    console.print(f"{result.title} {what}, fees {settings.fees_text}, {settings.latency_text}")
    rows_of_lane = 1 + len(result.parts) // max(1, len(result.rows))
    shown = result.rows[: _SHOWN_TRIALS if result.search else max(1, _SHOWN_ROWS // rows_of_lane)]
    swept = result.swept()
    if not any(row.orders for row in result.rows):
        shown = result.rows
        if shown:
            lanes = display.plural(len(result.rows), "lane")
            console.print(f"No order was sent in {lanes}, so there is nothing to show: all numbers are 0")
    else:
        _print_lanes(console, result, shown, swept, sort)
        if any(row.fills for row in shown):
            _print_markouts(console, result, shown, swept)
    if len(result.rows) > len(shown):
        left_out = display.plural(len(result.rows) - len(shown), "lane")
        files = "--json, --csv and -o RUN" if result.search is None else "--json and --csv"
        console.print(f"{left_out} left out: {files} have all of them")
    for line in (*best_lines(result), *_notes(result)):
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
