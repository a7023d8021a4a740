"""A diff on a terminal: the verdict, counts, then the first difference of each product."""

from collections.abc import Iterator

from rich.console import Console, Group

from booktape.console.columns import Column, fitted_table
from orderbook import display
from orderbook.display import printable
from replay.checking.diff.results import Diff
from replay.checking.diff.row_differences import PlainRow, RowDifference, StreamDiff

_MAX_COLUMNS = 12
"""Of a row with more columns (RUN/depth has hundreds), only those that differ are shown."""
_MAX_NAMED = 6
"""The most columns that a line of counts names."""
_INDENT = "  "


def print_diff(console: Console, diff: Diff) -> None:
    """Print a diff; the first line is the verdict."""
    console.print(verdict(diff))
    for name, (a, b) in diff.facts.items():
        console.print(f"{name}: A {_fact(a)}, B {_fact(b)}")
    for name, side in diff.uncompared.items():
        console.print(f"{name}: only {side} has it, so it is not compared")
    if diff.sort != "backtests" or not diff.is_equal:
        console.print(_counts(console, diff))
    for stream in diff.streams:
        if stream.columns:
            console.print(_columns(stream))
    for product in dict.fromkeys(stream.product for stream in diff.streams):
        if found := diff.first_of(product):
            stream, first = found
            _print_difference(console, stream, first)
            if stream.first_frame is not None and stream.first_frame.seq != first.seq:
                _print_difference(console, stream, stream.first_frame, ", the first frame that differs")


def _fact(value: object) -> str:
    """Return a setting of a RUN as text; `-` for none."""
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return "-" if value is None or value == "" else printable(str(value))


def verdict(diff: Diff) -> str:
    """Return one line: equal, or the first difference."""
    if diff.is_equal:
        rows: dict[str, int] = {}
        for stream in diff.streams:
            name = stream.stream.partition(" of ")[0]  # of a backtest, each lane has streams of its own
            rows[name] = rows.get(name, 0) + stream.equal
        counts = ", ".join(f"{number:,} {name}" for name, number in rows.items())
        products = len({stream.product for stream in diff.streams})
        return f"Equal: {counts} of {display.plural(products, 'product')}"
    if found := diff.first_of():
        stream, first = found
        return (
            f"Different: {stream.product} {stream.stream} first at row {first.seq:,}: {_what(stream, first)}"
        )
    only = [
        f"only {side} has {name}"
        for side, names in (("A", diff.only_a), ("B", diff.only_b))
        for name in names
    ]
    return f"Different: {', '.join(only) or 'the rows are equal, but the feeds are not'}"


def _what(stream: StreamDiff, at: RowDifference) -> str:
    """Return what differs in a row."""
    if at.columns:
        return ", ".join(at.columns)
    side, last_seq = ("B", stream.last_b) if at.b is None else ("A", stream.last_a)
    if last_seq is None:
        return f"{side} has no rows"
    return f"{side} ends after row {last_seq:,}" if last_seq < at.seq else f"{side} has no such row"


def _columns(stream: StreamDiff) -> str:
    """Return a line with the number of differences in each column."""
    columns = [
        f"{name} in {display.plural(found.rows, 'row')} from {found.first_seq:,} on"
        for name, found in list(stream.columns.items())[:_MAX_NAMED]
    ]
    if len(stream.columns) > _MAX_NAMED:
        columns.append(display.plural(len(stream.columns) - _MAX_NAMED, "more column"))
    return f"{stream.product} {stream.stream} differ: {'; '.join(columns)}"


def _counts(console: Console, diff: Diff) -> Group:
    columns = [
        Column("product", side="left"),
        Column("stream", side="left"),
        Column("rows A"),
        Column("rows B"),
        Column("equal", drop=1),
        Column("differing"),
        Column("only A"),
        Column("only B"),
        Column("first", "row"),
    ]
    rows = [
        (
            each.product,
            each.stream,
            *(display.count(number) for number in (each.rows_a, each.rows_b, each.equal)),
            *(display.count(number) for number in (each.differing, each.only_a, each.only_b)),
            "-" if each.first is None else display.count(each.first.seq),
        )
        for each in diff.streams
        if each.first is not None or diff.sort != "backtests"
    ]
    return fitted_table(console, columns, rows)


def _print_difference(console: Console, stream: StreamDiff, at: RowDifference, which: str = "") -> None:
    console.print(f"\n{stream.product} {stream.stream}, row {at.seq:,}{which}: {_what(stream, at)}")
    console.print(_rows(console, at))
    width = console.width - len(_INDENT)
    if stream.stream in ("rows", "frames"):
        payloads = [(name, row["payload"]) for name, row in (("A", at.a), ("B", at.b)) if row is not None]
        lines = beside(payloads, width)
    else:
        lines = (line for frame in at.frames for line in _frame(frame.tape, frame.row, frame.error, width))
    for line in lines:
        console.print(_INDENT + line)


def _rows(console: Console, at: RowDifference) -> Group:
    """Return both rows, one line for each column, with a * if they differ; payloads follow below."""
    names = [name for name in (at.a or at.b or {}) if name != "payload"]
    if len(names) > _MAX_COLUMNS:
        names = ["seq", *(at.columns or names[1:])][:_MAX_COLUMNS]
    columns = [Column("column", side="left"), Column("A"), Column("B")]
    rows = [
        (f"{name}*" if name in at.columns else name, *(_cell(row, name) for row in (at.a, at.b)))
        for name in names
    ]
    return fitted_table(console, columns, rows)


def _cell(row: PlainRow | None, name: str) -> str:
    if row is None:
        return "-"
    value = row.get(name)
    return "null" if value is None else printable(str(value), 60)


def _frame(tape: str, row: PlainRow | None, error: str | None, width: int) -> Iterator[str]:
    """Yield the lines about a raw row of a tape."""
    if row is None:
        yield printable(f"The raw frame cannot be read: {error}")
    else:
        yield printable(f"Row {row['seq']:,} of {tape}, {row['kind']}, received {row['recv_time']}:")
        yield printable(row["payload"], width)[:width]


def beside(texts: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield two texts as lines of at most `width` characters around their first difference, and a mark at it.

    Args:
        texts: pairs of name and text; one text, or two equal ones, become one line.
        width: characters in a line.
    """
    (name_a, a), (name_b, b) = texts[0], texts[-1]
    if a == b:
        names = name_a if len(texts) == 1 else f"{name_a}, {name_b}"
        yield f"{names} {printable(a, width)}"[:width]
        return
    at = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, at - width // 3)
    dots = "..." if start else ""
    for name, text in texts:
        yield f"{name} {dots}{printable(text[start:], width)}"[:width]
    yield " " * len(f"{name_a} {dots}{printable(a[start:at], width)}") + f"^ from character {at + 1:,} on"
