"""The panel of a running recording: a live table on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from booktape.console import terminal
from booktape.console.columns import Column, fitted_table
from orderbook import display
from recorder.monitor.log_lines import status_lines
from recorder.monitor.status import ProductStatus, RecordingView

_REFRESH_S = 0.5


@contextmanager
def reporting(view: RecordingView, log_every: float) -> Iterator[None]:
    """Report while the block runs: a panel on a terminal, else a status line every `log_every` seconds."""
    console = terminal.stderr()
    if not console.is_terminal:
        with status_lines(view, log_every):
            yield
        return
    panel = _Panel(console, view)
    refreshes = 1 / _REFRESH_S
    with Live(get_renderable=panel.render, console=console, refresh_per_second=refreshes, transient=True):
        yield


class _Panel:
    """The table of a recording."""

    def __init__(self, console: Console, view: RecordingView) -> None:
        self._console = console
        self._status = view.status
        self._given_up = view.reader.given_up
        self._queue = view.reader.queue
        self._writer = view.writer
        self._reader = view.reader
        self._standings = view.standings
        self._rates = {product: _Rate() for product in view.status.products()}
        self._trade_rates = {product: _Rate() for product in view.status.products()}

    def render(self) -> Group:
        """Return the table with the status now."""
        columns = [
            Column("product", side="left"),
            Column("rows"),
            Column("rate", "/s", drop=3),
            Column("bid"),
            Column("ask"),
            Column("spread", "bps"),
            Column("last update", "s ago"),
            Column("last trade", drop=4),
            Column("trades", "/s", drop=5),
            Column("connections", drop=1),
            Column("anomalies", drop=2),
            Column("journal", drop=8),
            Column("sealed", drop=7),
            Column("queue", drop=6),
        ]
        rows = [self._row(product, state) for product, state in self._status.products().items()]
        table = fitted_table(self._console, columns, rows)
        journal, sealed = self._writer.sizes()
        foot = (
            f"{self._writer.path}  journal {display.size(journal)}  sealed {display.size(sealed)}  "
            f"queue {display.size(self._queue.queued_bytes)}  Ctrl-C ends and seals"
        )
        given_up = [f"{product} given up: {reason}" for product, reason in self._given_up.items()]
        standings = [f"{product} {standing.line()}" for product, standing in self._standings()]
        lines = (*(Text(each, style="red") for each in given_up), *map(Text, standings))
        return Group(table, *lines, Text(foot, style="dim"))

    def _row(self, product: str, state: ProductStatus) -> tuple[str, ...]:
        since = self._status.seconds_since(state.last_book)
        trades, last_trade = self._reader.trades(product)
        return (
            product,
            display.count(state.rows),
            f"{self._rates[product].update(state.rows, self._status.now()):,.1f}",
            display.price(state.bid),
            display.price(state.ask),
            display.bps(state.relative_spread),
            "-" if since is None else f"{since:.1f}",
            display.price(last_trade),
            f"{self._trade_rates[product].update(trades, self._status.now()):,.1f}",
            display.count(state.connections),
            display.count(sum(state.anomalies.values())),
            display.size(self._writer.products[product].journal_bytes),
            display.size(self._writer.products[product].sealed_bytes),
            display.size(self._queue.queued_bytes_of(product)),
        )


class _Rate:
    """Rows per second over the last few seconds."""

    _SPAN_S = 5.0

    def __init__(self) -> None:
        self._samples: list[tuple[float, int]] = []

    def update(self, rows: int, now: float) -> float:
        """Return the rate, given the number of rows now."""
        self._samples.append((now, rows))
        while len(self._samples) > 2 and self._samples[0][0] < now - self._SPAN_S:
            self._samples.pop(0)
        then, before = self._samples[0]
        return (rows - before) / (now - then) if now > then else 0.0
