"""A long series reduced to few points: every spike is kept, in any batches."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.report.collect.reduction import MinMaxReduction
from tests.support.constants import SECOND, START
from tests.support.report_rows import Row, cut_rows, spreads_of, times_of


def reduced(batches: list[list[Row]], buckets: int) -> MinMaxReduction:
    """Return the reduction of batches."""
    reduction = MinMaxReduction(buckets)
    for rows in batches:
        reduction.add(times_of(rows), spreads_of(rows))
    return reduction


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 12))
def test_reduction_keeps_every_spike(batches: list[list[Row]], buckets: int) -> None:
    """In each bucket of time the smallest and largest value are kept, each when it was first seen."""
    reduction = reduced(batches, buckets)
    there = [row for rows in batches for row in rows if not math.isnan(row.spread)]
    expected: set[tuple[int, float]] = set()
    for bucket in {row.time // reduction.width_ns for row in there}:
        inside = [row for row in there if row.time // reduction.width_ns == bucket]
        for choose in (min, max):
            found = choose(inside, key=lambda row: row.spread)
            expected.add((found.time, found.spread))
    times, values = (part.tolist() for part in reduction.points())
    assert set(zip(times, values, strict=True)) == expected
    assert times == sorted(times)
    assert len(times) <= 2 * buckets
    assert reduction.seen == len(there)


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 12))
def test_reduction_of_batches(batches: list[list[Row]], buckets: int) -> None:
    """Batches are reduced to the same points as all their rows at once."""
    cut = reduced(batches, buckets)
    whole = reduced([[row for rows in batches for row in rows]], buckets)
    assert [part.tolist() for part in cut.points()] == [part.tolist() for part in whole.points()]
    assert (cut.width_ns, cut.seen) == (whole.width_ns, whole.seen)


def test_reduction_of_a_day_stays_small() -> None:
    """A spike of one row in a day of a million rows is kept among some thousand points."""
    times = START + np.arange(1_000_000) * (86_400 * SECOND // 1_000_000)
    values = np.full(1_000_000, 0.001)
    values[777_777] = 0.5
    reduction = MinMaxReduction(1500)
    for start in range(0, 1_000_000, 4096):
        reduction.add(times[start : start + 4096], values[start : start + 4096])
    kept_times, kept = reduction.points()
    assert 750 < len(kept) <= 3000
    assert kept_times[kept.argmax()] == times[777_777]
    assert kept.max() == 0.5
