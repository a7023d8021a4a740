"""What notebooks show of results: the tables of the terminal, which the package in front makes."""

from collections.abc import Callable
from typing import Any

_writers: list[Callable[[Any], str]] = []


def show_by(write: Callable[[Any], str]) -> None:
    """Let notebooks show results as the HTML that a function returns."""
    _writers[:] = [write]


def html_of(result: object) -> str | None:
    """Return a result as HTML; None if nobody writes it, so that a notebook shows its repr."""
    return _writers[0](result) if _writers else None
