"""Write docs/api.md: the reference of the Python API, from its signatures, docstrings and schemas.

    python -m docs.make_api

A test holds the page against the code: run this after every change of the API.
"""

import dataclasses
import re
from collections.abc import Iterator
from inspect import Parameter, getdoc, isfunction, signature
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

import booktape as bt
from docs.columns import COLUMNS, TABLES
from orderbook.anomalies import ANOMALIES
from orderbook.schema import FLOW_ANOMALY_SCHEMA

PAGE: Final = Path(__file__).parent / "api.md"

FUNCTIONS: Final = (
    "open",
    "sample",
    "record",
    "live",
    "flow",
    "import_",
    "merge",
    "compare",
    "backtest",
    "walk_forward",
    "search",
    "compiled",
    "check",
    "compile_engine",
    "diff",
    "export",
    "view",
    "fleet",
    "write_services",
    "run_fleet",
)
RESULTS: Final = (
    *(
        "Recorded",
        "Merged",
        "RunResult",
        "Comparison",
        "Backtest",
        "WalkForward",
        "Verification",
        "Inspection",
        "Ladder",
        "Diff",
        "Exported",
        "Fleet",
    ),
)
TUTORIAL: Final = (
    *("CoinbaseSource", "OrderBookState", "OrderBookSummary", "Strategy", "MarketView", "Wakes", "Setting"),
    "Execution",
)

START: Final = """\
# Python API

This page is generated from the code by `python -m docs.make_api`; a test holds it against the code.

```python
import booktape as bt

tape = bt.open("sample:")  # or the directory of a tape of yours
print(tape)
print(tape.summaries("BTC-USD", start="+1m").num_rows)  # an Arrow table
print(tape.book("BTC-USD", at="+1m", depth=10))
print(tape.compare("1bps:20bps:1bps"))  # .table() for Arrow, .to_pandas() for pandas
try:
    tape.summaries("DOGE-USD")
except bt.UnknownProductError as error:
    print(error.product, error.choices)
```

`import booktape` is light: Arrow and Bytewax are loaded on first use. A `Tape` is a path too: hand it to
everything that takes one. Arrow tables, such as those of `summaries()`, are pyarrow's own: they go to
pandas by `.to_pandas()` (without pandas: pyarrow's `ModuleNotFoundError`; results raise a `BooktapeError`)
and to Polars by `polars.from_arrow(table)`. Times in tables are UTC, in nanoseconds, for which Python's own
`datetime` has no room: `to_pylist()` of a column of times needs pandas, `.cast("int64")` does not.

## Values

Every argument takes the spellings that the command line takes.

| type | is |
|---|---|
| `PathLike` | a `str` or `os.PathLike`; for a tape also a `Tape`, or `"sample:"`, the tape that booktape comes with, which is read-only; `~` at the beginning is the home directory |
| `ProductsLike` | a product id such as `"BTC-USD"`, or several; None or none named for all of a tape |
| `TimeLike` | ISO text or a date, in UTC if it names no zone (`"2026-08-09 21:05:50"`, `"2026-08-09T23:05:50+02:00"`); `"+5m"` or `"60s"` after the first row of the tape; a `datetime` or `date`, also of numpy, pandas or Arrow; or a number of s, ms, us or ns since 1970, which its size tells |
| `DurationLike` | `"250ms"`, `"90s"`, `"5m"`, `"1h"`, `"2d"`, or a number of seconds |
| `ThresholdLike` | a fraction of the best ask: `"0.1%"`, `"10bps"`, `"0.001"` or `0.001`; where several are taken also a sweep `"1bps:20bps:1bps"` (minimum, maximum, step) or `"1bps:100bps:x5"` (5 at equal ratios) |
| `SizeLike` | bytes: `"256MiB"`, `"64KiB"`, or a number |
| `SpeedLike` | `1` is the original timing, `10` ten times faster, `"max"` as fast as possible |
"""


def page() -> str:
    """Return the page."""
    return "\n".join([*_lines(), ""])


def _lines() -> Iterator[str]:
    yield START
    yield "## Functions\n"
    for name in FUNCTIONS:
        yield from _callable(f"booktape.{name}", getattr(bt, name), "###")
    yield "## Tape\n"
    yield from _class("booktape.Tape", bt.Tape)
    yield "## Results\n"
    yield (
        "Every result has a repr of one line and shows as a table in notebooks. `table()` is an Arrow table,"
        " `to_pandas()` the same as a pandas DataFrame, `document()` what `--json` prints:"
        " [its keys](json.md).\n"
    )
    for name in RESULTS:
        yield from _class(f"booktape.{name}", getattr(bt, name))
    yield "## Columns\n"
    for title, schema_name, schema in TABLES:
        yield from _columns(title, schema_name, schema)
        if schema is FLOW_ANOMALY_SCHEMA:
            yield from _anomaly_kinds()
    yield (
        "### Comparison.table\n\nOne row for each product, tape, part and threshold; its columns are in"
        " [numbers.md](numbers.md).\n"
    )
    yield "## Errors\n"
    yield (
        "Everything that a user can act on is a `BooktapeError`; `str()` is one clear line. Bad values raise"
        " no other exception.\n"
    )
    yield "| error | is a | fields | when |"
    yield "|---|---|---|---|"
    for error in _errors():
        fields = ", ".join(f"`{field}`" for field, _ in section(error, "Attributes"))
        first = (getdoc(error) or "").partition("\n\n")[0].replace("\n", " ")
        yield f"| `{error.__name__}` | `{error.__bases__[0].__name__}` | {fields} | {first} |"
    yield "\n## For strategies and flows\n"
    yield "The names of the Bytewax tutorial, and the protocol of a strategy.\n"
    for name in TUTORIAL:
        yield from _class(f"booktape.{name}", getattr(bt, name))
    yield "`booktape.__version__` is the installed version, a `str`."


def _errors() -> list[type[Exception]]:
    """Return the error classes, bases first."""
    found = [getattr(bt, name) for name in bt.__all__ if name.endswith("Error")]
    return sorted(found, key=lambda error: (len(error.__mro__), error.__name__))


def _callable(title: str, function: Any, level: str) -> Iterator[str]:
    """Yield the reference of a function or a method."""
    bare = title.rpartition(".")[2]
    parameters = [each for each in signature(function).parameters.values() if each.name != "self"]
    result = _type_name(signature(function).return_annotation)
    required = [each.name for each in parameters if each.default is Parameter.empty]
    optional = "..." if len(required) < len(parameters) else ""
    shown = ", ".join([*required, *([optional] if optional else [])])
    yield f"{level} {title}\n"
    yield f"`{bare}({shown}) -> {result}`\n"
    yield prose(function)
    documented = dict(section(function, "Args"))
    if parameters:
        yield "| parameter | type | default | |"
        yield "|---|---|---|---|"
    for each in parameters:
        default = "required" if each.default is Parameter.empty else f"`{each.default!r}`"
        kind = _type_name(each.annotation).replace("|", "\\|")
        yield f"| `{each.name}` | `{kind}` | {default} | {documented[each.name]} |"
    if parameters:
        yield ""
    for name, text in section(function, "Raises"):
        yield f"- `{name}` {text}"
    yield ""


def _type_name(annotation: Any) -> str:
    """Return an annotation as it is written where the names in it are imported."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"\b(?!pa\.)(?:[a-z_]+\.)+(?=[A-Z])", "", text)


def _class(title: str, cls: Any) -> Iterator[str]:
    """Yield the reference of a class: attributes, properties and methods of its own."""
    yield f"### {title}\n"
    yield prose(cls)
    documented = dict(section(cls, "Attributes"))
    attributes = {
        name: documented.get(name) or _column_meaning(name) for name in (*documented, *_fields(cls))
    }
    for name, value in members(cls):
        if isinstance(value, property):
            attributes.setdefault(name, first_line(value))
    if attributes:
        yield "| attribute | |"
        yield "|---|---|"
        yield from (f"| `{name}` | {text} |" for name, text in attributes.items())
        yield ""
    methods = [(name, value) for name, value in members(cls) if callable(value)]
    if cls is bt.Tape:
        for name, value in methods:
            yield from _callable(f"{title}.{name}", value, "####")
        return
    for name, value in methods:
        parameters = ", ".join(each for each in signature(value).parameters if each not in ("self", "cls"))
        yield f"- `{name}({parameters})`: {first_line(value)}"
    yield ""


def _column_meaning(name: str) -> str:
    """Return what a field holds that is named like a column."""
    column = COLUMNS.get(name)
    return "" if column is None else f"{column.meaning} ({column.unit})"


def _fields(cls: type) -> list[str]:
    """Return the public fields of a dataclass or a Struct."""
    names = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    return [name for name in [*names, *getattr(cls, "__struct_fields__", ())] if not name.startswith("_")]


def members(cls: type) -> list[tuple[str, Any]]:
    """Return the public properties and methods that a class defines."""
    return [
        (name, value.__func__ if isinstance(value, classmethod | staticmethod) else value)
        for name, value in vars(cls).items()
        if not name.startswith("_")
        and (isinstance(value, property | classmethod | staticmethod) or isfunction(value))
    ]


def _columns(title: str, schema_name: str, schema: pa.Schema) -> Iterator[str]:
    yield f"### {title}\n"
    yield "| column | dtype | unit | null | |"
    yield "|---|---|---|---|---|"
    for field in schema:
        column = COLUMNS.get(f"{schema_name}.{field.name}") or COLUMNS[field.name]
        null = "yes" if field.nullable else "no"
        yield f"| `{field.name}` | `{field.type}` | {column.unit} | {null} | {column.meaning} |"
    yield ""


def _anomaly_kinds() -> Iterator[str]:
    yield "| kind of anomaly | | fails `verify --strict` | breaks its connection |"
    yield "|---|---|---|---|"
    for each in ANOMALIES:
        answers = ("yes" if flag else "no" for flag in (each.is_feed_fault, each.breaks_connection))
        yield f"| `{each.name}` | {each.meaning} | {' | '.join(answers)} |"
    yield ""


def prose(item: Any) -> str:
    """Return a docstring without its sections."""
    text = re.split(r"\n\n?(?:Args|Raises|Returns|Attributes|Example):\n", getdoc(item) or "")[0]
    return f"{text}\n"


def first_line(item: Any) -> str:
    """Return the first line of a docstring."""
    return (getdoc(item) or "").partition("\n")[0]


def section(item: Any, name: str) -> list[tuple[str, str]]:
    """Return the entries of a section of a docstring; `a, b: text` is two."""
    found = re.search(rf"^{name}:\n((?:(?: .*)?\n?)*)", getdoc(item) or "", re.MULTILINE)
    entries: list[tuple[str, str]] = []
    for entry in re.split(r"\n(?=    \S)", found[1].rstrip() if found else ""):
        names, _, text = re.sub(r"\s+", " ", entry).strip().partition(": ")
        entries += [(each, text) for each in names.split(", ") if each]
    return entries


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
