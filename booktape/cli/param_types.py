"""Types of the values of options and arguments: each is read as an argument of the Python API is."""

import re
from typing import Any

import click

from booktape.arguments import whole_number
from booktape.paths import path_of


class _PathType(click.Path):
    """A path, or the URL of a tape or a RUN: an argument of the Python API, which reads it."""

    def __init__(self) -> None:
        super().__init__(path_type=str)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path as it was typed."""
        return path_of(
            str(super().convert(value, param, ctx)), param.name if param and param.name else "tape"
        )


PATH: Any = _PathType()


class WholeNumber(click.IntRange):
    """A whole number in the digits 0 to 9; Python also reads those of other scripts, and underscores."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ARG002  click
        """Return a number within the limits of the option."""
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
            value = int(value)
        high = 2**63 - 1 if self.max is None else int(self.max)
        return whole_number(value, param.name if param and param.name else "", int(self.min or 0), high)
