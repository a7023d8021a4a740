"""Intervals without a book: bounded in number, and every one is counted."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from replay.report.collect.gaps import Gaps
from tests.support.report_rows import Row, connections_of, cut_rows, times_of


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 5))
def test_gaps(batches: list[list[Row]], most: int) -> None:
    """Gaps lie between connections; beyond the limit some are joined, and every one is still counted."""
    gaps = Gaps(most)
    for rows in batches:
        gaps.add(times_of(rows), connections_of(rows))
    rows = [row for batch in batches for row in batch]
    pairs = pairwise(rows)
    expected = [(a.time, b.time) for a, b in pairs if a.connection != b.connection]
    found = gaps.found()
    assert len(found) == min(len(expected), most)
    assert sum(gap.interruptions for gap in found) == len(expected)
    assert sum(gap.excluded_ns for gap in found) == sum(end - start for start, end in expected)
    assert all(any(gap.start <= start and end <= gap.end for gap in found) for start, end in expected)
