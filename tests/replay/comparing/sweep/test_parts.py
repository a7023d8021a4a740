"""Parts by hour, day and connection."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.metrics import By
from replay.comparing.sweep.parts import PERIODS_NS, Split
from tests.support.constants import SECOND
from tests.support.naive_sweep import Row
from tests.support.sweeps import START, sweep_over


def test_an_interval_is_cut_at_the_hour() -> None:
    """From ten to until ten past: ten minutes in each hour, the signal and the episode in the first."""
    hour = START - START % (3600 * SECOND)
    rows = [
        Row(0, hour - 600 * SECOND, 99.0, 1.0, 100.0, 1.0),
        Row(0, hour + 600 * SECOND, 100.0, 1.0, 100.0, 1.0),
    ]
    first, second, _ = sweep_over([0.001], rows, by="hour").finish()
    assert (first.part, second.part) == (hour - 3600 * SECOND, hour)
    found = [
        (each.signals, each.episodes, each.time_above_s) for each in first.statistics + second.statistics
    ]
    assert found == [(1, 1, 600.0), (0, 0, 600.0)]
    assert first.statistics[0].duration_max_s == 1200.0


@pytest.mark.parametrize("by", ["hour", "day"])
@given(gaps=st.lists(st.integers(1, 3 * 10**14), min_size=1, max_size=10), first=st.integers(0, 10**15))
def test_pieces_add_up(by: By, gaps: list[int], first: int) -> None:
    """Each piece of an interval lies in one part of the clock, and the pieces add up to the interval."""
    times = first + np.cumsum([0, *gaps])
    split = Split(by)
    rows = np.arange(len(gaps))
    found = split.intervals(times, split.keys(times, np.zeros_like(times)), rows)
    assert (found.duration > 0).all()
    for row, gap in enumerate(gaps):
        mine = found.row == row
        assert found.duration[mine].sum() == gap
        at = int(times[row])
        for key, duration in zip(found.key[mine].tolist(), found.duration[mine].tolist(), strict=True):
            assert at // PERIODS_NS[by] == (at + duration - 1) // PERIODS_NS[by] == key
            at += duration
