"""Tables that fit: a narrow terminal loses columns, never digits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from booktape.console.streams import plain_for
from orderbook import display

_GAP = 2  # blanks between columns
_MONEY: Final = frozenset({"net", "net_exit", "realised", "unrealised", "turnover", "fees", "drawdown"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: first line of the heading.
        unit: second line of the heading.
        side: alignment of the cells; numbers go to the right.
        drop: a table that is too wide loses the columns with the highest numbers first, those with 0 last,
            from the right.
        least: smallest width, in characters.
    """

    heading: str
    unit: str = ""
    side: Literal["left", "right"] = "right"
    drop: int = 0
    least: int = 0


def fitted_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], sections: Sequence[int] = ()
) -> Group:
    """Return a table of rows that fits the console.

    A line below names the columns that are left out.

    Args:
        console: console that will print it.
        columns: all of them.
        rows: a cell for every column.
        sections: numbers of rows after which a line is drawn.
    """
    rows = [[plain_for(console.encoding, cell) for cell in row] for row in rows]
    columns = [replace(each, heading=plain_for(console.encoding, each.heading)) for each in columns]
    shown = _shown(console.width if console.is_terminal else None, columns, rows)
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        header_style="bold",
        pad_edge=False,
        show_edge=False,
        padding=(0, _GAP - 1 if console.is_terminal else _GAP, 0, 0),
        collapse_padding=True,
    )
    for number in shown:
        column = columns[number]
        table.add_column(
            f"{column.heading}\n{column.unit}",
            justify=column.side,
            no_wrap=True,
            width=_width(number, columns, rows),
        )
    for number, row in enumerate(rows):
        table.add_row(*(row[each] for each in shown), end_section=number in sections)
    missing = ", ".join(left_out(console, columns, rows))
    note = f"Left out at {console.width} columns: {missing}"
    return Group(table, *([Text(note, style="dim")] if missing else []))


def left_out(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the headings of the columns for which the console has no room."""
    shown = _shown(console.width if console.is_terminal else None, columns, rows)
    return [column.heading for number, column in enumerate(columns) if number not in shown]


def _shown(width: int | None, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the numbers of the columns that fit into a width; None is any width."""
    shown = list(range(len(columns)))
    while width is not None and sum(_width(each, columns, rows) + _GAP for each in shown) - _GAP > width:
        if len(shown) == 1:
            break
        highest = max(columns[each].drop for each in shown)
        equal = [each for each in shown if columns[each].drop == highest]
        shown.remove(equal[0] if highest else equal[-1])
    return shown


def _width(number: int, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return the widest cell of a column, its heading included."""
    column = columns[number]
    cells = (column.heading, column.unit, *(row[number] for row in rows))
    return max(column.least, *(cell_len(line) for cell in cells for line in cell.split("\n")))


def money(value: float | None) -> str:
    """Return an amount of the quote currency with four significant digits, or cents."""
    return "-" if value is None else f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.4g}"


def is_money(column: str) -> bool:
    """Tell whether a column of a backtest is money, in the quote currency."""
    return column in _MONEY


def amount(column: str, value: float | None, product: str) -> str:
    """Return a number of a backtest, with its currency if it is money."""
    unit = f" {display.quote_of(product)}" if is_money(column) and value is not None else ""
    return f"{money(value)}{unit}"
