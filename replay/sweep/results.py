"""What a sweep says: of one threshold, of one horizon after its episodes, of the spread as a whole.

`docs/numbers.md` defines each number. Spreads are fractions of the ask price, sizes in the base currency,
values in the quote currency; None where there is none.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from orderbook.times import NS

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the relative spread over all observed time."""

_HORIZON_UNITS: Final = ((3600 * NS, "h"), (60 * NS, "m"), (NS, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))


def horizon_label(horizon_ns: int) -> str:
    """Return a horizon as it is asked for, in the largest unit that divides it.

    >>> horizon_label(100_000_000), horizon_label(60_000_000_000)
    ('100ms', '1m')
    """
    size, unit = next((size, unit) for size, unit in _HORIZON_UNITS if horizon_ns % size == 0)
    return f"{horizon_ns // size}{unit}"


class MarkOut(NamedTuple):
    """The mid price's change from the start of each episode to a time after it, in basis points.

    Attributes:
        horizon: how long after, as `1s`.
        horizon_s: the same in seconds.
        episodes: of how many episodes it is known.
        left_out: of how many it is not: an interruption, the tape's end or a side without levels.
        mean_bps: mean change; above 0 the mid rose.
        standard_error_bps: of that mean; None below two episodes.
        mean_abs_bps: mean of the change without its sign.
    """

    horizon: str
    horizon_s: float
    episodes: int
    left_out: int
    mean_bps: float | None
    standard_error_bps: float | None
    mean_abs_bps: float | None


_OUTCOME_FIELDS: Final = MarkOut._fields[2:]


class ThresholdStatistics(NamedTuple):
    """What one threshold lets pass.

    Attributes:
        threshold: a fraction of the ask price.
        signals: summaries that are above.
        episodes: maximal runs of them on one connection.
        time_above_s: sum of the intervals that they open.
        observed_s: all intervals between consecutive summaries of one connection, above or not.
        share: time above / observed time.
        duration_p50_s, duration_p95_s, duration_max_s: of the episodes.
        mean_relative_spread: over the time above, weighted by it.
        max_relative_spread: over the signals.
        signals_per_hour, episodes_per_hour: of observed time.
        durations_exact: whether the duration percentiles are exact; else they are off by under 1 %.
        mean_bid_size, mean_ask_size: at the touch, over the time above, weighted by it.
        mean_touch_value: the same of the smaller side's size times its price.
        mean_net_spread_bps: mean_relative_spread less two fees; None without a fee.
        net_positive_share: of observed time, where it is above and the spread above two fees.
        horizons_ns: of the mark-outs.
        outcomes: of each horizon the numbers of its `MarkOut`, one after the other.
    """

    threshold: float
    signals: int
    episodes: int
    time_above_s: float
    observed_s: float
    share: float | None
    duration_p50_s: float | None
    duration_p95_s: float | None
    duration_max_s: float | None
    mean_relative_spread: float | None
    max_relative_spread: float | None
    signals_per_hour: float | None
    episodes_per_hour: float | None
    durations_exact: bool
    mean_bid_size: float | None
    mean_ask_size: float | None
    mean_touch_value: float | None
    mean_net_spread_bps: float | None
    net_positive_share: float | None
    horizons_ns: tuple[int, ...]
    outcomes: tuple[Any, ...]

    @property
    def markouts(self) -> tuple[MarkOut, ...]:
        """The mark-outs, one for each horizon."""
        size = len(_OUTCOME_FIELDS)
        return tuple(
            MarkOut(horizon_label(horizon), horizon / NS, *self.outcomes[size * place : size * (place + 1)])
            for place, horizon in enumerate(self.horizons_ns)
        )

    def names(self) -> tuple[str, ...]:
        """Return the names of the numbers of a row, mark-outs included, in the order of the fields."""
        return _names(self.horizons_ns)

    def values(self) -> tuple[object, ...]:
        """Return the numbers of a row, in the order of `names`."""
        return self[:-2] + self.outcomes

    def row(self) -> dict[str, object]:
        """Return the numbers by name."""
        return dict(zip(self.names(), self.values(), strict=True))


PLAIN_FIELDS: Final = ThresholdStatistics._fields[:-2]
"""All but the mark-outs, in order."""


@cache
def _names(horizons_ns: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of a row's numbers, in order."""
    labels = map(horizon_label, horizons_ns)
    return (*PLAIN_FIELDS, *(f"markout_{label}_{name}" for label in labels for name in _OUTCOME_FIELDS))


@dataclass(frozen=True, slots=True)
class SpreadStatistics:
    """The relative spread over all observed time with both sides, as a whole.

    Attributes:
        known_s: that time.
        quantiles: by `QUANTILES`: the smallest spread that it was at or below for so much of the time; None
            where there is no time.
        quantiles_exact: whether they are exact; else they are off by under 1 %.
    """

    known_s: float
    quantiles: tuple[float, ...] | None
    quantiles_exact: bool

    def document(self) -> dict[str, object]:
        """Return the JSON form: `p5` to `p99`, fractions of the ask price."""
        values = self.quantiles or (None,) * len(QUANTILES)
        names = [f"p{round(quantile * 100)}" for quantile in QUANTILES]
        return {
            "known_s": self.known_s,
            **dict(zip(names, values, strict=True)),
            "quantiles_exact": self.quantiles_exact,
        }


@dataclass(frozen=True, slots=True)
class SweepResult:
    """One product, or a part of it.

    Attributes:
        part: which: its start in nanoseconds since 1970, or its connection; None for the whole.
        statistics: one entry a threshold, in the order in which they were given.
        spread: over all observed time.
        observed_ns: sum of all intervals.
        connections: the first and the last that a summary or an interval of it is of; None without any.
        crossed: summaries whose bid is over the ask.
    """

    part: int | None
    statistics: list[ThresholdStatistics]
    spread: SpreadStatistics
    observed_ns: int
    connections: tuple[int, int] | None
    crossed: int
