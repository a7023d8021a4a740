"""Tables that fit: a narrow terminal loses columns, never digits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat, zip_longest
from typing import Final, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group
from rich.measure import Measurement
from rich.segment import Segment
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

    @property
    def title(self) -> str:
        """Both lines of the heading."""
        return f"{self.heading}\n{self.unit}"


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
    widths = _widths(columns, rows)
    shown = _shown(console.width if console.is_terminal else None, columns, widths)
    table = TextTable(
        [columns[each] for each in shown],
        [widths[each] for each in shown],
        [[row[each] for each in shown] for row in rows],
        frozenset(sections),
    )
    missing = ", ".join(_missing(columns, shown))
    note = f"Left out at {console.width} columns: {missing}"
    return Group(table, *([Text(note, style="dim")] if missing else []))


@dataclass(frozen=True, slots=True)
class TextTable:
    """Columns whose widths are known, as text: Rich's table takes a millisecond a row, as its cells may wrap.

    On a terminal a line is drawn below the headings, and a blank one after the rows that `sections` names.
    """

    columns: Sequence[Column]
    widths: Sequence[int]
    rows: Sequence[Sequence[str]]
    sections: frozenset[int]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        bold = console.get_style("bold")
        has_units = any(each.unit for each in self.columns)
        for line in self._lines([each.title if has_units else each.heading for each in self.columns]):
            yield from (Segment(line, bold), Segment.line())
        whole = self.__rich_measure__(console, options).maximum
        if console.is_terminal:
            yield from (Segment(("-" if options.ascii_only else "─") * whole), Segment.line())
        for number, row in enumerate(self.rows):
            for line in self._lines(row):
                yield from (Segment(line), Segment.line())
            if console.is_terminal and number in self.sections and number + 1 < len(self.rows):
                yield from (Segment(" " * whole), Segment.line())

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        whole = sum(self.widths) + _GAP * (len(self.widths) - 1)
        return Measurement(whole, whole)

    def _lines(self, cells: Sequence[str]) -> Iterator[str]:
        """Yield the lines of a row: cells of several lines are as high as the highest."""
        for parts in zip_longest(*(cell.split("\n") for cell in cells), fillvalue=""):
            placed = zip(parts, self.columns, self.widths, strict=True)
            yield (" " * _GAP).join(
                part + " " * (width - cell_len(part))
                if column.side == "left"
                else " " * (width - cell_len(part.rstrip())) + part.rstrip()
                for part, column, width in placed
            )


def left_out(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the headings of the columns for which the console has no room."""
    shown = _shown(console.width if console.is_terminal else None, columns, _widths(columns, rows))
    return _missing(columns, shown)


def _missing(columns: Sequence[Column], shown: Sequence[int]) -> list[str]:
    return [column.heading for number, column in enumerate(columns) if number not in shown]


def _shown(width: int | None, columns: Sequence[Column], widths: Sequence[int]) -> list[int]:
    """Return the numbers of the columns that fit into a width; None is any width."""
    shown = list(range(len(columns)))
    while width is not None and sum(widths[each] + _GAP for each in shown) - _GAP > width:
        if len(shown) == 1:
            break
        highest = max(columns[each].drop for each in shown)
        equal = [each for each in shown if columns[each].drop == highest]
        shown.remove(equal[0] if highest else equal[-1])
    return shown


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the widest cell of each column, its heading included."""
    return [
        max(
            column.least,
            *(cell_len(line) for cell in (column.heading, column.unit, *cells) for line in cell.split("\n")),
        )
        for column, cells in zip(columns, zip(*rows, strict=True) if rows else repeat(()), strict=False)
    ]


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
