"""What a column of a comparison is, and how tables for people show it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from orderbook import display

Direction = Literal["ascending", "descending"]


class Kind(NamedTuple):
    """What kind of number a metric is: its type, its unit, and how tables for people show it."""

    dtype: pa.DataType
    unit: str
    shown_unit: str
    text: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a comparison.

    Attributes:
        name: of the column; `<horizon>` stands for each horizon of the mark-outs.
        kind: type, unit and format.
        title: short heading in tables for people; empty if they do not show the metric.
        definition: of the number, in Markdown.
        drop: a narrow terminal drops the columns with the highest numbers first, never those with 0; None if
            no terminal shows it. A report shows every metric that has a title.
        sort: how `--sort` orders rows by it; None if it cannot.
        error: name of the metric that is its standard error: tables show both in one cell.
        needs_fee: whether it is null without a fee.
        has_bar: whether a terminal draws it as a bar, too.
    """

    name: str
    kind: Kind
    title: str
    definition: str
    drop: int | None = 0
    sort: Direction | None = "descending"
    error: str = ""
    needs_fee: bool = False
    has_bar: bool = False

    @property
    def heading(self) -> str:
        """The title with its unit, for tables for people."""
        return f"{self.title} ({self.kind.shown_unit})" if self.kind.shown_unit else self.title

    def cell(self, row: Mapping[str, Any]) -> str:
        """Return the value in a row as text: "-" for null, with its standard error if there is one."""
        value = row[self.name]
        if value is None:
            return "-"
        error = row.get(self.error)
        return (
            self.kind.text(value)
            if error is None
            else f"{self.kind.text(value)} ±{display.significant(error)}"
        )

    def at(self, horizon: str) -> "Metric":
        """Return the metric of one horizon, such as `1s`."""
        names = (self.name, self.title, self.error)
        name, title, error = (text.replace("<horizon>", horizon) for text in names)
        return replace(self, name=name, title=title, error=error)
