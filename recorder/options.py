"""Types and options of the command line that recorder and replay share. Light to import."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from orderbook.errors import ThresholdError
from orderbook.threshold import parse_threshold

F = TypeVar("F", bound=Callable[..., Any])

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?")
_SECONDS: Final = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB)?")
_UNITS: Final = {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class DurationType(click.ParamType[float]):
    """`90s`, `5m`, `1h`, `250ms`; a bare number is seconds. Becomes seconds, at least 0.001."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        match = _DURATION.fullmatch(str(value))
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
        if not 0.001 <= seconds < 1e9:
            self.fail(f"{value!r} is no duration such as 90s, 5m or 1h", param, ctx)
        return seconds


class SizeType(click.ParamType[int]):
    """`256MiB`, `64KiB`; a bare number is bytes. Becomes bytes above 0."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        match = _BYTES.fullmatch(str(value))
        size = int(match[1]) * _UNITS[match[2]] if match and len(match[1]) < 16 else 0
        if not size:
            self.fail(f"{value!r} is no size such as 256MiB", param, ctx)
        return size


class ThresholdType(click.ParamType[float]):
    """`0.1%`, `10bps` or `0.001`. Becomes a fraction of the ask price."""

    name = "threshold"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the fraction."""
        if isinstance(value, float):
            return value
        try:
            return parse_threshold(str(value))
        except ThresholdError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()
SIZE = SizeType()
THRESHOLD = ThresholdType()

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else, on stdout."
)
"""`--json`, the same on every command that has a result."""
