"""When the spread was above a threshold, in few intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.report.collect.wide_times import WideTimes

THRESHOLD = 0.001


@pytest.mark.parametrize("limit", [3, 1000])
@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((0, 1, 10**6, 10**8, 10**10)), st.sampled_from((0, 5, 10**7)), st.booleans()
        ),
        min_size=1,
        max_size=40,
    )
)
def test_intervals_that_are_near_are_one(limit: int, parts: list[tuple[int, int, bool]]) -> None:
    """They are those above the threshold, joined as far as needed, however they come."""
    time, above = 0, []
    whole, cut = WideTimes(THRESHOLD, limit), WideTimes(THRESHOLD, limit)
    starts, durations, spreads = [], [], []
    for pause, duration, is_above in parts:
        time += pause
        starts.append(time)
        durations.append(duration)
        spreads.append(THRESHOLD * 2 if is_above else THRESHOLD)
        one = np.array(starts[-1:]), np.array(durations[-1:]), np.array(spreads[-1:])
        cut.add(*one)
        if is_above:
            above.append((time, time + duration))
        time += duration
    whole.add(np.array(starts), np.array(durations), np.array(spreads))
    expected: list[tuple[int, int]] = []
    for start, end in above:
        is_near = expected and start - expected[-1][1] < whole.joined_ns
        expected.append((expected.pop()[0] if is_near else start, end))
    assert whole.found() == cut.found() == expected
    assert len(expected) <= limit
