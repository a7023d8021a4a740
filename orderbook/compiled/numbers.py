"""Prices, sizes and sequence numbers: bytes to exact integers, and those to the nearest floats.

A price is int64 units of 1e-8. A size of up to 36 digits is two int64 below 1e18, see `layout`. So equal
sizes are equal pairs, however they are spelled.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import HIGH_WHOLE, REST_UNITS
from orderbook.compiled.scan import POINT, QUOTE, ZERO, byte

FRACTION_UNITS: Final = 10**18
PRICE_UNITS: Final = 10**8
_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them rounds once and is the nearest float."""

_POWERS = 10 ** np.arange(19, dtype=np.int64)
_DECIMALS: Final = 8
"""Of a price, and of a size without a rest."""


@inlined
def price(data: Any, at: int, end: int) -> tuple[int, int]:
    """Read a price and its closing quote; return the position behind them, and units of 1e-8."""
    whole = 0
    first = at
    while at < end:
        digit = byte(data, at) - ZERO
        if digit < 0 or digit > 9:
            break
        if at - first == 10:
            return -1, 0
        whole = whole * 10 + digit
        at += 1
    if at == first or at >= end:
        return -1, 0
    units = whole * PRICE_UNITS
    if byte(data, at) == POINT:
        at += 1
        first = at
        decimals = 0
        while at < end:
            digit = byte(data, at) - ZERO
            if digit < 0 or digit > 9:
                break
            if at - first < 8:
                decimals = decimals * 10 + digit
            elif digit != 0:
                return -1, 0
            at += 1
        if at == first:
            return -1, 0
        units += decimals * _POWERS[np.uint64(max(8 - (at - first), 0))]
    if at >= end or byte(data, at) != QUOTE or units == 0:
        return -1, 0
    return at + 1, units


@inlined
def size(data: Any, at: int, end: int) -> tuple[int, int, int]:
    """Read a size and its closing quote; return the position behind them, its units and its rest."""
    whole = 0
    fraction = 0
    decimals = 0
    first = at
    while at < end:
        digit = byte(data, at) - ZERO
        if digit < 0 or digit > 9:
            break
        if at - first == 18:
            return -1, 0, 0
        whole = whole * 10 + digit
        at += 1
    if at == first or at >= end:
        return -1, 0, 0
    if byte(data, at) == POINT:
        at += 1
        first = at
        while at < end:
            digit = byte(data, at) - ZERO
            if digit < 0 or digit > 9:
                break
            if at - first == 18:
                return -1, 0, 0
            fraction = fraction * 10 + digit
            at += 1
        decimals = at - first
        if decimals == 0:
            return -1, 0, 0
    if at >= end or byte(data, at) != QUOTE:
        return -1, 0, 0
    if decimals <= _DECIMALS and whole < HIGH_WHOLE:
        return at + 1, whole * PRICE_UNITS + fraction * _POWERS[np.uint64(_DECIMALS - decimals)], 0
    fraction *= _POWERS[np.uint64(18 - decimals)]
    high, short = whole // HIGH_WHOLE, fraction // REST_UNITS
    units = (whole - high * HIGH_WHOLE) * PRICE_UNITS + short
    return at + 1, units, high * HIGH_WHOLE + (fraction - short * REST_UNITS)


@inner
def sequence(data: Any, at: int, end: int) -> tuple[int, int]:
    """Read a JSON integer of 1 to 18 digits; return the position behind it, and its value."""
    if at < 0:
        return -1, 0
    value = 0
    first = at
    while at < end and 48 <= byte(data, at) <= 57:
        if at - first == 18:
            return -1, 0
        value = value * 10 + byte(data, at) - ZERO
        at += 1
    if at == first or at >= end or (byte(data, first) == ZERO and at - first > 1):
        return -1, 0
    if byte(data, at) == POINT or byte(data, at) == 101 or byte(data, at) == 69:
        return -1, 0
    return at, value


@inlined
def _rounded(whole: int, fraction: int, unit: int) -> float:
    """Return the float nearest to `whole + fraction / unit`, half to even, bit by bit.

    Args:
        whole: 0 to below 2**60.
        fraction: 0 to below the unit.
        unit: at most 1e18.
    """
    bits = 0  # of the mantissa so far
    rest = whole
    while rest:
        bits += 1
        rest >>= 1
    mantissa = whole
    scale = 1.0
    if bits > 53:
        for _ in range(bits - 53):
            scale *= 2.0
        cut = bits - 53
        lost = mantissa & ((1 << cut) - 1)
        mantissa >>= cut
        half = 1 << (cut - 1)
        if lost > half or (lost == half and (fraction > 0 or mantissa & 1)):
            mantissa += 1
        return mantissa * scale
    while bits < 53 and fraction > 0:  # a bit each time, exact in int64 as a unit is below 2**60
        fraction *= 2
        mantissa *= 2
        if fraction >= unit:
            fraction -= unit
            mantissa += 1
        if mantissa:
            bits += 1
        scale *= 0.5
    if 2 * fraction > unit or (2 * fraction == unit and mantissa & 1):
        mantissa += 1
    return mantissa * scale


@inlined
def price_to_float(units: int) -> float:
    """Return the float nearest to a price, or to a difference of two, in units of 1e-8."""
    if -_EXACT <= units <= _EXACT:
        return units / 1e8
    if units < 0:
        return -_rounded(-units // PRICE_UNITS, -units % PRICE_UNITS, PRICE_UNITS)
    return _rounded(units // PRICE_UNITS, units % PRICE_UNITS, PRICE_UNITS)


@inlined
def size_to_float(units: int, rest: int) -> float:
    """Return the float nearest to a size."""
    if rest == 0 and units <= _EXACT:
        return units / 1e8
    whole, high = units // PRICE_UNITS, rest // REST_UNITS
    fraction = (units - whole * PRICE_UNITS) * REST_UNITS + (rest - high * REST_UNITS)
    return _rounded(high * HIGH_WHOLE + whole, fraction, FRACTION_UNITS)
