"""Money in two words, against Python's integers."""

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.compiled.jit import OPTIONS
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.lane_settings import words
from orderbook.execution.compiled.wide import joined, joined_words
from orderbook.execution.numbers import MONEY_UNITS, fee_of

MONEY = st.integers(-(2**126), 2**126)
SIZES = st.one_of(st.integers(1, 2**62), st.integers(1, 10**6), st.integers(2**62 - 3, 2**62))


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _part_of(high: int, low: int, part: int, whole: int) -> Any:
    return wide.part_of(high, low, part, whole)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _share_of(amount: int, part: int, whole: int) -> Any:
    return wide.share_of(amount, part, whole)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _whole_and_part(high: int, low: int) -> Any:
    return wide.whole_and_part(high, low, MONEY_UNITS)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _less(high: int, low: int, other_high: int, other_low: int) -> Any:
    return wide.less(high, low, other_high, other_low)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _times(a: int, b: int) -> Any:
    return wide.times(a, b)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _fee_of(high: int, low: int, rate: int) -> Any:
    return wide.fee_of(high, low, rate)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _add_product(sums: Any, factor: int, high: int, low: int) -> None:
    wide.add_product(sums, factor, high, low)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]  # numba is untyped
def _add_square(sums: Any, high: int, low: int) -> None:
    wide.add_square(sums, high, low)


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2**126))))
def test_sums_of_four_words(products: list[tuple[int, int]]) -> None:
    """Sums of products, whose signs are mixed, and of squares are exact."""
    of_products, of_squares = np.zeros((2, 4), np.int64)
    for factor, value in products:
        _add_product(of_products, factor, *words(value))
        _add_square(of_squares, *words(value // 16))
    assert joined_words(of_products) == sum(factor * value for factor, value in products)
    assert joined_words(of_squares) == sum((value // 16) ** 2 for _, value in products)


@given(st.integers(0, 2**126), SIZES, SIZES)
def test_parts(number: int, one: int, other: int) -> None:
    """A part of a cost, and of a size, is cut to a whole unit."""
    part, whole = sorted((one, other))
    assert joined(*_part_of(*words(number), part, whole)) == number * part // whole
    amount = number % (whole + 1)
    assert _share_of(amount, part, whole) == amount * part // whole


@given(MONEY)
def test_wholes_and_fractions(number: int) -> None:
    """A fee is split as in the digest, below zero as well; what an int64 does not hold wraps around."""
    whole, part = divmod(number, MONEY_UNITS)
    assert _whole_and_part(*words(number)) == ((whole + 2**63) % 2**64 - 2**63, part)


@given(MONEY, MONEY, st.integers(-(2**62), 2**62), SIZES)
def test_differences_and_products(one: int, other: int, position: int, price: int) -> None:
    """Signs are kept."""
    assert joined(*_less(*words(one), *words(other))) == (one - other + 2**127) % 2**128 - 2**127
    assert joined(*_times(position, price)) == position * price


@pytest.mark.parametrize("rate", [0, 1, 4000, -1, -2500, 10**6])
@given(st.integers(0, 10**36))
def test_fees(rate: int, value: int) -> None:
    """A part of a unit is rounded against us, of a rebate as well."""
    assert joined(*_fee_of(*words(value), rate)) == fee_of(value, rate)
