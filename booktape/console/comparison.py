"""A comparison of thresholds on a terminal."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby, islice
from shlex import quote
from typing import Any, Final, Literal

from rich.console import Console
from rich.console import Group as Renderables

from booktape.console.columns import Column, fitted_table
from booktape.console.streams import plain_for
from booktape.console.tallies import absences, heading, quality
from orderbook import display
from recorder.installed import tape_name
from replay.comparing.default_thresholds import nothing_above
from replay.comparing.metric import Metric
from replay.comparing.metrics import QUALITY_METRICS, TEXT, VERDICT, threshold_metrics
from replay.comparing.results import Comparison, Group, block_of
from replay.comparing.sweep.spread_times import QUANTILES

_BAR: Final = 8
_SHOWN_ROWS: Final = 1_000
"""Rows of a block at most: a terminal's table of a hundred thousand would take minutes to lay out."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def print_comparison(console: Console, comparison: Comparison, sort: str) -> None:
    """Print the thresholds, a block for each product and tape, and below them the quality of the data."""
    for tape in comparison.tapes:
        console.print(heading(tape.tallies, tape.tape, synthetic=tape.synthetic))
    if comparison.settings.thresholds_from == "spread":
        quantiles = ", ".join(f"p{round(quantile * 100)}" for quantile in QUANTILES)
        console.print(f"Thresholds, as none is named: {quantiles} of each product's spread over time")
    console.print(comparison_table(console, comparison, sort))
    if left_out(comparison):
        console.print(f"{left_out(comparison):,} rows are left out: --json and -o RUN have all of them")
    for line in (*nothing_passes(comparison), *traded_lines(comparison)):
        console.print(line)
    for tape in comparison.tapes:
        for line in absences(tape.tape, tape.tallies, comparison.settings.window):
            console.print(line)
    console.print()
    console.print(quality_table(console, comparison))
    for tape in comparison.tapes:
        console.print(quality(tape.tallies))
    if not all(_is_exact(group) for group in comparison.groups):
        console.print("Too many to keep each: some percentiles are off by up to 1 %")


def comparison_table(console: Console, comparison: Comparison, sort: str) -> Renderables:
    """Return the table of thresholds; the column that it is sorted by is marked, and always shown."""
    columns = _place_columns(comparison)
    cells: list[Callable[[Mapping[str, Any]], str]] = []
    for metric in threshold_metrics(comparison.settings.horizons_ns, trades=comparison.traded is not None):
        if not metric.title or metric.drop is None or (metric.needs_fee and comparison.settings.fee is None):
            continue
        column = _column(metric)
        if metric.name == sort:
            column = replace(column, heading=f"{column.heading} {_arrow(console, metric)}", drop=0)
        columns.append(column)
        cells.append(metric.cell)
        if metric.has_bar:
            columns.append(Column("of the time", side="left", drop=2))
            cells.append(partial(_bar_cell, metric.name, in_blocks=_takes_blocks(console)))
    rows = []
    sections = []
    for _, block in groupby(comparison.entries(), key=lambda each: block_of(each[0])):
        for group, entry in islice(block, _SHOWN_ROWS):
            values = comparison.values(group, entry)
            rows.append((*_place(comparison, group), *(cell(values) for cell in cells)))
        sections.append(len(rows) - 1)
    return fitted_table(console, columns, rows, sections[:-1])


def traded_lines(comparison: Comparison) -> Iterator[str]:
    """Yield what was traded at each threshold, and the best of them; nothing without a strategy."""
    if comparison.traded is None:
        return
    from booktape.console.best import best_lines  # which needs all of a backtest

    settings = comparison.traded.backtest.settings
    yield (
        f"Profit is that of {settings.name}, fees {settings.fees_text}, latency {settings.latency}: back and "
        "front are the bounds of the queue"
    )
    yield from best_lines(comparison.traded.backtest)


def left_out(comparison: Comparison) -> int:
    """Return how many rows the table does not show."""
    sizes = Counter[object]()
    for group in comparison.groups:
        sizes[block_of(group)] += len(group.statistics)
    return sum(max(size - _SHOWN_ROWS, 0) for size in sizes.values())


def _column(metric: Metric) -> Column:
    side: Literal["left", "right"] = "left" if metric.kind in (TEXT, VERDICT) else "right"
    return Column(metric.title, metric.kind.shown_unit, side, metric.drop or 0)


def _arrow(console: Console, metric: Metric) -> str:
    ascending, descending = ("▴", "▾") if console.is_terminal else ("^", "v")
    return ascending if metric.sort == "ascending" else descending


def _place_columns(comparison: Comparison) -> list[Column]:
    by = comparison.settings.by
    names = ["product", *["tape"] * (len(comparison.tapes) > 1), *([by] if by else [])]
    return [Column(name, side="left") for name in names]


def _place(comparison: Comparison, group: Group) -> tuple[str, ...]:
    place = [group.product]
    if len(comparison.tapes) > 1:
        names = {tape.tape.name for tape in comparison.tapes}
        is_unique = len(names) == len(comparison.tapes)
        place.append("all" if group.tape is None else group.tape.name if is_unique else str(group.tape))
    if comparison.settings.by is not None:
        place.append("whole" if group.part is None else str(group.part))
    return tuple(place)


def quality_table(console: Console, comparison: Comparison) -> Renderables:
    """Return the quantiles of the spread over all observed time, and how far to trust each block."""
    columns = [
        *_place_columns(comparison),
        *(Column(f"p{round(quantile * 100)}", "bps", drop=2 + (quantile != 0.5)) for quantile in QUANTILES),
        *map(_column, QUALITY_METRICS),
    ]
    rows = []
    for group in comparison.groups:
        quality = group.quality.row()
        rows.append(
            (
                *_place(comparison, group),
                *map(display.bps, group.spread.quantiles),
                *(metric.cell(quality) for metric in QUALITY_METRICS),
            )
        )
    return fitted_table(console, columns, rows)


def nothing_passes(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each product, or tape of one, of which no summary is above the lowest threshold."""
    lowest = min(comparison.settings.thresholds, default=0.0)
    for group in comparison.groups:
        if group.part is not None:
            continue
        tape = comparison.tapes[0].tape if group.tape is None else group.tape
        command = f"booktape compare {quote(tape_name(tape))} -p {group.product} "
        if told := nothing_above(lowest, group.spread, command):
            place = _place(comparison, group)[: 1 + (len(comparison.tapes) > 1)]
            yield f"{', '.join(place)}: {told}"


def _takes_blocks(console: Console) -> bool:
    return console.is_terminal and plain_for(console.encoding, _EIGHTHS) == _EIGHTHS


def _bar_cell(name: str, row: Mapping[str, Any], *, in_blocks: bool) -> str:
    return bar(row[name], in_blocks=in_blocks)


def bar(share: float | None, *, in_blocks: bool) -> str:
    """Return a share as a bar of up to eight characters.

    >>> bar(0.5, in_blocks=False), bar(0.01, in_blocks=True)
    ('####', '▏')
    """
    eighths = round((share or 0.0) * _BAR * 8)
    eighths = max(eighths, 1) if share else 0  # the smallest share is still visible
    whole, rest = divmod(eighths, 8)
    if not in_blocks:
        return "#" * (whole + (rest >= 4))
    return (_EIGHTHS[8] * whole + _EIGHTHS[rest]).rstrip()


def _is_exact(group: Group) -> bool:
    return group.spread.quantiles_exact and all(entry.durations_exact for entry in group.statistics)
