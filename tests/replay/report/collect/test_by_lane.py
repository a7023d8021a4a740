"""What is kept of many lanes at once is what would be kept of each alone."""

from typing import TypeVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replay.report.collect.by_lane import NO_EQUITY, MoneySeries, Samples, Thinned

LIMIT = 4
LANES = 3
T = TypeVar("T")
Batches = list[list[tuple[int, int]]]

batches = st.lists(st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(0, 9)), max_size=40), max_size=6)


def thinned(values: list[T]) -> list[T]:
    """Return every value, every second, every fourth...: the most that there is room for."""
    step = 1
    while len(values[::step]) > LIMIT:
        step *= 2
    return values[::step]


@given(batches, st.booleans())
def test_thinned(found: Batches, leaves_out: bool) -> None:
    """Of each lane evenly chosen ones are kept, even if those that none would keep are not added."""
    kept = Thinned(LIMIT)
    seen: list[list[int]] = [[] for _ in range(LANES)]
    for batch in found:
        rows = []
        for lane, value in batch:
            place = len(seen[lane])
            seen[lane].append(value)
            if not leaves_out or (place, value) in thinned(list(enumerate(seen[lane]))):
                rows.append((lane, place, value))
        kept.add(*np.array(rows, np.int64).reshape(-1, 3).T)
    for lane, own in enumerate(seen):
        assert kept.of(lane, len(own)).tolist() == thinned(own)


def extremes(values: list[tuple[int, float]], shift: int) -> list[tuple[int, float]]:
    """Return the first smallest and the first largest value of each bucket."""
    kept = set()
    for bucket in {time >> shift for time, _ in values}:
        inside = [each for each in values if each[0] >> shift == bucket]
        kept |= {min(inside, key=lambda each: each[1]), max(inside, key=lambda each: each[1])}
    return sorted(kept)


@given(batches, st.integers(0, 3), st.sampled_from([1, 2**60]))
def test_money(found: Batches, shift: int, size: int) -> None:
    """The extremes of equity and position are kept, exact beyond 64 bits, in buckets as wide as all need."""
    series = MoneySeries(LIMIT, shift)
    rows: list[list[tuple[int, int | None, int]]] = [[] for _ in range(LANES)]
    time = 0
    for batch in found:
        added = []
        for lane, value in batch:
            time += 1 + value
            equity = None if value == 3 else (value - 5) * 10**16 * size
            rows[lane].append((time, equity, value))
            words = (NO_EQUITY, 0) if equity is None else divmod(equity, 2**64)
            added.append((lane, time, words[0], words[1] - 2**64 * (words[1] >= 2**63), value * 10**8))
        series.add(Samples(*np.array(added, np.int64).reshape(-1, 5).T.copy()))
    while any(len({time >> shift for time, _, _ in own}) > LIMIT for own in rows):
        shift += 1
    for lane, own in enumerate(rows):
        equity_points = [(at, equity / (2 * 10**16)) for at, equity, _ in own if equity is not None]
        times, values = series.equity(lane)
        assert list(zip(times.tolist(), values.tolist(), strict=True)) == extremes(equity_points, shift)
        times, values = series.positions(lane)
        position_points = [(at, float(position)) for at, _, position in own]
        assert list(zip(times.tolist(), values.tolist(), strict=True)) == extremes(position_points, shift)
