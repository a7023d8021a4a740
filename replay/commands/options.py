"""Options that the replay side's commands share. Light to import."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from replay.window import Window

TAPE = click.argument("tape", type=click.Path(path_type=Path))
PRODUCTS = click.option(
    "-p", "--product", "products", multiple=True, metavar="PRODUCT", help="Only this; repeatable."
)
OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="RUN", help="Directory to make."
)


class SpeedType(click.ParamType[float]):
    """`1`, `0.5`, `20` or `max`. Becomes a factor above 0; max is infinite."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor."""
        if value == "max":
            return float("inf")
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0 < speed <= 1e9:
            self.fail(f"{value!r} is no speed: a number above 0, or max", param, ctx)
        return speed


class InstantType(click.ParamType[int]):
    """`2026-08-09T21:05:50Z`: ISO time, UTC. Becomes nanoseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return nanoseconds."""
        from orderbook.times import parse_time

        time = parse_time(str(value))
        if time is None:
            self.fail(f"{value!r} is no UTC time such as 2026-08-09T21:05:50Z", param, ctx)
        return time


def window_options(command: Any) -> Any:
    """Add the part of the tape that is reported."""
    for option in (
        click.option("--to", "end", type=InstantType(), metavar="TIME", help="Report rows before it only."),
        click.option(
            "--from",
            "start",
            type=InstantType(),
            metavar="TIME",
            help="Report rows from it on; those before build the book.",
        ),
    ):
        command = option(command)
    return command


def window_of(start: int | None, end: int | None) -> "Window":
    """Return the window between two options.

    Raises:
        click.BadParameter: where it is empty.
    """
    from replay.window import Window

    if start is not None and end is not None and start >= end:
        raise click.BadParameter("--from is not before --to", param_hint="--from")
    return Window(start, end)
