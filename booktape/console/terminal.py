"""The two consoles, lines as they happen, and the log: results go to stdout, everything else goes to stderr.

Piped, everything is plain text without control codes, and as wide as it needs to be.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import click
import pyarrow as pa
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.live import Live
from rich.segment import Segment

from orderbook.display import printable_lines, row_lines, summary_line, summary_rows
from orderbook.document import encode, to_json
from orderbook.result import Result
from orderbook.times import format_time

if TYPE_CHECKING:
    from replay.comparing.results import Comparison
    from replay.simulation.results import Backtest
    from replay.simulation.walk_results import WalkForward

_PIPED_WIDTH = 400

_REFRESHES_PER_S = 2

R = TypeVar("R", bound=Result)
C = TypeVar("C", bound=Console)
T = TypeVar("T", "Backtest", "Comparison", "WalkForward")


def stdout() -> Console:
    """Return the console for results."""
    return _console(Console, to_stderr=False)


@cache
def stderr() -> "_SideConsole":
    """Return the console for everything else: one, or panel and log lines would overwrite each other."""
    return _console(_SideConsole, to_stderr=True)


@contextmanager
def panel(render: Callable[[], RenderableType]) -> Iterator[None]:
    """Show a panel on stderr, a terminal, while the block runs; what is printed meanwhile comes above it."""
    console = stderr()
    with Live(
        get_renderable=render,
        console=console,
        refresh_per_second=_REFRESHES_PER_S,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    ) as live:
        live.refresh()
        console.has_panel = True
        try:
            yield
        finally:
            console.has_panel = False


def _console(kind: type[C], *, to_stderr: bool) -> C:
    is_terminal = (sys.stderr if to_stderr else sys.stdout).isatty()
    console = kind(
        stderr=to_stderr,
        width=None if is_terminal else _PIPED_WIDTH,
        highlight=False,
        markup=False,  # text from an exchange must not be read as markup
        soft_wrap=not is_terminal,
    )
    console.push_render_hook(_Escaping())
    return console


class _Escaping(RenderHook):
    """Escapes the control characters in everything that a console prints, whoever wrote them."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what prints the same without control characters of its own."""
        return [_Escaped(each) for each in renderables]


@dataclass(frozen=True, slots=True)
class _Escaped:
    """A renderable with the control characters in its text escaped."""

    inner: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self.inner, options):
            yield Segment(text if control else printable_lines(text), style, control)


class _SideConsole(Console):
    """A console whose broken pipe does not end the process: the work continues without it."""

    has_panel = False

    def on_broken_pipe(self) -> None:
        """Print nothing more; Rich would end the process."""
        self.quiet = True


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(to_json(document).decode())


def print_result(result: R, print_for_people: Callable[[Console, R], None], *, as_json: bool) -> None:
    """Print a result on stdout: as one JSON document, or by a function for people."""
    if as_json:
        print_json(result.document())
    else:
        print_for_people(stdout(), result)


def print_rows(
    result: T, print_for_people: Callable[[Console, T], None], *, as_json: bool, as_csv: bool
) -> None:
    """Print a result on stdout, as `print_result` does, or its rows as CSV."""
    if as_csv:
        sys.stdout.write(result.csv())
    else:
        print_result(result, print_for_people, as_json=as_json)


def log_to_stderr(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Send log lines to stderr, with time and level, as text or as one JSON object a line."""
    with stderr().capture():
        stderr().print("imports the rest of Rich, while there are descriptors for that")
    handler = _ConsoleHandler()
    handler.setFormatter(
        _JsonFormatter()
        if as_json
        else logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    )
    for name in ("booktape", "recorder", "replay"):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers = [handler]
        logger.propagate = False


class _ConsoleHandler(logging.Handler):
    """Log to the console of the panel, above it; another stream would overwrite the panel."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a recording continues when its log cannot be written
            stderr().print(self.format(record), soft_wrap=True)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": format_time(round(record.created * 1e9)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return encode(line).decode()


def echo_summaries(product: str, summaries: pa.RecordBatch, *, to_stderr: bool) -> None:
    """Print summaries."""
    _echo([summary_line(product, row) for row in summary_rows(summaries)], to_stderr=to_stderr)


def echo_rows(product: str, rows: pa.RecordBatch, *, to_stderr: bool) -> None:
    """Print rows of a strategy."""
    _echo(list(row_lines(product, rows)), to_stderr=to_stderr)


def _echo(lines: list[str], *, to_stderr: bool) -> None:
    if stderr().has_panel and (sys.stderr if to_stderr else sys.stdout).isatty():
        stderr().print("\n".join(lines), soft_wrap=True)
        return
    for line in lines:
        click.echo(line, err=to_stderr)
