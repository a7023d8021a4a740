"""What a backtest runs: strategies with their settings, queue models, and the rules of the exchange."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from orderbook.document import Document
from orderbook.execution.codes import QueueModel
from orderbook.execution.lane import Trader
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.times import format_optional
from replay.comparing.metrics import By
from replay.running.window import WHOLE, Window

TraderFactory: TypeAlias = Callable[..., Trader]
"""(product, **settings) to a strategy."""


def plain_settings(values: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Return settings of a strategy as values that JSON has."""
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in values.items()
    }


MOST_LANES: Final = 10_000
"""Lanes of a product: each holds some kilobytes, and is woken as often as its strategy asks for it."""


class BacktestSettingsDocument(Document, frozen=True):
    """How a backtest was run.

    Attributes:
        strategy: its name, `module:factory`; null for a table of orders.
        products: product ids.
        from_, to: the part of the tape, ISO times; null for an open side.
        queues: the queue models.
        report_ns: from an event at the exchange to its report.
        equity_every_s: the grid of equity samples.
        markouts_s: horizons after a fill at which the mid is compared.
        by: UTC hour, UTC date or connection if the numbers are split, as `parts` has them.
    """

    strategy: str | None
    products: tuple[str, ...]
    from_: str | None
    to: str | None
    queues: tuple[QueueModel, ...]
    report_ns: int
    equity_every_s: float
    markouts_s: tuple[float, ...]
    by: By | None


@dataclass(frozen=True, slots=True)
class BacktestSettings:
    """What a backtest runs.

    Attributes:
        make: makes the strategy of a lane from its product and settings.
        name: of the strategy; None for a table of orders.
        settings: those of the strategy, one a lane (and queue model).
        queues: the queue models.
        lane: what all lanes share; its queue model is not used.
        rules_of: the rules of the exchange, by product.
        products: product ids; all of the tape if empty.
        window: the part of the tape to trade on.
        begins_at_once: whether lanes begin with the first row, as tables of orders do, and not with the first
            summary.
        fees, latency: as they were given.
        inferred: what was not given and is taken from the tape or from a default.
        by: UTC hour, UTC date or connection if the numbers are split.
    """

    make: TraderFactory
    name: str | None
    settings: tuple[Mapping[str, Any], ...]
    queues: tuple[QueueModel, ...]
    lane: LaneSettings
    rules_of: Mapping[str, ProductRules] = field(default_factory=dict)
    products: tuple[str, ...] = ()
    window: Window = WHOLE
    begins_at_once: bool = False
    fees: str = "40/60"
    latency: str = "100ms"
    inferred: tuple[str, ...] = ()
    by: By | None = None

    @property
    def fees_text(self) -> str:
        """The fees for people: the rates, and the name by which they were given."""
        rates = str(self.lane.fees)
        return rates if f"{self.fees.removesuffix('bps').strip()} bps" == rates else f"{rates} ({self.fees})"

    def swept(self) -> list[str]:
        """Return the names of the settings of the strategy that differ between lanes."""
        names = dict.fromkeys(name for values in self.settings for name in values)
        return [name for name in names if len({str(each.get(name)) for each in self.settings}) > 1]

    def document(self) -> BacktestSettingsDocument:
        """Return the JSON form."""
        return BacktestSettingsDocument(
            self.name,
            self.products,
            format_optional(self.window.start),
            format_optional(self.window.end),
            self.queues,
            self.lane.report,
            self.lane.equity_every / 1e9,
            tuple(horizon / 1e9 for horizon in self.lane.markouts),
            self.by,
        )
