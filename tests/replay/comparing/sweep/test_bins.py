"""Logarithmic bins and sparse sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.sweep import bins
from replay.comparing.sweep.bins import SparseSums, bins_of, middles_of

VALUES = st.lists(st.integers(-(2**62), 2**62) | st.integers(-600, 600), min_size=1, max_size=30)


@given(VALUES)
def test_middles_are_near(values: list[int]) -> None:
    """The middle of the bin of a value is within 0.4 % of it, and exact below 256."""
    found = middles_of(bins_of(np.array(values))).tolist()
    for value, middle in zip(values, found, strict=True):
        assert abs(middle - value) <= (0 if abs(value) < 256 else 0.004 * abs(value))


@given(VALUES)
def test_larger_values_have_larger_bins(values: list[int]) -> None:
    """Bins are in the order of their values."""
    found = bins_of(np.sort(values))
    assert (np.diff(found) >= 0).all()


@given(
    st.lists(st.lists(st.tuples(st.integers(-3, 3), st.integers(-(10**9), 10**9)), max_size=6), max_size=12)
)
def test_sparse_sums(batches: list[list[tuple[int, int]]]) -> None:
    """The sums by key are those of a dict, whenever pending values are merged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bins, "_MAX_PENDING", 3)
        sums = SparseSums()
        for batch in batches:
            sums.add(*(np.array([each[side] for each in batch], np.int64) for side in (0, 1)))
    wanted: dict[int, int] = {}
    for key, value in (each for batch in batches for each in batch):
        wanted[key] = wanted.get(key, 0) + value
    keys, totals = sums.items()
    assert list(zip(keys.tolist(), totals.tolist(), strict=True)) == sorted(wanted.items())
