"""Tables that fit: a narrow terminal loses columns, never digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table

_GAP = 2  # blanks between columns


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: what it holds.
        unit: its unit, on the heading's second line.
        side: where cells align; numbers on the right.
        spare: where the table is too wide, columns with the highest number go first; 0 always stays.
    """

    heading: str
    unit: str = ""
    side: Literal["left", "right"] = "right"
    spare: int = 0


def fitted_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], sections: Sequence[int] = ()
) -> Table:
    """Return a table of rows that fits the console, or has only columns that must stay.

    Args:
        console: where it will be printed.
        columns: all of them.
        rows: a cell for every column.
        sections: numbers of rows after which a line is drawn.
    """
    shown = _shown(console.width if console.is_terminal else None, columns, rows)
    made = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        header_style="bold",
        pad_edge=False,
        show_edge=False,
        padding=(0, _GAP - 1 if console.is_terminal else _GAP, 0, 0),
        collapse_padding=True,
    )
    for number in shown:
        column = columns[number]
        made.add_column(
            f"{column.heading}\n{column.unit}",
            justify=column.side,
            no_wrap=True,
            min_width=_width(number, columns, rows),
        )
    for number, row in enumerate(rows):
        made.add_row(*(row[each] for each in shown), end_section=number in sections)
    return made


def _shown(width: int | None, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the numbers of the columns that fit into a width; None is any width."""
    shown = list(range(len(columns)))
    while width is not None and sum(_width(each, columns, rows) + _GAP for each in shown) - _GAP > width:
        spare = max(shown, key=lambda each: columns[each].spare)
        if not columns[spare].spare:
            break
        shown.remove(spare)
    return shown


def _width(number: int, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return the widest cell of a column, its heading included."""
    column = columns[number]
    return max(len(column.heading), len(column.unit), *(len(row[number]) for row in rows), 0)
