"""From sums to the numbers that are shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from orderbook.times import NS
from replay.order_statistics import Floats
from replay.sweep.results import MarkOut, SweepResult, ThresholdStatistics
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
    episodes = sums.durations.counts().tolist()
    durations = (sums.durations.percentiles() / NS).tolist()
    spread, bid_size, ask_size, value = (
        products.from_above()
        for products in (sums.levels.spread, sums.levels.bid_size, sums.levels.ask_size, sums.levels.value)
    )
    markouts = [each.statistics(horizon) for each, horizon in zip(sums.markouts, horizons_ns, strict=True)]
    places = {threshold: place for place, threshold in enumerate(thresholds.tolist())}
    fee_place = None if fee is None else places[fee.both_sides]
    statistics = []
    for threshold in asked:
        place = places[threshold]
        time_ns = above_ns[place]
        number = episodes[place]
        mean_spread = _ratio(spread[place], SPREAD_UNITS * time_ns)
        p50, p95, longest = (row[place] if number else None for row in durations)
        statistics.append(
            ThresholdStatistics(
                threshold=threshold,
                signals=signals[place],
                episodes=number,
                time_above_s=time_ns / NS,
                observed_s=observed_ns / NS,
                share=_ratio(time_ns, observed_ns),
                duration_p50_s=p50,
                duration_p95_s=p95,
                duration_max_s=longest,
                mean_relative_spread=mean_spread,
                max_relative_spread=float(largest[place]) if signals[place] else None,
                signals_per_hour=_ratio(signals[place] * _HOUR_NS, observed_ns),
                episodes_per_hour=_ratio(number * _HOUR_NS, observed_ns),
                durations_exact=sums.durations.is_exact,
                mean_bid_size=_ratio(bid_size[place], SIZE_UNITS * time_ns),
                mean_ask_size=_ratio(ask_size[place], SIZE_UNITS * time_ns),
                mean_touch_value=_ratio(value[place], SIZE_UNITS * time_ns),
                mean_net_spread_bps=(
                    None if fee is None or mean_spread is None else (mean_spread - fee.both_sides) * 1e4
                ),
                net_positive_share=(
                    None if fee_place is None else _ratio(above_ns[max(place, fee_place)], observed_ns)
                ),
                markouts=_each(markouts, place),
            )
        )
    return SweepResult(
        part=part,
        statistics=statistics,
        spread=sums.spread_times.statistics(SPREAD_UNITS),
        observed_ns=observed_ns,
        connections=sums.connections,
        crossed=sums.crossed,
    )


def _each(markouts: Sequence[Sequence[MarkOut]], place: int) -> tuple[MarkOut, ...]:
    return tuple(each[place] for each in markouts)


def _ratio(part: int, whole: int) -> float | None:
    """Return the float nearest to the exact quotient; None over nothing."""
    return part / whole if whole else None
