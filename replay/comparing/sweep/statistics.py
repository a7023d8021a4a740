"""The numbers of each threshold, computed from the sums of a sweep.

`replay.comparing.metrics` defines each number. Spreads are fractions of the ask price, sizes are in the base
currency, values in the quote currency; a number is None if there is nothing to divide by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from orderbook.times import NS
from replay.comparing.metrics import horizon_label, threshold_metrics
from replay.comparing.sweep.columns import SIZE_UNITS, SPREAD_UNITS
from replay.comparing.sweep.exact import ratios
from replay.comparing.sweep.order_statistics import Floats
from replay.comparing.sweep.spread_times import SpreadStatistics
from replay.comparing.sweep.sums import PartSums

_HOUR_NS: Final = 3600 * NS


class MarkOut(NamedTuple):
    """How the mid price changes from the start of each episode to a horizon later, in basis points.

    Attributes:
        horizon: as text, `1s`.
        horizon_s: in seconds.
        episodes: number of episodes whose change is known.
        left_out: number of episodes whose change is not known.
        mean_bps: mean change; above 0 if the mid rose.
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


_MARKOUT_SIZE: Final = len(MarkOut._fields[2:])


class ThresholdStatistics(NamedTuple):
    """What one threshold selects: a field for each metric of a threshold, in order, and the mark-outs.

    Attributes:
        horizons_ns: of the mark-outs.
        outcomes: for each horizon the numbers of its `MarkOut` from `episodes` on, one after the other.
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
        return tuple(
            MarkOut(
                horizon_label(horizon),
                horizon / NS,
                *self.outcomes[_MARKOUT_SIZE * place : _MARKOUT_SIZE * (place + 1)],
            )
            for place, horizon in enumerate(self.horizons_ns)
        )

    def values(self) -> tuple[Any, ...]:
        """Return the value of each metric, in the order of `threshold_metrics`."""
        return self[:-2] + self.outcomes

    def row(self) -> dict[str, Any]:
        """Return the value of each metric by its name."""
        names = (metric.name for metric in threshold_metrics(self.horizons_ns))
        return dict(zip(names, self.values(), strict=True))


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The numbers of one product, as a whole or for one part.

    Attributes:
        part: start of the part in nanoseconds since 1970, or its connection; None for the whole.
        statistics: one entry for each threshold, in the order in which they were given.
        spread: distribution of the relative spread.
        observed_ns: sum of all intervals.
        connections: numbers of the first and the last connection; None without any summary.
        crossed: number of summaries whose bid is over the ask.
    """

    part: int | None
    statistics: list[ThresholdStatistics]
    spread: SpreadStatistics
    observed_ns: int
    connections: tuple[int, int] | None
    crossed: int


def statistics_of(
    part: int | None,
    sums: PartSums,
    thresholds: Floats,
    wanted: Sequence[float],
    horizons_ns: tuple[int, ...],
    fees: float | None,
) -> SweepResult:
    """Return the numbers of one part.

    Args:
        part: start of the part or its connection; None for the whole.
        sums: of that part, with no episode open and no mark-out pending.
        thresholds: of the sums, ascending.
        wanted: the thresholds to return, in this order; all are among `thresholds`.
        horizons_ns: of the mark-outs.
        fees: of both sides together, a fraction of the price and one of `thresholds`; None without a fee.
    """
    number = len(thresholds)
    signals, above_ns, largest = sums.above()
    observed_ns = int(sums.levels.time_ns.sum())
    observed = [observed_ns] * number
    episodes = sums.durations.counts().tolist()
    durations = (sums.durations.percentiles() / NS).tolist()
    spreads, bid_sizes, ask_sizes, values = (
        ratios(products.from_above(), [units * time_ns for time_ns in above_ns])
        for products, units in (
            (sums.levels.spread, SPREAD_UNITS),
            (sums.levels.bid_size, SIZE_UNITS),
            (sums.levels.ask_size, SIZE_UNITS),
            (sums.levels.value, SIZE_UNITS),
        )
    )
    net_spreads: list[float | None] = [None] * number
    net_shares: list[float | None] = [None] * number
    if fees is not None:
        net_spreads = [None if spread is None else (spread - fees) * 1e4 for spread in spreads]
        place = thresholds.tolist().index(fees)
        net_shares = ratios([above_ns[max(each, place)] for each in range(number)], observed)
    outcomes = [column for markout in sums.markouts for column in markout.outcomes()]
    columns: dict[str, Sequence[object]] = {
        "threshold": thresholds.tolist(),
        "signals": signals,
        "episodes": episodes,
        "time_above_s": [time_ns / NS for time_ns in above_ns],
        "observed_s": [observed_ns / NS] * number,
        "share": ratios(above_ns, observed),
        "duration_p50_s": _where(episodes, durations[0]),
        "duration_p95_s": _where(episodes, durations[1]),
        "duration_max_s": _where(episodes, durations[2]),
        "mean_relative_spread": spreads,
        "max_relative_spread": _where(signals, largest.tolist()),
        "signals_per_hour": ratios([each * _HOUR_NS for each in signals], observed),
        "episodes_per_hour": ratios([each * _HOUR_NS for each in episodes], observed),
        "durations_exact": [sums.durations.is_exact] * number,
        "mean_bid_size": bid_sizes,
        "mean_ask_size": ask_sizes,
        "mean_touch_value": values,
        "mean_net_spread_bps": net_spreads,
        "net_positive_share": net_shares,
        "horizons_ns": [horizons_ns] * number,
        "outcomes": list(zip(*outcomes, strict=True)) if outcomes else [()] * number,
    }
    ordered = zip(*(columns[name] for name in ThresholdStatistics._fields), strict=True)
    by_threshold = dict(zip(thresholds.tolist(), map(ThresholdStatistics._make, ordered), strict=True))
    return SweepResult(
        part=part,
        statistics=[by_threshold[threshold] for threshold in wanted],
        spread=msgspec.structs.replace(
            sums.spread_times.statistics(SPREAD_UNITS), largest=float(sums.levels.max_spread.max()) or None
        ),
        observed_ns=observed_ns,
        connections=sums.connections,
        crossed=sums.crossed,
    )


def _where(counts: Sequence[int], values: Sequence[float]) -> list[float | None]:
    """Return the values, with None for those whose count is 0."""
    return [value if count else None for value, count in zip(values, counts, strict=True)]
