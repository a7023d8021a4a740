"""The numbers of a comparison as their definitions read, row by row: slow, and none of our code in it."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

HOUR = 3600 * 10**9
QUANTILES = (5, 25, 50, 75, 95, 99)


class Row(NamedTuple):
    """A summary; None where a side is empty."""

    connection: int
    time_ns: int
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None

    @property
    def spread(self) -> float | None:
        """Relative spread."""
        if self.bid is None or self.ask is None:
            return None
        return float(np.rint((self.ask - self.bid) / self.ask * 1e12) / 1e12)

    @property
    def mid(self) -> float | None:
        """Halfway between the sides."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def touch_value(self) -> float:
        """Value of the smaller side."""
        assert self.bid is not None
        assert self.ask is not None
        assert self.bid_size is not None
        assert self.ask_size is not None
        return min(self.bid * self.bid_size, self.ask * self.ask_size)


class Part(NamedTuple):
    """Which rows count, and how much of the time between two of them."""

    holds: Callable[[Row], bool]
    of_interval: Callable[[Row, Row], int]


WHOLE = Part(lambda _: True, lambda row, following: following.time_ns - row.time_ns)


def clock_part(start: int, period: int) -> Part:
    """Return a stretch of the clock."""

    def overlap(row: Row, following: Row) -> int:
        return max(0, min(following.time_ns, start + period) - max(row.time_ns, start))

    return Part(lambda row: start <= row.time_ns < start + period, overlap)


def connection_part(connection: int) -> Part:
    """Return a connection."""

    def inside(row: Row, following: Row) -> int:
        return following.time_ns - row.time_ns if row.connection == connection else 0

    return Part(lambda row: row.connection == connection, inside)


def opened(rows: Sequence[Row], part: Part) -> list[int]:
    """Return the time that each row opens, inside a part."""
    return [
        part.of_interval(row, rows[index + 1])
        if index + 1 < len(rows) and rows[index + 1].connection == row.connection
        else 0
        for index, row in enumerate(rows)
    ]


def episodes(threshold: float, rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Return number of the first row and duration of each episode."""
    whole = opened(rows, WHOLE)
    found: list[tuple[int, int]] = []
    for index, row in enumerate(rows):
        if row.spread is None or not row.spread > threshold:
            continue
        before = rows[index - 1] if index else None
        if (
            before is not None
            and before.connection == row.connection
            and before.spread is not None
            and before.spread > threshold
        ):
            found[-1] = (found[-1][0], found[-1][1] + whole[index])
        else:
            found.append((index, whole[index]))
    return found


Connections = dict[int, tuple[list[int], list[float | None]]]


def connections_of(rows: Sequence[Row]) -> Connections:
    """Return times and mids of each connection."""
    found: Connections = {}
    for row in rows:
        times, mids = found.setdefault(row.connection, ([], []))
        times.append(row.time_ns)
        mids.append(row.mid)
    return found


def change(connections: Connections, start: Row, horizon: int) -> int | None:
    """Return the mid's change after a row in 1e-6 bps; None where it is not known."""
    times, mids = connections[start.connection]
    due = start.time_ns + horizon
    if times[-1] < due:
        return None
    after = mids[bisect_right(times, due) - 1]
    before = start.mid
    assert before is not None
    if after is None:
        return None
    return max(-(10**12), min(10**12, round((after - before) / before * 1e10)))


def markout(rows: Sequence[Row], starts: Sequence[int], horizon: int) -> dict[str, Any]:
    """Return the statistics of one horizon."""
    connections = connections_of(rows)
    changes = [change(connections, rows[start], horizon) for start in starts]
    known = [value for value in changes if value is not None]
    number = len(known)
    error = None
    if number > 1:
        mean = Fraction(sum(known), number)
        variance = Fraction(sum(value * value for value in known)) / number - mean * mean
        error = math.sqrt(variance / (number - 1) / 10**12)
    return {
        "episodes": number,
        "left_out": len(changes) - number,
        "mean_bps": float(Fraction(sum(known), number * 10**6)) if number else None,
        "standard_error_bps": error,
        "mean_abs_bps": float(Fraction(sum(map(abs, known)), number * 10**6)) if number else None,
    }


def weighted(values: Sequence[int], times: Sequence[int], unit: int) -> float | None:
    """Return the mean weighted by time."""
    total = sum(times)
    return (
        float(Fraction(sum(v * t for v, t in zip(values, times, strict=True)), unit * total))
        if total
        else None
    )


def numbers(
    threshold: float,
    rows: Sequence[Row],
    horizons: dict[str, int],
    fee: float | None = None,
    part: Part = WHOLE,
) -> dict[str, Any]:
    """Return the row of one threshold."""
    times = opened(rows, part)
    signals = [
        row.spread for row in rows if row.spread is not None and row.spread > threshold and part.holds(row)
    ]
    above = [
        (row, time)
        for row, time in zip(rows, times, strict=True)
        if time and row.spread is not None and row.spread > threshold
    ]
    weights = [time for _, time in above]
    found = [each for each in episodes(threshold, rows) if part.holds(rows[each[0]])]
    durations = np.array([duration for _, duration in found], np.float64)
    observed, time_above = sum(times), sum(weights)
    mean_spread = weighted([round((row.spread or 0) * 1e12) for row, _ in above], weights, 10**12)
    made = {
        "threshold": threshold,
        "signals": len(signals),
        "episodes": len(found),
        "time_above_s": time_above / 1e9,
        "observed_s": observed / 1e9,
        "share": time_above / observed if observed else None,
        "duration_p50_s": np.percentile(durations, 50) / 1e9 if found else None,
        "duration_p95_s": np.percentile(durations, 95) / 1e9 if found else None,
        "duration_max_s": durations.max() / 1e9 if found else None,
        "mean_relative_spread": mean_spread,
        "max_relative_spread": max(signals) if signals else None,
        "signals_per_hour": len(signals) * HOUR / observed if observed else None,
        "episodes_per_hour": len(found) * HOUR / observed if observed else None,
        "durations_exact": True,
        "mean_bid_size": weighted([round((row.bid_size or 0) * 1e8) for row, _ in above], weights, 10**8),
        "mean_ask_size": weighted([round((row.ask_size or 0) * 1e8) for row, _ in above], weights, 10**8),
        "mean_touch_value": weighted([round(row.touch_value * 1e8) for row, _ in above], weights, 10**8),
        "mean_net_spread_bps": None,
        "net_positive_share": None,
    }
    if fee is not None:
        paid = [time for row, time in above if row.spread is not None and row.spread > 2 * fee]
        made["mean_net_spread_bps"] = None if mean_spread is None else (mean_spread - 2 * fee) * 1e4
        made["net_positive_share"] = sum(paid) / observed if observed else None
    for label, horizon in horizons.items():
        for name, value in markout(rows, [start for start, _ in found], horizon).items():
            made[f"markout_{label}_{name}"] = value
    return made


def quantiles(rows: Sequence[Row], part: Part = WHOLE) -> dict[str, Any]:
    """Return the quantiles of the spread over the time with both sides."""
    held = sorted(
        (max(row.spread, -1e6), time)
        for row, time in zip(rows, opened(rows, part), strict=True)
        if time and row.spread is not None
    )
    total = sum(time for _, time in held)
    made: dict[str, Any] = {"known_s": total / 1e9}
    for percent in QUANTILES:
        passed = 0
        made[f"p{percent}"] = None
        for spread, time in held:
            passed += time
            if passed * 100 >= percent * total:
                made[f"p{percent}"] = spread
                break
    return {**made, "quantiles_exact": True}
