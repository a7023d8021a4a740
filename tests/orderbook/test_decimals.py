"""Prices and sizes are exact, whatever their spelling."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.decimals import (
    PRICE_UNITS,
    parse_price,
    parse_size,
    price_to_float,
    shortest_size,
)
from orderbook.events import MalformedError

WHOLE = st.integers(0, 10**10 - 1)
SIZES = st.from_regex(r"[0-9]{1,18}(\.[0-9]{1,18})?", fullmatch=True).filter(str.isascii)


@given(WHOLE, st.text("0123456789", max_size=8), st.integers(0, 3), st.integers(0, 4))
def test_a_price_is_its_exact_value(whole: int, decimals: str, before: int, after: int) -> None:
    """Zeros around a price change nothing, and no digit of it is lost."""
    text = f"{whole}".rjust(min(10, len(f"{whole}") + before), "0") + f".{decimals}{'0' * after}".rstrip(".")
    units = Fraction(text) * PRICE_UNITS
    if units:
        assert parse_price(text) == units
    else:
        with pytest.raises(MalformedError, match="not above 0"):
            parse_price(text)


@pytest.mark.parametrize(
    "text",
    ["", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1\n", "NaN", "inf", "12345678901", "0.000000001", "１"],
)
def test_other_texts_are_no_prices(text: str) -> None:
    """A price that would lose a digit, or that is not a plain ASCII decimal, is refused."""
    with pytest.raises(MalformedError):
        parse_price(text)


@given(SIZES, SIZES)
def test_sizes_are_equal_if_their_shortest_spellings_are(one: str, other: str) -> None:
    """The shortest spelling of a size keeps its value, and zero alone is empty."""
    assert (parse_size(one) == "") == (Decimal(one) == 0)
    assert Decimal(shortest_size(one) or 0) == Decimal(one)
    assert (shortest_size(one) == shortest_size(other)) == (Decimal(one) == Decimal(other))


@given(st.integers(-(10**18), 10**18))
def test_the_nearest_float(units: int) -> None:
    """A price in units becomes the float nearest to it, which is rounded once."""
    assert price_to_float(units) == float(Fraction(units, PRICE_UNITS))
