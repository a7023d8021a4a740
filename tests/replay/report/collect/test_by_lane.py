"""What is kept of many lanes at once is what would be kept of each alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replay.report.collect.by_lane import NO_EQUITY, MoneySeries, Samples, Thinned

LIMIT = 4
LANES = 3
Batches = list[list[tuple[int, int]]]

batches = st.lists(st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(0, 9)), max_size=40), max_size=6)


def thinned(values: list[int]) -> list[int]:
    """Return every value, every second, every fourth...: the most that there is room for."""
    step = 1
    while len(values[::step]) > LIMIT:
        step *= 2
    return values[::step]


@given(batches)
def test_thinned(found: Batches) -> None:
    """Of each lane the evenly chosen ones are kept, those of the batches together."""
    kept = Thinned(LIMIT)
    for batch in found:
        lanes, values = (np.array([each[place] for each in batch], np.int64) for place in (0, 1))
        kept.add(lanes, values, np.flatnonzero(values > 0))
    for lane in range(LANES):
        own = [value for batch in found for each, value in batch if each == lane and value > 0]
        assert kept.of(lane).tolist() == thinned(own)
        assert kept.seen(lane) == len(own)


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
