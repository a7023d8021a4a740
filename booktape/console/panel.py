"""The panel of `record`, `live` and replays that take their time: a live table on a terminal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.text import Text

from booktape.console.columns import Column, fitted_table
from orderbook import display
from orderbook.thresholds import format_threshold, is_above
from recorder.monitor.status import OWN_PRODUCTS, ProductStatus, RowStatus
from recorder.runtime.strategy_thread import Standing

_QUIET_S: Final = 10.0
"""Seconds without a change of the book after which that is said."""

LOADING: Final = "loading"
OPENING: Final = "opening"
WAITING: Final = "waiting"
_LINES: Final = {
    LOADING: "loading the engine, then connecting",
    OPENING: "connecting",
    WAITING: "connected, waiting for the snapshot",
}
"""What else is said of a product without a book, by its state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelContent:
    """What a panel shows. All functions may be called from any thread.

    Attributes:
        title: the command and where the rows come from.
        status: counts and prices.
        state: returns the state of a product's connection, in a word.
        foot: returns the last line.
        notes: returns lines for what is wrong.
        trades: returns the number of trades of a product, and the price of the last one; None without trades.
        standing: returns how a strategy stands on a product; None without one that trades.
    """

    title: str
    status: RowStatus
    state: Callable[[str, ProductStatus], str]
    foot: Callable[[], str]
    notes: Callable[[], Sequence[str]] = tuple
    trades: Callable[[str], tuple[int, float | None]] | None = None
    standing: Callable[[str], Standing | None] | None = None


class Panel:
    """A table with a row for each product, whose columns stay where they are.

    Which columns there are follows from the content alone, and no column ever becomes narrower.
    """

    def __init__(self, console: Console, content: PanelContent) -> None:
        self._console = console
        self._content = content
        self._began = content.status.now()
        products = list(content.status.products())
        self._rates = {product: _Rate() for product in products}
        self._trade_rates = {product: _Rate() for product in products}
        self._least: list[int] = []
        limit = format_threshold(content.status.threshold)
        self._columns = [
            Column("product", side="left", least=max(map(cell_len, [*products, "product"]))),
            Column("state", side="left", least=8),
            Column("last trade", drop=1, least=10),
            Column("bid", least=10),
            Column("ask", least=10),
            Column("spread", "bps", least=9),
            Column("signals", f"> {limit}", least=7),
            Column("fills", least=5),
            Column("position", least=9),
            Column("net", least=9, drop=2),
            Column("update", "s ago", drop=3, least=6),
            Column("rate", "/s", drop=4, least=7),
            Column("rows", drop=5, least=9),
            Column("anomalies", drop=6),
            Column("connections", drop=7),
            Column("trades", "/s", drop=8, least=7),
        ]
        absent = {
            *(("last trade", "trades") if content.trades is None else ()),
            *(("fills", "position", "net") if content.standing is None else ()),
        }
        self._shown = [number for number, each in enumerate(self._columns) if each.heading not in absent]

    def render(self) -> Group:
        """Return the panel as it is now."""
        content, states = self._content, self._content.status.products()
        words = {product: content.state(product, state) for product, state in states.items()}
        own = list(states)[:OWN_PRODUCTS]
        rows = [self._row(product, states[product], words[product]) for product in own]
        if len(states) > len(own):
            rows.append(self._sum_row(list(states)[OWN_PRODUCTS:], states, words))
        cells = [[row[number] for number in self._shown] for row in rows]
        columns = [self._columns[number] for number in self._shown]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        least = self._least or [each.least for each in columns]
        self._least = [max(pair) for pair in zip(widths, least, strict=True)]
        columns = [replace(each, least=width) for each, width in zip(columns, self._least, strict=True)]
        table = fitted_table(self._console, columns, cells, [len(own) - 1] if len(states) > len(own) else ())
        elapsed = display.clock(content.status.now() - self._began)
        lines: list[RenderableType] = [
            Text(f"{elapsed}  {content.title}", style="bold", no_wrap=True, overflow="ellipsis"),
            table,
        ]
        for word, line in _LINES.items():
            if names := [product for product in words if words[product] == word]:
                lines.append(Text(f"{line}: {display.products_title(names)}", style="yellow"))
        lines += [Text(each, style="red") for each in content.notes()]
        lines.append(Text(content.foot(), style="dim"))
        return Group(*lines)

    def _row(self, product: str, state: ProductStatus, word: str) -> tuple[str, ...]:
        since = self._content.status.seconds_since(state.last_book)
        if state.has_book and word == "open" and since is not None and since > _QUIET_S:
            word = "quiet"
        trades, last_trade = (0, None) if self._content.trades is None else self._content.trades(product)
        standing = None if self._content.standing is None else self._content.standing(product)
        now = self._content.status.now()
        spread = display.bps(state.relative_spread)
        mark = "\u25b4" if is_above(state.relative_spread, self._content.status.threshold) else " "
        return (
            product,
            word,
            display.price(last_trade),
            display.price(state.bid),
            display.price(state.ask),
            f"{spread}{mark}",
            display.count(state.signals),
            "-" if standing is None else display.count(standing.fills),
            "-" if standing is None else f"{standing.position:.4g}",
            "-" if standing is None or standing.net is None else f"{standing.net:,.2f}",
            "-" if since is None else f"{since:.1f}",
            f"{self._rates[product].update(state.rows, now):,.1f}",
            display.count(state.rows),
            display.count(sum(state.anomalies.values())),
            display.count(state.connections),
            f"{self._trade_rates[product].update(trades, now):,.1f}",
        )

    def _sum_row(
        self, products: list[str], states: dict[str, ProductStatus], words: dict[str, str]
    ) -> tuple[str, ...]:
        """Return the row of all products that have none of their own."""
        content, now = self._content, self._content.status.now()
        found = [states[product] for product in products]
        standings = [content.standing(product) if content.standing else None for product in products]
        trades = [content.trades(product)[0] if content.trades else 0 for product in products]
        known = [each for each in standings if each is not None]
        nets = [each.net for each in known if each.net is not None]
        rates = [self._rates[each].update(states[each].rows, now) for each in products]
        trade_rates = [
            self._trade_rates[each].update(number, now) for each, number in zip(products, trades, strict=True)
        ]
        is_open = sum(words[product] == "open" for product in products)
        return (
            f"{len(products)} more",
            f"{is_open} open",
            *("-",) * 4,
            display.count(sum(state.signals for state in found)),
            display.count(sum(each.fills for each in known)) if known else "-",
            "-",
            f"{sum(nets):,.2f}" if nets else "-",
            "-",
            f"{sum(rates):,.1f}",
            display.count(sum(state.rows for state in found)),
            display.count(sum(sum(state.anomalies.values()) for state in found)),
            display.count(sum(state.connections for state in found)),
            f"{sum(trade_rates):,.1f}",
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
