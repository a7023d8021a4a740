"""Showing a recording as it runs: a panel on a terminal, else a log line every so often."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from recorder import terminal
from recorder.columns import Column, fitted_table
from recorder.status import ProductStatus
from recorder.view import RecordingView

log = logging.getLogger(__name__)

_REFRESH_S = 0.5


@contextmanager
def reporting(view: RecordingView, log_every: float) -> Iterator[None]:
    """Report while the block runs: a panel on a terminal, else a line every `log_every` seconds."""
    console = terminal.stderr()
    if console.is_terminal:
        panel = _Panel(console, view)
        refreshes = 1 / _REFRESH_S
        with Live(get_renderable=panel.render, console=console, refresh_per_second=refreshes, transient=True):
            yield
        return
    with _every(log_every, lambda: log.info("%s", status_line(view))):
        yield


@contextmanager
def _every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call a function on a thread of its own every so often while the block runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=beat, name="reporting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def status_line(view: RecordingView) -> str:
    """Return the state of a recording as one line."""
    parts = []
    for product, state in view.status.products().items():
        since = view.status.seconds_since_frame(state)
        last = "no frame yet" if since is None else f"last frame {since:.1f} s ago"
        anomalies = sum(state.anomalies.values())
        rows, connections = (
            terminal.plural(state.rows, "row"),
            terminal.plural(state.connections, "connection"),
        )
        parts.append(
            f"{product} {rows}, {connections}, {anomalies:,} anomalies, "
            f"{terminal.price(state.bid)} / {terminal.price(state.ask)}, {last}"
        )
    journal, sealed = view.writer.sizes()
    waiting = terminal.size(view.inbox.waiting_bytes)
    tail = f"journal {terminal.size(journal)}, sealed {terminal.size(sealed)}, queue {waiting}"
    return "; ".join([*parts, tail])


class _Panel:
    """The live table of a recording; rates are those since the last look."""

    def __init__(self, console: Console, view: RecordingView) -> None:
        self._console = console
        self._status = view.status
        self._inbox = view.inbox
        self._writer = view.writer
        self._rates = {product: _Rate() for product in view.status.products()}

    def render(self) -> Group:
        """Return what the terminal shows now."""
        columns = [
            Column("product", side="left"),
            Column("rows"),
            Column("rate", "/s", spare=3),
            Column("bid"),
            Column("ask"),
            Column("spread", "bps"),
            Column("last frame", "s ago"),
            Column("connections", spare=1),
            Column("anomalies", spare=2),
            Column("journal", spare=6),
            Column("sealed", spare=5),
            Column("queue", spare=4),
        ]
        rows = [self._row(product, state) for product, state in self._status.products().items()]
        made = fitted_table(self._console, columns, rows)
        journal, sealed = self._writer.sizes()
        foot = (
            f"{self._writer.path}  journal {terminal.size(journal)}  sealed {terminal.size(sealed)}  "
            f"queue {terminal.size(self._inbox.waiting_bytes)}  Ctrl-C ends and seals"
        )
        return Group(made, Text(foot, style="dim"))

    def _row(self, product: str, state: ProductStatus) -> tuple[str, ...]:
        since = self._status.seconds_since_frame(state)
        return (
            product,
            terminal.count(state.rows),
            f"{self._rates[product].of(state.rows, self._status.now()):,.1f}",
            terminal.price(state.bid),
            terminal.price(state.ask),
            terminal.bps(state.relative_spread),
            "-" if since is None else f"{since:.1f}",
            terminal.count(state.connections),
            terminal.count(sum(state.anomalies.values())),
            terminal.size(self._writer.products[product].journal_bytes),
            terminal.size(self._writer.products[product].sealed_bytes),
            terminal.size(self._inbox.waiting_bytes_of(product)),
        )


class _Rate:
    """Rows a second over the last few seconds."""

    _SPAN_S = 5.0

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def of(self, rows: int, now: float) -> float:
        """Return the rate, given the count now."""
        self._seen.append((now, rows))
        while len(self._seen) > 2 and self._seen[0][0] < now - self._SPAN_S:
            self._seen.pop(0)
        then, before = self._seen[0]
        return (rows - before) / (now - then) if now > then else 0.0
