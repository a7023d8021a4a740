"""The numbers of a threshold, worked out by hand."""

import pytest

from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from tests.support.sweeps import run, sweep_over, timeline, to_batch


def test_one_episode() -> None:
    """An episode lasts from its first summary above to the first one that is not."""
    [result] = run([0.001], timeline(0.0, 0.002, 0.004, 0.0, 0.0))
    assert (result.signals, result.episodes, result.time_above_s, result.observed_s) == (2, 1, 2.0, 4.0)
    assert (result.share, result.signals_per_hour, result.episodes_per_hour) == (0.5, 1800.0, 900.0)
    assert (result.duration_p50_s, result.duration_p95_s, result.duration_max_s) == (2.0, 2.0, 2.0)
    assert (result.mean_relative_spread, result.max_relative_spread) == (0.003, 0.004)
    assert (result.mean_bid_size, result.mean_ask_size, result.mean_touch_value) == (1.0, 2.0, 997.0)


def test_fee_of_both_sides() -> None:
    """Of 3 bps and 1 bp above, less 2 fees of 1 bp; a third of the observed time earns more than the fees."""
    [result] = sweep_over([0.00005], timeline(0.0003, 0.0001, 0.0, 0.0), fee=0.0001).finish()
    [entry] = result.statistics
    assert entry.mean_net_spread_bps == pytest.approx(0.0, abs=1e-12)
    assert entry.net_positive_share == 1 / 3


def test_an_episode_may_have_no_duration() -> None:
    """A last summary above opens no interval: an episode of 0 s, and a mean over no time is null."""
    [result] = run([0.001], timeline(0.0, 0.002))
    assert (result.signals, result.episodes, result.duration_max_s, result.time_above_s) == (1, 1, 0.0, 0.0)
    assert (result.mean_relative_spread, result.max_relative_spread) == (None, 0.002)


def test_without_summaries() -> None:
    """A product without summaries has zeros where something is counted, and null elsewhere."""
    sweeping = ThresholdSweep([0.001])
    sweeping.add(to_batch([]))
    [result] = sweeping.finish()
    [entry] = result.statistics
    assert set(entry.row().values()) == {0.001, 0, True, None}
    assert (set(result.spread.quantiles), result.connections, result.observed_ns) == ({None}, None, 0)
    assert ThresholdSweep([]).finish()[0].statistics == []


def test_order_and_duplicates() -> None:
    """Statistics come in the order in which the thresholds were given, a repeated one once."""
    results = run([0.003, 0.001, 0.003, 0.0, -0.0, 0.001], timeline(0.002, 0.004, 0.0))
    assert [(each.threshold, each.signals) for each in results] == [(0.003, 1), (0.001, 2), (0.0, 2)]
