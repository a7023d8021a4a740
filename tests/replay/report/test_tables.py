"""The tables of a report: nothing is left out unsaid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import booktape as bt
from orderbook import display
from orderbook.thresholds import format_threshold
from replay.comparing.sweep.statistics import ThresholdStatistics
from replay.report.collect.reduction import MinMaxReduction
from replay.report.tables import spread_table, threshold_table
from tests.support.constants import SAMPLE, SECOND, START


@pytest.fixture(scope="module")
def statistics() -> list[ThresholdStatistics]:
    """Return the numbers of 40 thresholds."""
    thresholds = [number / 10_000 for number in range(1, 41)]
    return bt.compare(SAMPLE, thresholds, products=("BTC-USD",)).groups[0].statistics


@pytest.mark.parametrize("limit", [8, 40])
@pytest.mark.parametrize("sort", ["threshold", "signals"])
def test_the_threshold_in_detail_is_always_listed(
    statistics: list[ThresholdStatistics], limit: int, sort: str
) -> None:
    """A long table is cut and says so; it keeps the order of its rows and the one shown in detail."""
    detail = statistics[20].threshold
    table = threshold_table(statistics, detail, sort, limit)
    names = [str(row[0]) for row in table.rows]
    assert format_threshold(detail) + " ●" in names
    assert limit <= len(names) <= limit + 1
    assert (f", {len(names)} of 40" in table.caption) == (limit < 40)
    listed = [name.removesuffix(" ●") for name in names]
    assert listed == [name for row in statistics if (name := format_threshold(row.threshold)) in listed]
    assert (sum(" ▾" in heading for heading in table.headings)) == (sort == "signals")
    assert {len(row) for row in table.rows} == {len(table.headings)}


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 50)), max_size=60))
def test_slices_hold_every_extreme(points: list[tuple[int, int]]) -> None:
    """The smallest and largest spread of the whole time are in some slice, and there are 24 at most."""
    times = START + SECOND * np.array(sorted(time for time, _ in points), np.int64)
    values = np.array([value / 1e4 for _, value in points])
    reduction = MinMaxReduction(500)
    reduction.add(times, values)
    rows = spread_table(reduction).rows
    assert len(rows) <= 24
    if points:
        assert display.bps(values.min()) in [row[1] for row in rows]
        assert display.bps(values.max()) in [row[2] for row in rows]
    else:
        assert not rows
