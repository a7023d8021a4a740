"""Percentiles of lateness against numpy's, and the timing of several processes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.running.lateness import Lateness, Timing
from tests.support.constants import MS, SECOND


def test_percentiles() -> None:
    """p50 and p99 are numpy's to 1 % in any batches; the maximum is exact."""
    rng = np.random.default_rng(7)
    samples = [
        rng.lognormal(13, 2, 20_001),
        rng.uniform(1_000, 10 * SECOND, 5_000),
        rng.exponential(3 * MS, 50_000) + 100,
        np.full(1_000, 123_456.0),
    ]
    for late_ns in samples:
        lateness = Lateness()
        for part in np.array_split(late_ns, 37):
            lateness.add(part)
        lateness.add(np.empty(0))
        found = Timing(lateness).document()
        assert found is not None
        p50, p99 = np.percentile(late_ns, [50, 99], method="inverted_cdf") / MS
        assert found.late_ms_p50 == pytest.approx(p50, rel=0.01)
        assert found.late_ms_p99 == pytest.approx(p99, rel=0.01)
        assert found.late_ms_max == late_ns.max() / MS


def test_no_rows() -> None:
    """Without a paced row there is no lateness."""
    assert Lateness().percentiles_ms() is None


@given(st.lists(st.lists(st.floats(0, 1e13), max_size=20), max_size=6))
def test_merged_histograms(parts: list[list[float]]) -> None:
    """Histograms of several processes, merged, are that of all rows."""
    whole, merged = Lateness(), Lateness()
    for part in parts:
        one = Lateness()
        one.add(np.array(part))
        whole.add(np.array(part))
        merged.merge(one)
    assert Timing(merged).document() == Timing(whole).document()
    if (document := Timing(whole).document()) is not None:
        rows = [late for part in parts for late in part]
        assert document.behind_rows == sum(late > 10 * MS for late in rows)


def test_the_last_process_sets_the_duration() -> None:
    """The duration of several processes on one clock is that of the one that ended last."""
    early, late = Timing(Lateness(), 5 * SECOND, 4.0 * SECOND), Timing(Lateness(), 9 * SECOND, 9.0 * SECOND)
    late.lateness.add(np.array([1_000.0]))
    early.merge(late)
    document = early.document()
    assert document is not None
    assert (document.duration_s, document.duration_error_ms) == (9.0, 0.0)
