"""Changes of the mid price after episodes begin."""

from tests.support.constants import SECOND
from tests.support.sweeps import START, run, timeline


def test_mark_out_is_of_the_mid_at_the_horizon() -> None:
    """From a mid of 999 to that of the last summary a second later; an hour later nothing is known."""
    [result] = run([0.001], timeline(0.0, 0.002, 0.004, 0.0))
    tenth, second, hour = result.markouts
    assert (tenth.episodes, tenth.mean_bps, tenth.standard_error_bps) == (1, 0.0, None)
    assert (second.episodes, second.mean_bps, second.mean_abs_bps) == (1, -10.01001, 10.01001)
    assert (hour.episodes, hour.left_out, hour.mean_bps) == (0, 1, None)


def test_nothing_spans_an_interruption() -> None:
    """An hour between two connections is not observed; episodes and mark-outs end there."""
    rows = timeline(0.002, 0.002) + timeline(0.002, 0.002, 0.002, connection=1, start=START + 3600 * SECOND)
    [result] = run([0.001], rows)
    assert (result.episodes, result.time_above_s, result.observed_s) == (2, 3.0, 3.0)
    assert (result.duration_p50_s, result.duration_max_s) == (1.5, 2.0)
    assert [(each.episodes, each.left_out) for each in result.markouts] == [(2, 0), (2, 0), (0, 2)]
