"""From sums to the numbers that are shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orderbook.times import NS
from replay.order_statistics import Floats
from replay.sweep.exact import ratios
from replay.sweep.results import SweepResult, ThresholdStatistics
from replay.sweep.rows import SIZE_UNITS, SPREAD_UNITS
from replay.sweep.sums import PartSums

_HOUR_NS = 3600 * NS


@dataclass(frozen=True, slots=True)
class Fee:
    """What each side costs, a fraction of the price."""

    one_side: float

    @property
    def both_sides(self) -> float:
        """What the spread must be above."""
        return 2 * self.one_side


def report(
    part: int | None,
    sums: PartSums,
    thresholds: Floats,
    asked: Sequence[float],
    horizons_ns: Sequence[int],
    fee: Fee | None,
) -> SweepResult:
    """Return the numbers of one part, in the order in which the thresholds were asked for.

    Args:
        part: which.
        sums: closed: nothing in it is open or waits.
        thresholds: ascending; those that were asked for are among them.
        asked: whose numbers are returned.
        horizons_ns: of the mark-outs.
        fee: of a side.
    """
    signals, above_ns, largest = sums.above()
    observed_ns = int(sums.levels.time_ns.sum())
    observed = [observed_ns] * len(thresholds)
    episodes = sums.durations.counts().tolist()
    lasted = (sums.durations.percentiles() / NS).tolist()
    mean_spreads, bid_sizes, ask_sizes, values = (
        ratios(products.from_above(), [units * time_ns for time_ns in above_ns])
        for products, units in (
            (sums.levels.spread, SPREAD_UNITS),
            (sums.levels.bid_size, SIZE_UNITS),
            (sums.levels.ask_size, SIZE_UNITS),
            (sums.levels.value, SIZE_UNITS),
        )
    )
    columns: dict[str, Sequence[object]] = {
        "threshold": thresholds.tolist(),
        "signals": signals,
        "episodes": episodes,
        "time_above_s": [time_ns / NS for time_ns in above_ns],
        "observed_s": [observed_ns / NS] * len(thresholds),
        "share": ratios(above_ns, observed),
        **{
            f"duration_{name}_s": [
                each if number else None for each, number in zip(row, episodes, strict=True)
            ]
            for name, row in zip(("p50", "p95", "max"), lasted, strict=True)
        },
        "mean_relative_spread": mean_spreads,
        "max_relative_spread": [
            each if number else None for each, number in zip(largest.tolist(), signals, strict=True)
        ],
        "signals_per_hour": ratios([number * _HOUR_NS for number in signals], observed),
        "episodes_per_hour": ratios([number * _HOUR_NS for number in episodes], observed),
        "durations_exact": [sums.durations.is_exact] * len(thresholds),
        "mean_bid_size": bid_sizes,
        "mean_ask_size": ask_sizes,
        "mean_touch_value": values,
        **_net_of(fee, thresholds, mean_spreads, above_ns, observed_ns),
        "horizons_ns": [tuple(horizons_ns)] * len(thresholds),
        "outcomes": _by_threshold(
            [column for markout in sums.markouts for column in markout.outcomes()], len(thresholds)
        ),
    }
    ordered = zip(*(columns[name] for name in ThresholdStatistics._fields), strict=True)
    statistics = dict(zip(thresholds.tolist(), map(ThresholdStatistics._make, ordered), strict=True))
    return SweepResult(
        part=part,
        statistics=[statistics[threshold] for threshold in asked],
        spread=sums.spread_times.statistics(SPREAD_UNITS),
        observed_ns=observed_ns,
        connections=sums.connections,
        crossed=sums.crossed,
    )


def _net_of(
    fee: Fee | None,
    thresholds: Floats,
    mean_spreads: Sequence[float | None],
    above_ns: Sequence[int],
    observed_ns: int,
) -> dict[str, Sequence[object]]:
    """Return the columns of what two fees leave."""
    nothing = [None] * len(thresholds)
    if fee is None:
        return {"mean_net_spread_bps": nothing, "net_positive_share": nothing}
    fees = fee.both_sides
    place = thresholds.tolist().index(fees)
    return {
        "mean_net_spread_bps": [None if spread is None else (spread - fees) * 1e4 for spread in mean_spreads],
        "net_positive_share": ratios(
            [above_ns[max(each, place)] for each in range(len(thresholds))], [observed_ns] * len(thresholds)
        ),
    }


def _by_threshold(columns: Sequence[Iterable[object]], number: int) -> Sequence[tuple[object, ...]]:
    """Return a row for each threshold, empty where there are no columns."""
    return list(zip(*columns, strict=True)) if columns else [()] * number
