"""The stack of open episodes closes what a loop over single thresholds closes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.sweep import episodes
from replay.comparing.sweep.episodes import OpenEpisodes


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
    st.sampled_from([0, 32]),
)
def test_closings_equal_single_thresholds(moves: list[tuple[int, int]], cuts: list[int], pairs: int) -> None:
    """Thresholds, durations and keys of all closed episodes, however the moves are cut."""
    levels = np.array([level for level, _ in moves] + [0])
    times = np.cumsum([gap for _, gap in moves] + [1])
    keys = np.arange(len(levels))
    found = []
    stack = OpenEpisodes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(episodes, "_MIN_PAIRS", pairs)
        for part in np.split(np.arange(len(levels)), sorted(min(cut, len(levels)) for cut in cuts)):
            stack.move(levels[part], times[part], keys[part])
            stack.close_head()
            closed = stack.pop_closed()
            for low, high, duration, key in zip(*(column.tolist() for column in closed), strict=True):
                found += [(threshold, key, duration) for threshold in range(low, high)]
    wanted = []
    for threshold in range(5):
        since = None
        for at, level in enumerate(levels.tolist()):
            if since is None and level > threshold:
                since = at
            elif since is not None and level <= threshold:
                wanted.append((threshold, since, int(times[at] - times[since])))
                since = None
    assert sorted(found) == sorted(wanted)
