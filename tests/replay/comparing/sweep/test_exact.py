"""Sums and maxima by place are those of Python's integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.comparing.sweep.exact import ExactProducts, RangeMax, from_above, ratios
from tests.support.naive_sweep import Row
from tests.support.sweeps import START, run, sweep_over


def test_steady_book_is_its_own_mean() -> None:
    """The means of one book are its own exactly, over times whose products no float64 can hold."""
    rows = [
        Row(0, START + index**3 * 12_345_678_901, 999.7, 0.12345678, 1003.1, 7e17) for index in range(500)
    ]
    [result] = run([0.001], rows)
    assert result.mean_relative_spread == result.max_relative_spread == rows[0].spread
    assert (result.mean_bid_size, result.mean_ask_size) == (0.12345678, 7e17)


@pytest.mark.parametrize("size", [1e17, 4e10])
def test_sums_larger_than_an_int64(size: float) -> None:
    """Wide spreads and large sizes over centuries still add up exactly."""
    century = 3 * 10**18
    times = np.linspace(0, century, 65_536).astype(np.int64).tolist()
    rows = [
        Row(0, time, (1.0, 3.0)[index % 2] * 1e-8, size + index * 64.0, 1e4, size)
        for index, time in enumerate(times)
    ]
    result = sweep_over([0.5], rows).finish()[-1].statistics[0]
    intervals = np.diff(times).tolist()
    spreads = [round((row.spread or 0) * 1e12) for row in rows[:-1]]
    weighted = sum(units * interval for units, interval in zip(spreads, intervals, strict=True))
    assert result.mean_relative_spread == weighted / (10**12 * sum(intervals))
    sizes = [round((row.bid_size or 0) * 1e8) for row in rows[:-1]]
    weighted = sum(units * interval for units, interval in zip(sizes, intervals, strict=True))
    assert result.mean_bid_size == weighted / (10**8 * sum(intervals))


PLACES = 4
Product = tuple[int, float, int]
PRODUCTS = st.lists(
    st.tuples(st.integers(0, PLACES - 1), st.integers(0, 2**62), st.integers(0, 2**62)), max_size=20
)
LARGE = st.lists(
    st.tuples(st.integers(0, PLACES - 1), st.floats(0, 1e30).map(np.rint), st.integers(0, 2**62)), max_size=20
)


@given(PRODUCTS | LARGE, PRODUCTS)
def test_products(first: list[Product], second: list[Product]) -> None:
    """Products of any size add up to the last digit, over merged halves too."""
    halves = [ExactProducts(PLACES), ExactProducts(PLACES)]
    for half, products in zip(halves, (first, second), strict=True):
        for place, factor, time in products:
            half.add(np.array([place]), np.array([factor]), np.array([time]))
    halves[0].merge(halves[1])
    wanted = [0] * PLACES
    for place, factor, time in [*first, *second]:
        wanted[place] += int(factor) * time
    assert halves[0].sums() == wanted
    assert halves[0].from_above() == [sum(wanted[level:]) for level in range(1, PLACES)]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9), st.integers(0, 10**12)), max_size=20))
def test_range_max(drawn: list[tuple[int, int, int]]) -> None:
    """The largest value over the ranges that hold a place; -1 if none does."""
    ranges = [(low, min(9, low + width), value) for low, width, value in drawn]
    largest, other = RangeMax(9), RangeMax(9)
    for number, each in enumerate(ranges):
        (largest, other)[number % 2].add(*(np.array([value]) for value in each))
    largest.merge(other)
    wanted = [max([value for low, high, value in ranges if low <= at < high], default=-1) for at in range(9)]
    assert largest.values().tolist() == wanted


def test_ratios() -> None:
    """A quotient of integers that no float64 holds is the nearest float; a division by 0 gives None."""
    assert ratios([10**30 + 1, 0, 1], [3 * 10**30, 0, 0]) == [1 / 3, None, None]
    assert from_above(np.array([5, 1, 2])) == [3, 2]
