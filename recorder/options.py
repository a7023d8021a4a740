"""Types and groups of options of the command line. Light to import."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

import click

from orderbook.errors import ThresholdError
from orderbook.feeds import FEEDS
from orderbook.threshold import parse_threshold

if TYPE_CHECKING:
    from orderbook.strategy import NamedFactory

F = TypeVar("F", bound=Callable[..., Any])

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?")
_SECONDS: Final = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB)?")
_UNITS: Final = {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parse_duration(text: str) -> float | None:
    """Return the seconds of `90s`, `5m`, `1h`, `250ms` or a bare number; None where it is none."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _SECONDS[match[2]] if match else None


class DurationType(click.ParamType[float]):
    """`90s`, `5m`, `1h`, `250ms`; a bare number is seconds. Becomes seconds, at least 0.001."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        seconds = parse_duration(str(value)) or 0.0
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


class StrategyType(click.ParamType["NamedFactory"]):
    """`module:factory`. Becomes the factory."""

    name = "strategy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "NamedFactory":
        """Return the factory, imported."""
        from recorder.strategies import StrategyNameError, load_strategy  # noqa: PLC0415  heavy

        try:
            return load_strategy(str(value))
        except StrategyNameError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()
SIZE = SizeType()
THRESHOLD = ThresholdType()

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else, on stdout."
)
"""`--json`, the same on every command that has a result."""

EngineName = Literal["auto", "compiled", "plain"]

engine_option = click.option(
    "--engine",
    type=click.Choice(get_args(EngineName)),
    default="auto",
    envvar="BOOKTAPE_ENGINE",
    show_default=True,
    show_envvar=True,
    help="What runs the books, with the same results; auto: compiled where numba is installed.",
)
"""`--engine`, the same wherever books are run."""

strategy_option = click.option(
    "--strategy",
    type=StrategyType(),
    metavar="MODULE:FACTORY",
    help="Run a strategy of your own over each product's summaries.",
)
"""`--strategy`, the same wherever summaries flow."""


def feed_options(command: F) -> F:
    """Add what `record` and `live` say about the feed."""
    for option in (
        click.option(
            "--stale-after",
            type=DURATION,
            default="10s",
            show_default=True,
            help="Connect again when no whole frame came for so long.",
        ),
        click.option(
            "--duration", type=DURATION, help="Stop after so long, e.g. 90s, 5m, 1h.  [default: never]"
        ),
        click.option("--channel", help="Channel of the book.  [default: level2_batch; advanced: level2]"),
        click.option("--url", help="Address of the feed, wss://... or ws:// on this machine."),
        click.option("--feed", type=click.Choice(FEEDS), default="exchange", show_default=True),
    ):
        command = option(command)
    return command


def seal_options(command: F) -> F:
    """Add when a segment ends."""
    for option in (
        click.option(
            "--segment-time", type=DURATION, default="15m", show_default=True, help="Time in a segment."
        ),
        click.option(
            "--segment-bytes", type=SIZE, default="256MiB", show_default=True, help="Payload in a segment."
        ),
        click.option(
            "--segment-rows",
            type=click.IntRange(1),
            default=50_000,
            show_default=True,
            help="Rows in a segment.",
        ),
    ):
        command = option(command)
    return command


def monitor_options(command: F) -> F:
    """Add how a running recording shows itself."""
    for option in (
        click.option(
            "--metrics-host", default="127.0.0.1", show_default=True, help="Who may ask for metrics."
        ),
        click.option(
            "--metrics-port", type=click.IntRange(0, 65535), help="Serve Prometheus metrics.  [default: off]"
        ),
        click.option("--log-json", is_flag=True, help="Log lines as JSON objects."),
        click.option(
            "--log-every",
            type=DURATION,
            default="1m",
            show_default=True,
            help="A line on how things stand, so often, where there is no terminal for the panel.",
        ),
    ):
        command = option(command)
    return command
