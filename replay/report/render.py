"""Fills in the templates and writes the file: one page that holds all it needs and requests nothing."""

import base64
import gzip
import hashlib
import json
import re
from contextlib import suppress
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orderbook import display
from orderbook.errors import BooktapeError
from recorder.tape.store.durable import sync_content
from replay import palette
from replay.run_dir.unfinished import aside
from replay.run_dir.writer import refuse_existing

_COMPRESSION: Final = 6
"""Level of gzip: 9 takes six times as long for 3 % less."""
_PLOTLY: Final = "<plotly.js>"
"""Its place in the text of a page; whatever is not ours is escaped there."""
_BREAK: Final = re.compile(r"(?<=[.:/_])(?=\w)")


class ReportError(BooktapeError):
    """A report cannot be made."""


def check_plotly() -> None:
    """Raise an error if no report can be made.

    Raises:
        ReportError: if plotly is not installed.
    """
    _plotly()


def render(content: object, template: Literal["report.html", "backtest.html"] = "report.html") -> bytes:
    """Return the page as HTML in UTF-8: the content has what page.html and the template ask for.

    Raises:
        ReportError: if plotly is not installed.
    """
    # Bytes: as text it would make all of the page text of two bytes a letter. Browsers read \r\n as \n.
    plotly, script = _plotly().read_bytes().replace(b"\r\n", b"\n"), _template_file("report.js")
    # Only these two scripts run and nothing is fetched, even if a defect of ours let markup in.
    policy = (
        f"default-src 'none'; script-src {_hash(plotly)} {_hash(script.encode())}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    text = (
        _environment()
        .get_template(template)
        .render(
            content=content,
            policy=policy,
            style=f"{palette.css()}\n{_template_file('report.css')}",
            plotly=_PLOTLY,
            script=script,
        )
    )
    return plotly.join(map(in_utf8, text.split(_PLOTLY)))


@cache
def _environment() -> Environment:
    """Return what compiles the templates, each once in a process."""
    environment = Environment(
        loader=PackageLoader("replay.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["packed"] = packed
    environment.filters["count"] = display.count
    environment.filters["breakable"] = breakable
    return environment


def in_utf8(text: str) -> bytes:
    r"""Return text in UTF-8; a name that is not UTF-8 is told as everywhere, as \udcff."""
    return text.encode("utf-8", "backslashreplace")


def breakable(text: str) -> Markup:
    """Return text that may be broken after its punctuation, where a phone has no room for a long name.

    >>> breakable("a.b:C<d>")
    Markup('a.<wbr>b:<wbr>C&lt;d&gt;')
    """
    return Markup("<wbr>").join(map(escape, _BREAK.split(text)))


def packed(data: object) -> str:
    """Return data as base64 of gzip of JSON, a fifth of its size, which report.js unpacks."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), _COMPRESSION, mtime=0)).decode()


def write_page(path: Path, page: bytes) -> None:
    """Write the page beside its place and rename it: never over another file, never half of it.

    Raises:
        RunError: if the file exists already, or its directory does not.
        ReportError: if it cannot be written.
    """
    refuse_existing(path)
    try:
        unfinished = aside(path)
        with unfinished.open("xb") as file:
            try:
                file.write(page)
                file.flush()
                sync_content(file.fileno())
                refuse_existing(path)
                unfinished.rename(path)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror})") from None


def _plotly() -> Traversable:
    """Return plotly.js, as the Python package `plotly` ships it."""
    with suppress(ModuleNotFoundError):
        file = resources.files("plotly") / "package_data" / "plotly.min.js"
        if file.is_file():
            return file
    raise ReportError("--html needs plotly, which is not installed: pip install plotly")


def _template_file(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8").strip()


def _hash(script: bytes) -> str:
    digest = hashlib.sha256(script).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
