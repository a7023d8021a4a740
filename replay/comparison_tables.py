"""How a comparison of thresholds looks on a terminal."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from orderbook.threshold import format_threshold
from recorder import terminal
from recorder.columns import Column, fitted_table
from replay.compared import Group, block_of
from replay.comparison import Comparison
from replay.sweep.results import QUANTILES, MarkOut, ThresholdStatistics, horizon_label

_BAR: Final = 8
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column of the table: the key that rows are sorted by, how it is headed, and its cells."""

    key: str
    column: Column
    cell: Callable[[ThresholdStatistics], str]


def _number(name: str, column: Column, spell: Callable[[Any], str]) -> _Shown:
    """Return the column of a number as it is, which rows can be sorted by."""
    return _Shown(name, column, lambda entry: spell(getattr(entry, name)))


def print_comparison(console: Console, comparison: Comparison, sort: str) -> None:
    """Print the table of thresholds, a block a group, and under it what it rests on."""
    for tape in comparison.tapes:
        console.print(terminal.heading(tape.tallies, tape.tape))
    console.print(comparison_table(console, comparison, sort))
    console.print()
    console.print(quality_table(console, comparison))
    for tape in comparison.tapes:
        console.print(terminal.quality(tape.tallies))
    if not all(_is_exact(group) for group in comparison.groups):
        console.print("Too many to keep each: some percentiles are off by up to 1 %")


def comparison_table(console: Console, comparison: Comparison, sort: str) -> Table:
    """Return the table of a comparison; the column that it is sorted by is marked, and stays."""
    columns = _place_columns(comparison)
    shown = _columns(console, comparison)
    down, up = ("▾", "▴") if console.is_terminal else ("v", "^")
    for each in shown:
        column = each.column
        if each.key == sort:
            mark = up if sort == "threshold" else down
            column = Column(f"{column.heading} {mark}", column.unit, column.side)
        columns.append(column)
    rows = []
    sections = []
    for _, block in groupby(comparison.entries(), key=lambda each: block_of(each[0])):
        rows += [
            (*_place(comparison, group), *(each.cell(entry) for each in shown)) for group, entry in block
        ]
        sections.append(len(rows) - 1)
    return fitted_table(console, columns, rows, sections[:-1])


def _place_columns(comparison: Comparison) -> list[Column]:
    by = comparison.settings.by
    names = ["product", *["tape"] * (len(comparison.tapes) > 1), *([by] if by else [])]
    return [Column(name, side="left") for name in names]


def _place(comparison: Comparison, group: Group) -> tuple[str, ...]:
    place = [group.product]
    if len(comparison.tapes) > 1:
        names = {tape.tape.name for tape in comparison.tapes}
        is_telling = len(names) == len(comparison.tapes)
        place.append("all" if group.tape is None else group.tape.name if is_telling else str(group.tape))
    if comparison.settings.by is not None:
        place.append("whole" if group.part is None else str(group.part))
    return tuple(place)


def quality_table(console: Console, comparison: Comparison) -> Table:
    """Return the quantiles of the spread over all observed time, and how far to trust each block."""
    columns = [
        *_place_columns(comparison),
        *(Column(f"p{round(quantile * 100)}", "bps", spare=2 + (quantile != 0.5)) for quantile in QUANTILES),
        Column("excluded", "s"),
        Column("interr."),
        Column("crossed"),
        Column("verdict", side="left", spare=1),
    ]
    rows = [
        (
            *_place(comparison, group),
            *(terminal.bps(spread) for spread in group.spread.quantiles or (None,) * len(QUANTILES)),
            terminal.seconds(group.quality.excluded_s),
            terminal.count(group.quality.interruptions),
            terminal.count(group.quality.crossed),
            group.quality.verdict or "-",
        )
        for group in comparison.groups
    ]
    return fitted_table(console, columns, rows)


def _columns(console: Console, comparison: Comparison) -> list[_Shown]:
    fee = comparison.settings.fee
    paid = [
        _number("mean_net_spread_bps", Column("net", "bps", spare=1), _signed),
        _number("net_positive_share", Column("net > 0", "%", spare=1), terminal.percent),
    ]
    return [
        _number("threshold", Column("threshold"), format_threshold),
        _number("signals", Column("signals"), terminal.count),
        _number("episodes", Column("episodes"), terminal.count),
        _Shown(
            "episodes_per_hour",
            Column("an hour", spare=9),
            lambda entry: "-" if entry.episodes_per_hour is None else f"{entry.episodes_per_hour:,.1f}",
        ),
        _number("time_above_s", Column("above", "s", spare=3), terminal.seconds),
        _number("share", Column("share", "%"), terminal.percent),
        _Shown(
            "",
            Column("of the time", side="left", spare=2),
            lambda entry: bar(entry.share, in_blocks=console.is_terminal),
        ),
        *(paid if fee is not None else []),
        _number("duration_p50_s", Column("p50", "s", spare=4), terminal.seconds),
        _number("duration_p95_s", Column("p95", "s", spare=6), terminal.seconds),
        _number("duration_max_s", Column("longest", "s", spare=5), terminal.seconds),
        _number("mean_relative_spread", Column("spread", "bps", spare=7), terminal.bps),
        _number("max_relative_spread", Column("largest", "bps", spare=13), terminal.bps),
        _number("mean_bid_size", Column("bid size", spare=11), _short),
        _number("mean_ask_size", Column("ask size", spare=12), _short),
        _number("mean_touch_value", Column("smaller", "quote", spare=8), _short),
        *(
            _markout_column(number, horizon_label(horizon))
            for number, horizon in enumerate(comparison.settings.horizons_ns)
        ),
    ]


def _markout_column(number: int, label: str) -> _Shown:
    return _Shown(
        f"markout_{label}_mean_bps",
        Column(f"after {label}", "bps", spare=10),
        lambda entry: _markout(entry.markouts[number]),
    )


def _markout(found: MarkOut) -> str:
    if found.standard_error_bps is None:
        return _signed(found.mean_bps)
    return f"{_signed(found.mean_bps)} ±{found.standard_error_bps:.3f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _short(value: float | None) -> str:
    """Return a size or a value in four digits or the digits before the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def bar(share: float | None, *, in_blocks: bool) -> str:
    """Return a share as a bar; a full one is all of the time.

    >>> bar(0.5, in_blocks=False), bar(0.01, in_blocks=True)
    ('####', '▏')
    """
    eighths = round((share or 0.0) * _BAR * 8)
    eighths = max(eighths, 1) if share else 0  # a little is not nothing
    whole, rest = divmod(eighths, 8)
    if not in_blocks:
        return "#" * (whole + (rest >= 4))
    return (_EIGHTHS[8] * whole + _EIGHTHS[rest]).rstrip()


def _is_exact(group: Group) -> bool:
    return group.spread.quantiles_exact and all(entry.durations_exact for entry in group.statistics)
