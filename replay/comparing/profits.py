"""What each threshold earns: a strategy that has it as its setting `threshold`, backtested."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orderbook.document import Document
from orderbook.execution.codes import QUEUE_MODELS, QueueModel

if TYPE_CHECKING:  # most comparisons have no backtest
    from replay.simulation.parts import BacktestPart
    from replay.simulation.results import Backtest
    from replay.simulation.rows import BacktestRow

THRESHOLD: Final = "threshold"
"""The setting of a strategy that is a threshold of the spread filter."""


class Profit(NamedTuple):
    """The profit of a threshold in a group, in the quote currency, in the order of `PROFIT_METRICS`."""

    profit: float | None = None
    profit_back: float | None = None
    profit_front: float | None = None
    fills: int | None = None


class TradedDocument(Document, frozen=True, kw_only=True):
    """What was traded to get the profit of each threshold.

    Attributes:
        strategy: its name, `module:factory`.
        settings: its settings other than `threshold`.
        fees, latency: as given.
        trials: number of thresholds that were tried: the best is the best of so many.
        execution_digest: digest of everything that happened to orders, hex.
    """

    strategy: str | None
    settings: dict[str, Any]
    fees: str
    latency: str
    trials: int
    execution_digest: str


class _Place(NamedTuple):
    tape: str | None
    product: str
    part: str | int | None
    threshold: float


@dataclass(slots=True)
class Traded:
    """A backtest of each threshold, read by group and threshold.

    Attributes:
        backtest: one setting for each threshold, under all queue models.
        thresholds: those of its settings, by index.
    """

    backtest: "Backtest"
    thresholds: Sequence[float]
    _lanes: dict[_Place, dict[QueueModel, tuple[float | None, int]]] = field(init=False)

    def __post_init__(self) -> None:
        self._lanes = {}
        for row in self.backtest.rows:
            self._add(row.tape if isinstance(row.tape, str) else None, None, row)
        for part in self.backtest.parts:
            for tape in {None, part.tape if isinstance(part.tape, str) else None}:
                self._add(tape, part.part, part)

    def _add(self, tape: str | None, part: str | int | None, lane: "BacktestRow | BacktestPart") -> None:
        place = _Place(tape, lane.product, part, self.thresholds[lane.setting])
        models = self._lanes.setdefault(place, {})
        net, fills = models.get(lane.queue, (None, 0))
        known = [each for each in (net, lane.net) if each is not None]
        models[lane.queue] = (sum(known) if known else None), fills + lane.fills

    def profit(self, tape: str | None, product: str, part: str | int | None, threshold: float) -> Profit:
        """Return the profit of a threshold; without numbers if no book was known.

        Args:
            tape: of several tapes, the one; None of one tape, and of several together.
            product: product id.
            part: start of the hour or day, or number of the connection; None of the whole.
            threshold: the threshold.
        """
        models = self._lanes.get(_Place(tape, product, part, threshold), {})
        nets = {model: models[model][0] if model in models else None for model in QUEUE_MODELS}
        fills = models["share"][1] if "share" in models else None
        return Profit(nets["share"], nets["back"], nets["front"], fills)

    def document(self) -> TradedDocument:
        """Return what was traded."""
        from replay.simulation.settings import plain_settings  # noqa: PLC0415  as above

        settings = self.backtest.settings
        values = plain_settings(settings.settings[0])
        return TradedDocument(
            strategy=settings.name,
            settings={name: value for name, value in values.items() if name != THRESHOLD},
            fees=settings.fees,
            latency=settings.latency,
            trials=self.backtest.trials,
            execution_digest=self.backtest.execution_digest,
        )


def threshold_texts(thresholds: Iterable[float]) -> list[str]:
    """Return thresholds as a strategy is given them, exactly.

    >>> threshold_texts([0.001, 1.2345e-4])
    ['10bps', '1.2345bps']
    """
    return [f"{(Decimal(repr(each)) * 10_000).normalize():f}bps" for each in thresholds]
