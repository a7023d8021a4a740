"""HTML out of text. Every text is escaped here, whoever it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is HTML already; everything else is escaped."""

    html: str


Cell = str | Markup


def markup(value: Cell) -> str:
    """Return a text as HTML."""
    return value.html if isinstance(value, Markup) else escape(value)


def table(
    caption: str, headings: Sequence[Cell], rows: Sequence[Sequence[Cell]], left: int = 1, name: str = ""
) -> str:
    """Return a table that scrolls in itself where it is wider than the page, also by keyboard.

    Args:
        caption: what it shows.
        headings: of the columns.
        rows: its cells; the first of each names the row.
        left: how many columns are text, the others numbers.
        name: its id.
    """

    def sided(place: int) -> str:
        return "" if place < left else ' class="number"'

    named = f' id="{escape(name)}"' if name else ""
    head = "".join(f'<th scope="col"{sided(n)}>{markup(cell)}</th>' for n, cell in enumerate(headings))
    lines = []
    for row in rows:
        cells = "".join(f"<td{sided(n)}>{markup(cell)}</td>" for n, cell in enumerate(row[1:], 1))
        lines.append(f'<tr><th scope="row"{sided(0)}>{markup(row[0])}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="scroll"{named} role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>"
    )
