"""What a sweep reads of a summary: the rule of what is above, for odd books too."""

from tests.support.sweeps import run, timeline


def test_equal_is_not_above() -> None:
    """A spread of exactly the threshold is no signal, the next one above it is."""
    rows = timeline(0.001, 0.001, 0.001000000001, 0.001)
    assert [(each.signals, each.episodes, each.time_above_s) for each in run([0.001], rows)] == [(1, 1, 1.0)]


def test_crossed_locked_and_one_sided_books_are_never_above() -> None:
    """Not even a threshold of 0 counts them, though their time is observed."""
    [result] = run([0.0], timeline(None, 0.0, -0.001, None, None))
    assert (result.signals, result.time_above_s, result.observed_s, result.share) == (0, 0.0, 4.0, 0.0)
    assert (result.episodes, result.duration_max_s, result.mean_relative_spread) == (0, None, None)
