"""Percentiles of durations, exact up to a bound and within 1 % beyond it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.sweep import durations
from replay.comparing.sweep.durations import QUANTILES, Durations
from tests.support.sweeps import START, run, timeline


def test_many_episodes_are_within_one_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound percentiles are off by less than 1 % and it is said; the longest is still exact."""
    random = np.random.default_rng(7)
    gaps = np.rint(10 ** random.uniform(0, 12, 2000)).astype(np.int64)
    levels = random.choice([0.0, 0.001, 0.002, 0.003], 2000).tolist()
    rows = [
        row._replace(time_ns=START + int(time))
        for row, time in zip(timeline(*levels), np.cumsum(gaps), strict=True)
    ]
    thresholds = [0.0, 0.0005, 0.0015, 0.0025]
    wanted = run(thresholds, rows)
    assert all(each.durations_exact for each in wanted)
    monkeypatch.setattr(durations, "MAX_EXACT", 100)
    monkeypatch.setattr(durations, "_MAX_CELLS", 1000)
    found = run(thresholds, rows)
    for approximate, right in zip(found, wanted, strict=True):
        assert not approximate.durations_exact
        assert approximate.duration_p50_s == pytest.approx(right.duration_p50_s, rel=0.01)
        assert approximate.duration_p95_s == pytest.approx(right.duration_p95_s, rel=0.01)
        assert (approximate.duration_max_s, approximate.episodes) == (right.duration_max_s, right.episodes)
    assert wanted[0].duration_p50_s != found[0].duration_p50_s


RANGES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 10**15)), min_size=1, max_size=30
).map(lambda drawn: [(low, min(4, low + width), duration) for low, width, duration in drawn])


@given(RANGES, RANGES, st.integers(0, 40))
def test_merged_durations(
    first: list[tuple[int, int, int]], second: list[tuple[int, int, int]], bound: int
) -> None:
    """Two halves merge to what numpy says of all, however many of them are kept one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durations, "MAX_EXACT", bound)
        halves = [Durations(4), Durations(4)]
        for half, ranges in zip(halves, (first, second), strict=True):
            for start in range(0, len(ranges), 7):
                half.add(
                    *(np.array(column, np.int64) for column in zip(*ranges[start : start + 7], strict=True))
                )
        halves[0].merge(halves[1])
        found = halves[0].percentiles()
    for column in range(4):
        inside = [duration for low, high, duration in first + second if low <= column < high]
        assert halves[0].counts()[column] == len(inside)
        wanted = np.quantile(inside, QUANTILES) if inside else np.full(3, np.nan)
        assert found[-1, column] == pytest.approx(wanted[-1], rel=0, abs=0, nan_ok=True)
        tolerance = 1e-15 if halves[0].is_exact else 0.01
        np.testing.assert_allclose(found[:, column], wanted, rtol=tolerance)
