r"""Prices and sizes: decimal text in, exact values out.

A price is `[0-9]{1,10}(\.[0-9]+)?` above 0 with at most 8 decimals once trailing zeros are gone; it
becomes an int of 1e-8 units, below 1e18 and so within int64: all spellings of a number are one level.
A size is `[0-9]{1,18}(\.[0-9]{1,18})?`; it stays text, because in units it would need 128 bits and most
sizes are replaced before their value is needed. ASCII only.
"""

import re
from functools import lru_cache
from typing import Final

from orderbook.events import MalformedError

PRICE_UNITS: Final = 10**8
"""Price units to one unit of the quote currency."""

_PRICE = re.compile(r"([0-9]{1,10})(?:\.([0-9]+))?")
_SIZE = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")


# Most changes are near the top of the book, so few prices repeat often. A cache that takes hours of a moving
# market to fill would look like a leak.
@lru_cache(maxsize=1 << 13)
def parse_price(text: str) -> int:
    """Return a price in units of 1e-8.

    Raises:
        MalformedError: if the text is not a price.

    >>> parse_price("9236.4"), parse_price("09236.40000000000")
    (923640000000, 923640000000)
    """
    match = _PRICE.fullmatch(text)
    if match is None:
        raise MalformedError(f"price {text[:40]!r} is not a decimal of at most 10 digits before the point")
    decimals = (match[2] or "").rstrip("0")
    if len(decimals) > 8:
        raise MalformedError(f"price {text[:40]!r} has more than 8 decimals")
    price = int(match[1]) * PRICE_UNITS + int(decimals.ljust(8, "0"))
    if price == 0:
        raise MalformedError(f"price {text[:40]!r} is not above 0")
    return price


def parse_size(text: str) -> str:
    """Return a size as it is written; zero, in any spelling, is the empty string.

    Raises:
        MalformedError: if the text is not a size.

    >>> parse_size("00.1620"), parse_size("12"), parse_size("0.00000000")
    ('00.1620', '12', '')
    """
    if _SIZE.fullmatch(text) is None:
        raise MalformedError(f"size {text[:40]!r} is not a decimal of at most 18 digits a side of the point")
    return text if text.strip("0.") else ""


def shortest_size(size: str) -> str:
    """Return a size in its shortest spelling, without outer zeros: two sizes are equal if these are.

    >>> shortest_size("00.1620"), shortest_size("120"), shortest_size("12.0")
    ('.162', '120', '12')
    """
    if "." in size:
        size = size.rstrip("0").rstrip(".")
    return size.lstrip("0")


def is_plain(text: str) -> bool:
    """Tell whether a number is typed in the digits 0 to 9; Python reads others, and underscores, as well.

    >>> is_plain("1e3"), is_plain("1_000"), is_plain("\u0661")
    (True, False, False)
    """
    return text.isascii() and "_" not in text


def price_to_float(price: int) -> float:
    """Return the float64 nearest to a price, or to a difference of prices, in units of 1e-8.

    Division of two ints rounds once, so the result is the nearest float even above 2**53 units.
    """
    return price / PRICE_UNITS


def size_to_float(size: str) -> float:
    """Return the float64 nearest to a size."""
    return float(size) if size else 0.0
