"""Quantiles of the spread, exact up to a bound and within 1 % beyond it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.sweep import spread_times
from replay.comparing.sweep.columns import SPREAD_UNITS
from replay.comparing.sweep.spread_times import QUANTILES, SpreadTimes
from tests.support.sweeps import sweep_over, timeline


def test_many_spreads_are_within_one_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the quantiles come from a histogram, say so, and are off by less than 1 %."""
    spreads = np.random.default_rng(7).lognormal(-8, 1, 3000).tolist()
    exactly = sweep_over([0.1], timeline(*spreads)).finish()[0].spread
    monkeypatch.setattr(spread_times, "MAX_DISTINCT", 100)
    binned = sweep_over([0.1], timeline(*spreads)).finish()[0].spread
    assert (exactly.quantiles_exact, binned.quantiles_exact) == (True, False)
    assert binned.quantiles != exactly.quantiles
    assert binned.quantiles == pytest.approx(exactly.quantiles, rel=0.01)


TIMES = st.lists(st.tuples(st.integers(-(10**9), 10**12), st.integers(1, 10**18 // 20)), max_size=20)


@given(TIMES, TIMES)
def test_quantiles_equal_a_plain_count(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    """A quantile is the smallest spread with that share of the time at or below it; halves can be merged."""
    halves = [SpreadTimes(), SpreadTimes()]
    for half, drawn in zip(halves, (first, second), strict=True):
        for units, time in drawn:
            half.add(np.array([units]), np.array([time]))
    halves[0].merge(halves[1])
    found = halves[0].statistics(SPREAD_UNITS)
    total = sum(time for _, time in first + second)
    assert found.known_s == total / 10**9
    passed = 0
    wanted: dict[float, float | None] = dict.fromkeys(QUANTILES)
    for units, time in sorted(first + second):
        passed += time
        for quantile in QUANTILES:
            if wanted[quantile] is None and passed * 100 >= total * round(quantile * 100):
                wanted[quantile] = units / SPREAD_UNITS
    assert found.quantiles == tuple(wanted.values())
