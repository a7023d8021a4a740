"""Options that the replay side's commands share. Light to import."""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from recorder.options import parse_duration

if TYPE_CHECKING:
    from replay.window import Window

TAPE = click.argument("tape", type=click.Path(path_type=Path))
PRODUCTS = click.option(
    "-p", "--product", "products", multiple=True, metavar="PRODUCT", help="Only this; repeatable."
)
OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="RUN", help="Directory to make."
)

HTML = click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="Write a report too: one HTML file with figures that needs no network.",
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


_LONGEST_S: Final = 9e9  # what a timestamp can hold, nearly
_ZONED = re.compile(r"(.+)([+-])([01][0-9]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it was asked for: nanoseconds since 1970, or since the tape's first row."""

    ns: int
    is_offset: bool

    def on(self, tape: Path) -> int:
        """Return it in nanoseconds since 1970.

        Raises:
            TapeError: where it counts from the first row of a tape that cannot be read.
        """
        if not self.is_offset:
            return self.ns
        from recorder.tape.errors import TapeError
        from recorder.tape.overview import first_time
        from recorder.tape.reader import Tape

        start = first_time(Tape.open(tape))
        if start is None:
            raise TapeError(f"{tape}: no row yet, so no time to count from")
        return start + self.ns


def _instant(text: str) -> int | None:
    """Return an ISO time with its zone (`Z` or `+02:00`) in nanoseconds since 1970; None where it is none."""
    from orderbook.times import NS, parse_time

    zoned = _ZONED.fullmatch(text)
    if zoned is None:
        return parse_time(text)
    local = parse_time(f"{zoned[1]}Z")
    minutes = int(f"{zoned[2]}1") * (60 * int(zoned[3]) + int(zoned[4]))
    return None if local is None else local - minutes * 60 * NS


class MomentType(click.ParamType[Moment]):
    """`2026-08-09T21:05:50Z` (ISO time with its zone), or `+5m` after the tape's first row."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        """Return the moment."""
        text = str(value)
        offset = parse_duration(text[1:]) if text.startswith("+") else None
        if offset is not None and offset < _LONGEST_S:
            return Moment(round(offset * 1e9), is_offset=True)
        time = _instant(text)
        if time is None:
            self.fail(f"{text!r} is no time such as 2026-08-09T21:05:50Z or +5m", param, ctx)
        return Moment(time, is_offset=False)


def command_line() -> str:
    """Return the command as it was typed, for what is made by it."""
    return shlex.join(["booktape", *sys.argv[1:]])


def window_options(command: Any) -> Any:
    """Add the part of the tape that is reported."""
    for option in (
        click.option("--to", "end", type=MomentType(), metavar="TIME", help="Report rows before it only."),
        click.option(
            "--from",
            "start",
            type=MomentType(),
            metavar="TIME",
            help="Report rows from it on; those before build the book.",
        ),
    ):
        command = option(command)
    return command


def window_of(tape: Path, start: Moment | None, end: Moment | None) -> "Window":
    """Return the part of a tape between two options.

    Raises:
        click.BadParameter: where it is empty.
        TapeError: where an offset counts from the start of a tape that cannot be read.
    """
    from replay.window import Window

    window = Window(None if start is None else start.on(tape), None if end is None else end.on(tape))
    if window.start is not None and window.end is not None and window.start >= window.end:
        raise click.BadParameter("--from is not before --to", param_hint="--from")
    return window


processes_option = click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Share the products out among so many processes.",
)
"""`--processes`, on the commands whose work is the books."""
