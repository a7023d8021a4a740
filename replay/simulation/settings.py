"""What a backtest runs: strategies with their settings, queue models, and the rules of the exchange."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from orderbook.document import Document
from orderbook.execution.codes import QueueModel
from orderbook.execution.latency import Latency, longest
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.trader import Trader
from orderbook.times import format_optional
from replay.comparing.metrics import By
from replay.running.window import WHOLE, Window
from replay.simulation.sharing import places_of

TraderFactory: TypeAlias = Callable[..., Trader]
"""(product, **settings) to a strategy."""


def plain_settings(values: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Return settings of a strategy as values that JSON has."""
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in values.items()
    }


def named(values: Mapping[str, Any]) -> str:
    """Return settings for a message."""
    return ", ".join(f"{key}={value}" for key, value in values.items()) or "default settings"


LATENCY: Final = "latency"
"""The name under which several latencies are a setting of a lane."""

_FEW_LATENCIES: Final = 6
"""Latencies that a title names."""

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
        lane: what all lanes share; its queue model is not used, nor its latency if there are several.
        rules_of: the rules of the exchange, by product.
        products: product ids; all of the tape if empty.
        window: the part of the tape to trade on.
        begins_at_once: whether lanes begin with the first row, as tables of orders do, and not with the first
            summary.
        fees, latency: as they were given.
        inferred: what was not given and is taken from the tape or from a default.
        by: UTC hour, UTC date or connection if the numbers are split.
        latencies: models of latency by how they are written, if there are several: then `settings` have the
            one of each lane under `LATENCY`.
        fewer_queues: the queue models of settings, by index, that are not run under all of them.
        share: which of the lanes are run here, see `sharing`; None for all.
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
    latencies: Mapping[str, Latency] = field(default_factory=dict)
    fewer_queues: Mapping[int, Sequence[QueueModel]] = field(default_factory=dict)
    share: range | None = None

    def queues_of(self, number: int) -> Sequence[QueueModel]:
        """Return the queue models under which a setting is run."""
        return self.fewer_queues.get(number, self.queues)

    def lanes(self) -> list[tuple[int, QueueModel]]:
        """Return the lanes of a product in order: the index of the setting, and the queue model."""
        return [(number, queue) for number in range(len(self.settings)) for queue in self.queues_of(number)]

    def lanes_here(self) -> list[tuple[int, QueueModel]]:
        """Return those of `lanes` that are run here, in order."""
        lanes = self.lanes()
        return lanes if self.share is None else [lanes[place] for place in places_of(self.share, len(lanes))]

    def with_latencies(self, latencies: Mapping[str, Latency]) -> "BacktestSettings":
        """Return the same with each setting under each of several latencies, which vary fastest."""
        settings = tuple({**values, LATENCY: text} for values in self.settings for text in latencies)
        return replace(self, settings=settings, latencies=latencies)

    def of_strategy(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the strategy takes of a setting."""
        if not self.latencies:
            return values
        return {name: value for name, value in values.items() if name != LATENCY}

    def of_lane(self, values: Mapping[str, Any], queue: QueueModel) -> LaneSettings:
        """Return how the orders of a setting are simulated under a queue model."""
        latency = self.latencies[values[LATENCY]] if self.latencies else self.lane.latency
        return replace(self.lane, queue=queue, latency=latency)

    @property
    def best_at(self) -> str | None:
        """The latency at which the best setting is chosen: the largest, the first of equals; None of one."""
        return max(self.latencies, key=lambda text: longest(self.latencies[text]), default=None)

    def numbers_at(self, latency: str | None) -> frozenset[int]:
        """Return the numbers of the settings under one of several latencies; of all for None."""
        return frozenset(
            number
            for number, values in enumerate(self.settings)
            if latency is None or values[LATENCY] == latency
        )

    @property
    def fees_text(self) -> str:
        """The fees for people: the rates, and the name by which they were given."""
        rates = str(self.lane.fees)
        return rates if f"{self.fees.removesuffix('bps').strip()} bps" == rates else f"{rates} ({self.fees})"

    @property
    def latency_text(self) -> str:
        """The latency for people: as it was given, or how many of them from where to where."""
        texts = list(self.latencies)
        if len(texts) <= _FEW_LATENCIES:
            return f"latency {self.latency}"
        return f"{len(texts):,} latencies from {texts[0]} to {texts[-1]}"

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
