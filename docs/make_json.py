"""Write docs/json.md: the JSON document of every command, from the Structs that make it.

    python -m docs.make_json

A test holds the page against the code: run this after every change of a document.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

import booktape as bt
from docs.columns import COLUMNS
from docs.make_api import RESULTS, first_line, members, prose, section
from replay.comparing.metrics import ALL_METRICS

PAGE: Final = Path(__file__).parent / "json.md"
COMMANDS: Final = (
    "record`, `import",
    "merge",
    "replay",
    "compare",
    "backtest",
    "backtest --walk",
    "verify",
    "inspect",
    "book",
    "diff",
    "export",
    "fleet",
)

_WORDS = {"str": "text", "int": "integer", "float": "number", "bool": "boolean", "NoneType": "null"}
_WORDS |= {"Any": "any value", "UnsetType": "absent"}
_GENERIC = {list: "array of {}", tuple: "array of {}", dict: "object of {1}", Annotated: "object with {1}"}

_HEAD: Final = """# JSON documents

What the commands print with `--json`, and results of the Python API return from `document()`. The keys have this order.
Times are ISO text in UTC, digests are hex, and a key that may be absent is left out if it does not apply. This page is
generated from the code by `python -m docs.make_json`; a test holds it against the code.

| command | result | document |
|---|---|---|"""


def page() -> str:
    """Return the page: the document of each command, then all documents and their parts."""
    found = [get_type_hints(vars(getattr(bt, name))["_document"])["return"] for name in RESULTS]
    rows = zip(COMMANDS, RESULTS, map(_type, found), strict=True)
    table = [
        f"| `{command}` | [{name}](api.md#booktape{name.lower()}) | {link} |" for command, name, link in rows
    ]
    documents: list[type[msgspec.Struct]] = []
    while found:  # each, then its parts
        kind = found.pop(0)
        if not isinstance(kind, type(msgspec.Struct)):
            found = [*get_args(kind), *getattr(kind, "__metadata__", ()), *found]
        elif kind not in documents:
            documents.append(kind)
            found = [*get_type_hints(kind, include_extras=True).values(), *found]
    return "\n".join([_HEAD, *table, "", *(line for each in documents for line in _lines(each))])


def _lines(document: type[msgspec.Struct]) -> Iterator[str]:
    yield f"## {document.__name__}\n\n{prose(document)}\n| key | type | |\n|---|---|---|"
    types, meanings = get_type_hints(document, include_extras=True), _meanings(document)
    keys = dict(zip(document.__struct_fields__, document.__struct_encode_fields__, strict=True))
    for (kind, text), names in groupby(keys, lambda name: (_type(types[name]), meanings[name])):
        yield f"| {', '.join(f'`{keys[name]}`' for name in names)} | {kind} | {text.replace('None', 'null')} |"
    yield ""


def _meanings(document: type) -> dict[str, str]:
    """Return what fields hold: by their class, else by a class of its module, a metric or a column."""
    module = document.__module__
    near = [
        each
        for each in vars(sys.modules[module]).values()
        if isinstance(each, type) and each.__module__ == module
    ]
    known = {name: column.meaning for name, column in COLUMNS.items()}
    known |= {metric.name: metric.definition for metric in ALL_METRICS}
    for each in (*near[::-1], *document.__mro__[::-1]):
        known |= {name: first_line(value) for name, value in members(each) if isinstance(value, property)}
        known |= section(each, "Attributes")
    return known


def _type(kind: Any) -> str:
    """Return a type in the words of JSON, with links to the documents."""
    origin, inner = get_origin(kind), [each for each in get_args(kind) if each is not ...]
    if origin is None:
        return _WORDS.get(kind.__name__) or f"[{kind.__name__}](#{kind.__name__.lower()})"
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in inner)
    text = _GENERIC.get(origin) or " or ".join(["{}"] * len(inner))
    return text.format(*map(_type, inner))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
