"""Settings: the waits between connection attempts."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.settings import Backoff


@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0.001, 10), st.floats(1, 1000))
def test_waits_are_within_bounds(attempt: int, jitter: float, first: float, factor: float) -> None:
    """A wait is between half and all of first * 2**attempt, and never above the longest."""
    longest = first * factor
    ceiling = min(longest, first * 2 ** min(attempt, 64))
    assert ceiling / 2 <= Backoff(first, longest).wait(attempt, jitter) <= ceiling


def test_waits_double_and_differ() -> None:
    """The ceiling doubles with each attempt up to the longest wait, and jitter spreads waits below it."""
    backoff = Backoff(first=1, longest=8)
    assert [backoff.wait(attempt, 1) for attempt in range(6)] == [1, 2, 4, 8, 8, 8]
    assert [backoff.wait(attempt, 0) for attempt in range(6)] == [0.5, 1, 2, 4, 4, 4]
    assert backoff.wait(3, 0.25) == 5
