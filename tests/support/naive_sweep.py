"""The numbers of a comparison, computed row by row from their definitions, without our own code."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

HOUR = 3600 * 10**9
QUANTILES = (5, 25, 50, 75, 95, 99)


class Row(NamedTuple):
    """A summary; None for the fields of an empty side."""

    connection: int
    time_ns: int
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None

    @property
    def spread(self) -> float | None:
        """Relative spread: a fraction of the best ask."""
        if self.bid is None or self.ask is None:
            return None
        return float(np.rint((self.ask - self.bid) / self.ask * 1e12) / 1e12)

    @property
    def mid(self) -> float | None:
        """Middle of best bid and best ask."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def touch_value(self) -> float:
        """Value of the smaller of the two best levels, in the quote currency."""
        assert self.bid is not None
        assert self.ask is not None
        assert self.bid_size is not None
        assert self.ask_size is not None
        return min(self.bid * self.bid_size, self.ask * self.ask_size)


class Part(NamedTuple):
    """A part of the rows: which rows are in it, and how many nanoseconds between two rows."""

    contains: Callable[[Row], bool]
    overlap: Callable[[Row, Row], int]


WHOLE = Part(lambda _: True, lambda row, following: following.time_ns - row.time_ns)


def clock_part(start: int, period: int) -> Part:
    """Return the part between two times, in nanoseconds since the epoch."""

    def overlap(row: Row, following: Row) -> int:
        return max(0, min(following.time_ns, start + period) - max(row.time_ns, start))

    return Part(lambda row: start <= row.time_ns < start + period, overlap)


def connection_part(connection: int) -> Part:
    """Return the part of one connection."""

    def inside(row: Row, following: Row) -> int:
        return following.time_ns - row.time_ns if row.connection == connection else 0

    return Part(lambda row: row.connection == connection, inside)


def intervals(rows: Sequence[Row], part: Part) -> list[int]:
    """Return for each row the time to the next row of its connection, inside a part; 0 for the last one."""
    return [
        part.overlap(row, rows[index + 1])
        if index + 1 < len(rows) and rows[index + 1].connection == row.connection
        else 0
        for index, row in enumerate(rows)
    ]


def episodes(threshold: float, rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Return the index of the first row and the duration in nanoseconds of each episode."""
    whole = intervals(rows, WHOLE)
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
    """Return times and mid prices of each connection."""
    found: Connections = {}
    for row in rows:
        times, mids = found.setdefault(row.connection, ([], []))
        times.append(row.time_ns)
        mids.append(row.mid)
    return found


def change(connections: Connections, start: Row, horizon: int) -> int | None:
    """Return the change of the mid price after a row, in 1e-6 bps; None if it is not known."""
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
    """Return the mark-out statistics at one horizon."""
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
    """Return the mean weighted by time, in units of `unit`."""
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
    """Return the row of one threshold in the table of a comparison."""
    times = intervals(rows, part)
    signals = [
        row.spread for row in rows if row.spread is not None and row.spread > threshold and part.contains(row)
    ]
    above = [
        (row, time)
        for row, time in zip(rows, times, strict=True)
        if time and row.spread is not None and row.spread > threshold
    ]
    weights = [time for _, time in above]
    found = [each for each in episodes(threshold, rows) if part.contains(rows[each[0]])]
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
    """Return the quantiles of the spread, weighted by time, while both sides had levels."""
    held = sorted(
        (max(row.spread, -1e6), time)
        for row, time in zip(rows, intervals(rows, part), strict=True)
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
    largest = max((row.spread or 0.0 for row in rows if part.contains(row)), default=0.0)
    return {**made, "quantiles_exact": True, "largest": largest if largest > 0 else None}
