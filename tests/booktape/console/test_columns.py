"""A table of our own layout looks as Rich's own does, of which each row takes a millisecond."""

import io
import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from rich import box
from rich.console import Console
from rich.table import Table

from booktape.console.columns import Column, fitted_table

TEXTS = st.text("12 ,x日▏é\n", max_size=8)
NAMES = st.text("ab日", min_size=1, max_size=8)
COLUMNS = st.lists(
    st.builds(Column, NAMES, st.sampled_from(["", "bps"]), st.sampled_from(["left", "right"])), min_size=1
)


def printed(console: Console, table: object) -> str:
    """Return what a console shows of a table, without styles."""
    with console.capture() as shown:
        console.print(table)
    return re.sub("\x1b\\[[0-9;]*m", "", shown.get())


def by_rich(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], sections: Sequence[int]
) -> Table:
    """Return the same table, laid out by Rich."""
    is_terminal = console.is_terminal
    table = Table(
        box=box.SIMPLE_HEAD if is_terminal else None,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1 if is_terminal else 2, 0, 0),
        collapse_padding=True,
    )
    for column in columns:
        title = f"{column.heading}\n{column.unit}" if any(each.unit for each in columns) else column.heading
        table.add_column(title, justify=column.side, no_wrap=True)
    for number, row in enumerate(rows):
        table.add_row(*row, end_section=number in sections)
    return table


@given(columns=COLUMNS, data=st.data(), is_terminal=st.booleans())
def test_a_table_looks_as_that_of_rich(columns: list[Column], data: st.DataObject, is_terminal: bool) -> None:
    """Headings, alignment, wide characters, cells of several lines and sections are where Rich puts them."""
    cells = st.lists(TEXTS, min_size=len(columns), max_size=len(columns))
    rows = data.draw(st.lists(cells, max_size=5))
    sections = data.draw(st.lists(st.integers(0, 4), max_size=2))
    console = Console(
        file=io.StringIO(), width=400, force_terminal=is_terminal, markup=False, highlight=False
    )
    expected = printed(console, by_rich(console, columns, rows, sections))
    assert printed(console, fitted_table(console, columns, rows, sections)) == expected
