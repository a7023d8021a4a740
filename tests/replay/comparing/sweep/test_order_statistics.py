"""Percentiles of all columns at once equal numpy's percentiles of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.sweep import order_statistics
from replay.comparing.sweep.order_statistics import count_by_column, percentiles_by_column

QUANTILES = (0.0, 0.05, 0.5, 0.95, 0.99, 1.0)


def assert_like_numpy(low: np.ndarray, high: np.ndarray, values: np.ndarray, columns: int) -> None:
    """Hold every column against numpy over its own list of values, to the last bit."""
    counts = count_by_column(low, high, columns)
    result = percentiles_by_column(low, high, values, columns, QUANTILES)
    assert result.shape == (len(QUANTILES), columns)
    for column in range(columns):
        own = values[(low <= column) & (column < high)].astype(np.float64)
        assert counts[column] == len(own)
        if len(own):
            np.testing.assert_array_equal(result[:, column], np.quantile(own, QUANTILES))
        else:
            assert np.isnan(result[:, column]).all()


@given(st.data())
def test_small(data: st.DataObject) -> None:
    """Few values with many ties, in any ranges, columns without values among them."""
    columns = data.draw(st.integers(1, 6))
    ends = st.lists(st.integers(0, columns), min_size=2, max_size=2, unique=True).map(sorted)
    value = st.integers(0, 3) | st.integers(0, 2**53)
    rows = data.draw(st.lists(st.tuples(ends, value), max_size=30))
    low = np.array([low for (low, _), _ in rows], np.int64)
    high = np.array([high for (_, high), _ in rows], np.int64)
    assert_like_numpy(low, high, np.array([value for _, value in rows], np.int64), columns)


@pytest.mark.parametrize("cells", [1, 1 << 10, 1 << 24])
@pytest.mark.parametrize("largest", [3, 10**12])
@pytest.mark.parametrize("rows", [255, 256, 257, 5_000])
def test_many_blocks(rows: int, largest: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes where the values fill several blocks, or a block is compared in several parts."""
    monkeypatch.setattr(order_statistics, "_MAX_CELLS", cells)
    rng = np.random.default_rng(rows)
    columns = 40
    low = rng.integers(0, columns - 5, rows)
    high = low + rng.integers(1, 4, rows)
    assert_like_numpy(low, high, rng.integers(0, largest, rows), columns)


def test_no_columns() -> None:
    """Without columns there is nothing to tell."""
    none = np.empty(0, np.int64)
    assert percentiles_by_column(none, none, none, 0, (0.5,)).shape == (1, 0)
