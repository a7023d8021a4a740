"""Results in a notebook: what a terminal shows, as HTML tables and lines of escaped text."""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any, Final

from rich.console import Console, Group
from rich.text import Text

from booktape.console.columns import TextTable
from orderbook.display import printable_lines
from orderbook.result import Result

MAX_ROWS: Final = 200
"""Rows of a table that a notebook shows."""

_NUMBER: Final = ' style="text-align:right"'
_TEXT: Final = ' style="text-align:left"'
_TABLE: Final = '<table style="white-space:nowrap"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}'
_LINE: Final = '<div style="white-space:pre-wrap">{}</div>'


def html_of(result: Result) -> str:
    """Return a result as a terminal shows it, with every column."""
    console = _HtmlConsole()
    printers()[type(result).__name__](console, result)
    return f"<div>{''.join(console.parts)}</div>"


class _HtmlConsole(Console):
    """A console that keeps what is printed as HTML; no terminal, so no column is left out."""

    def __init__(self) -> None:
        super().__init__(force_terminal=False, highlight=False, markup=False)
        self.parts: list[str] = []

    @property
    def encoding(self) -> str:
        """Every character can be shown."""
        return "utf-8"

    def print(self, *objects: Any, **_: Any) -> None:
        """Keep what is printed."""
        self.parts += (part for each in objects for part in _html(each))


def _html(shown: Any) -> Iterator[str]:
    if isinstance(shown, Group):
        for each in shown.renderables:
            yield from _html(each)
    elif isinstance(shown, TextTable):
        yield _table(shown)
    else:
        yield _LINE.format(_escaped(shown))


def _table(table: TextTable) -> str:
    styles = [_NUMBER if column.side == "right" else _TEXT for column in table.columns]
    head = "".join(
        f"<th{style}>{_escaped(column.title).replace(chr(10), '<br>')}</th>"
        for column, style in zip(table.columns, styles, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{style}>{_escaped(cell)}</td>" for cell, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in table.rows[:MAX_ROWS]
    )
    left_out = len(table.rows) - MAX_ROWS
    more = _LINE.format(f"{left_out:,} more rows") if left_out > 0 else ""
    return _TABLE.format(head, body, more)


def _escaped(shown: Any) -> str:
    text = shown.plain if isinstance(shown, Text) else str(shown)
    return escape(printable_lines(text).strip("\n"))


def printers() -> dict[str, Callable[[Any, Any], None]]:
    """Return what prints each kind of result, by its name."""
    from booktape.console import results
    from booktape.console.backtest import print_backtest
    from booktape.console.comparison import print_comparison
    from booktape.console.diff import print_diff
    from booktape.console.walking import print_walk

    return {
        "Backtest": print_backtest,
        "Comparison": lambda console, result: print_comparison(console, result, result.sorted_by),
        "Diff": print_diff,
        "Inspection": results.print_inspection,
        "Ladder": results.print_ladder,
        "Merged": results.print_merged,
        "Recorded": results.print_recorded,
        "RunResult": results.print_run,
        "Verification": lambda console, result: results.print_verification(console, result, strict=False),
        "WalkForward": print_walk,
    }
