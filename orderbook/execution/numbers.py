"""The numbers of simulated execution: exact integers, never floats.

Prices and sizes are units of 1e-8. Money (a price times a size, a fee, cash) is units of 1e-16 of the quote
currency. Rates (fees, collar, band) are millionths.
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import index
from typing import Final, SupportsIndex, TypeAlias

from orderbook.decimals import PRICE_UNITS, is_plain

UNITS: Final = PRICE_UNITS
"""Units of price or size to one."""

MONEY_UNITS: Final = UNITS * UNITS
"""Units of money to one of the quote currency."""

MILLION: Final = 10**6
"""The denominator of a rate."""

LARGEST_ORDER: Final = 10**18 - 1
"""The largest price or size of an order, in units: what decimal128(18, 8) holds."""

LARGEST_LEVEL: Final = 2**62
"""The largest size of a level or trade, in units; a feed may send 18 digits before the point."""

LONGEST_WHOLE: Final = 10
"""Characters of a text up to which no size has too many digits, before the point or after it."""

NOT_ON_GRID: Final = 0
"""What `order_units` returns for a number that no order can have; an order of it is refused `increment`."""

NumberLike: TypeAlias = str | Decimal | float | SupportsIndex
"""Everything that a strategy may give as a price or size."""


@lru_cache(maxsize=1 << 14)
def size_units(text: str) -> int:
    """Return a size of the feed in units; what is beyond 8 decimals is cut.

    >>> size_units("00.1620"), size_units("2"), size_units("0.000000019"), size_units("")
    (16200000, 200000000, 1, 0)
    """
    whole, _, decimals = text.partition(".")
    return min(int(whole or 0) * UNITS + int(decimals[:8].ljust(8, "0")), LARGEST_LEVEL)


def is_cut(text: str) -> bool:
    """Tell whether `size_units` loses a part of a size.

    >>> is_cut("1.123456780"), is_cut("1.123456789"), is_cut("46116860185")
    (False, True, True)
    """
    if len(text) <= LONGEST_WHOLE:
        return False
    decimals = text.partition(".")[2]
    return bool(decimals[8:].strip("0")) or Decimal(text) * UNITS > LARGEST_LEVEL


def order_units(value: NumberLike) -> int:
    """Return the price or size of an order in units; `NOT_ON_GRID` if no order can have it.

    A float means its shortest decimal: 0.1 is 0.1.

    Raises:
        TypeError: if the value is no number.
        ValueError: if it is a text that is no number.

    >>> order_units("100.01"), order_units(0.1), order_units(2), order_units(Decimal("1E-8"))
    (10001000000, 10000000, 200000000, 1)
    >>> order_units("0.123456789"), order_units(-1), order_units(float("nan")), order_units("1e30")
    (0, 0, 0, 0)
    """
    number = _decimal(value)
    if not number.is_finite() or number <= 0 or not -9 < number.adjusted() < 11:
        return NOT_ON_GRID
    numerator, denominator = number.as_integer_ratio()
    units, rest = divmod(numerator * UNITS, denominator)
    return units if not rest and units <= LARGEST_ORDER else NOT_ON_GRID


def _decimal(value: NumberLike) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is no price or size: give a str, Decimal, int or float")
    if isinstance(value, float):
        return Decimal(repr(float(value)))  # float() because numpy's subclass has another repr
    if isinstance(value, str):
        with suppress(InvalidOperation):
            if is_plain(value):
                return Decimal(value)
        raise ValueError(f"{value[:40]!r} is no number")
    try:
        return Decimal(index(value))
    except TypeError:
        raise TypeError(f"{value!r} is no price or size: give a str, Decimal, int or float") from None


@lru_cache(maxsize=1 << 12)
def units_to_decimal(units: int) -> Decimal:
    """Return a price or size as an exact Decimal.

    >>> units_to_decimal(10001000000)
    Decimal('100.01000000')
    """
    return Decimal(f"{units}E-8")


def money_to_decimal(money: int) -> Decimal:
    """Return money as an exact Decimal.

    >>> money_to_decimal(-15 * 10**15)
    Decimal('-1.5000000000000000')
    """
    return Decimal(f"{money}E-16")


def fee_of(value: int, rate: int) -> int:
    """Return the fee on a value; both are money. A part of a unit is rounded against us, of a rebate as well.

    >>> fee_of(1, 6000), fee_of(40 * MONEY_UNITS, 100), fee_of(1, -6000)
    (1, 40000000000000, 0)
    """
    return -(-value * rate // MILLION)


def common_step(units: Iterable[int]) -> int:
    """Return the greatest common divisor of prices or sizes, the step that they show; 1 unit of none.

    >>> common_step([10001000000, 10000000000, 9999000000])
    1000000
    """
    return math.gcd(*units) or 1
