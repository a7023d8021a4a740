"""What all results share: a repr of one line, a table in notebooks, and Arrow or pandas for calculations."""

from html import escape
from typing import Any, Final

import msgspec
import pyarrow as pa

from orderbook.document import Document
from orderbook.errors import BooktapeError

_MAX_ROWS: Final = 20
"""Rows of a table that a notebook shows."""


class Result:
    """Base of everything that a job returns."""

    __slots__ = ()

    def summary(self) -> str:
        """Return one line for people."""
        raise NotImplementedError

    def table(self) -> pa.Table:
        """Return the result as an Arrow table."""
        raise NotImplementedError

    def _document(self) -> Document:
        """Return the JSON form; docs/json.md is generated from its type."""
        raise NotImplementedError

    def document(self) -> dict[str, object]:
        """Return what `--json` prints, as dicts, lists, text and numbers."""
        document: dict[str, object] = msgspec.to_builtins(self._document())
        return document

    def to_pandas(self) -> Any:
        """Return `table()` as a pandas DataFrame.

        Raises:
            BooktapeError: if pandas is not installed.
        """
        try:
            return self.table().to_pandas()
        except ModuleNotFoundError:
            raise BooktapeError("to_pandas() needs pandas: pip install pandas") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary()}>"

    def _repr_html_(self) -> str:
        return html_of(self.summary(), self.table())


def html_of(title: str, table: pa.Table) -> str:
    """Return a table's first rows as HTML, under a title."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.column_names)
    columns = [_cells(column) for column in table.slice(0, _MAX_ROWS).columns]
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in zip(*columns, strict=True)
    )
    more = table.num_rows - _MAX_ROWS
    below = f"<p>{more:,} more rows</p>" if more > 0 else ""
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}"


def _cells(column: pa.ChunkedArray) -> list[str]:
    """Return the values of a column as HTML; times as ISO text, as Python's datetime has no nanoseconds."""
    values = (column.cast(pa.string()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return [
        "" if value is None else f"{value:.6g}" if isinstance(value, float) else escape(str(value))
        for value in values
    ]
