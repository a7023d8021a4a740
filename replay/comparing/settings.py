"""What is compared: thresholds, products, the part of the tape, mark-outs and fee."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from orderbook.document import Document
from orderbook.errors import OptionError
from orderbook.time_input import DurationLike, parse_durations, require_unit
from orderbook.times import NS, format_optional
from replay.comparing import DEFAULT_MARKOUTS
from replay.comparing.metrics import By, horizon_label
from replay.running.window import WHOLE, Window

if TYPE_CHECKING:  # few comparisons have a backtest
    from replay.simulation.settings import BacktestSettings

ThresholdsFrom = Literal["named", "spread"]

_MAX_HORIZON_S: Final = 86_400.0
"""The longest horizon: everything that waits for its horizon is kept in memory."""


def parse_horizons(markouts: DurationLike | Sequence[DurationLike]) -> tuple[int, ...]:
    """Return horizons in nanoseconds, ascending and each once.

    Args:
        markouts: `"100ms,1s"` or a sequence of durations: text, or numbers of seconds.

    Raises:
        TimeError: if one is not a duration, or a text without a unit.
        OptionError: if one is not above 0, or over a day.

    >>> parse_horizons(("1s", 0.1)), parse_horizons("250ms,1m")
    ((100000000, 1000000000), (250000000, 60000000000))
    """
    for text in markouts.split(",") if isinstance(markouts, str) else ():
        require_unit(text)
    seconds = parse_durations(markouts)
    for value in seconds:
        if not 1 / NS <= value <= _MAX_HORIZON_S:
            reason = f"a horizon must be above 0 and at most a day, not {value:g} s"
            raise OptionError(reason, option="markouts", value=value)
    return tuple(sorted({round(value * NS) for value in seconds}))


DEFAULT_HORIZONS_NS: Final = parse_horizons(DEFAULT_MARKOUTS)


class CompareSettingsDocument(Document, frozen=True):
    """What was compared, and how it was split.

    Attributes:
        thresholds: number of thresholds.
        from_, to: the part of each tape that was reported, ISO times; null for an open side.
        markouts: horizons of the mark-outs.
        thresholds_from: whether the thresholds were named, or are quantiles of each product's spread over
            time, as `spread` has them for the whole.
    """

    thresholds: int
    products: tuple[str, ...]
    from_: str | None
    to: str | None
    markouts: list[str]
    fee: float | None
    by: By | None
    thresholds_from: ThresholdsFrom


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """What is compared, and how it is split.

    Attributes:
        thresholds: fractions of the ask price, ascending, each once.
        products: ids of the products; empty for all.
        window: the part of each tape that is reported.
        horizons_ns: horizons of the mark-outs in nanoseconds, ascending.
        fee: of each side, a fraction of the price; None without a fee.
        by: UTC hour, UTC date or connection if the numbers are split.
        thresholds_from: whether the thresholds were named, or are quantiles of the spread.
        trades: a backtest with a setting for each threshold, in their order; None for no profits.
    """

    thresholds: tuple[float, ...]
    products: tuple[str, ...] = ()
    window: Window = WHOLE
    horizons_ns: tuple[int, ...] = DEFAULT_HORIZONS_NS
    fee: float | None = None
    by: By | None = None
    thresholds_from: ThresholdsFrom = "named"
    trades: "BacktestSettings | None" = None

    def document(self) -> CompareSettingsDocument:
        """Return the JSON form."""
        return CompareSettingsDocument.of(
            self,
            thresholds=len(self.thresholds),
            from_=format_optional(self.window.start),
            to=format_optional(self.window.end),
            markouts=[horizon_label(horizon) for horizon in self.horizons_ns],
        )
