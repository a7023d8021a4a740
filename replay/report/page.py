"""One HTML file that holds all it needs, and that its own policy keeps from asking for more."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from importlib.metadata import version
from string import Template
from typing import Any

from orderbook.errors import BooktapeError


class ReportError(BooktapeError):
    """A report cannot be made."""


def plotly_source() -> str:
    """Return plotly.js, as the Python package of that name ships it.

    Raises:
        ReportError: where the package is not there.
    """
    try:
        return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        raise ReportError("--html needs plotly, which is not installed: pip install plotly") from None


def plotly_version() -> str:
    """Return the version of the Python package."""
    return version("plotly")


def page(title: str, body: str, data: Mapping[str, Any]) -> str:
    """Return the file.

    Args:
        title: of the page, text.
        body: its content, HTML.
        data: what report.js draws from.

    Raises:
        ReportError: where plotly is missing.
    """
    plotly, script = plotly_source(), _own("report.js")
    # Only these two scripts run, and nothing is fetched: not even what a defect of ours would let in.
    policy = (
        f"default-src 'none'; script-src {_hash(plotly)} {_hash(script)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return Template(_own("report.html")).substitute(
        policy=escape(policy),
        title=escape(title),
        style=_own("report.css"),
        body=body,
        data=_json(data),
        plotly=plotly,
        script=script,
    )


def _own(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8").strip()


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(data: Mapping[str, Any]) -> str:
    """Return data that can stand inside a script element: nothing in it ends that or opens a comment."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
