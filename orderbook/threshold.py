r"""Thresholds of the relative spread: `0.1%`, `10bps` and `0.001` are one value.

A text is read as an exact decimal; the threshold is the float64 nearest to it, so `0.7%` is `0.007` and
not `0.7 / 100`. A number is `[0-9]+(\.[0-9]+)?`, followed by `%`, by `bps`, or by nothing; in the last
form it may have an exponent of at most 3 digits, because JSON prints small thresholds as `1e-05`.
"""

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from orderbook.errors import ThresholdError

DEFAULT_THRESHOLD: Final = 0.001
"""0.1%, the threshold where none is given."""

MAX_SWEEP_VALUES: Final = 100_000
"""The most thresholds that one sweep may name."""

_MAX_LENGTH = 64  # no float needs more, and reading digits takes time that is quadratic in their number
_MAX_TABLE_DIGITS = 20  # of a float near 0 that no market shows, in a table cell
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:(%|bps)|(?:[eE]([+-]?[0-9]{1,3}))?)")
_UNITS = {"%": 100, "bps": 10_000}


def parse_threshold(text: str) -> float:
    """Return the float64 nearest to a threshold.

    Raises:
        ThresholdError: where the text is no threshold.

    >>> parse_threshold("0.1%"), parse_threshold("10bps"), parse_threshold("0.001")
    (0.001, 0.001, 0.001)
    >>> parse_threshold("1e-05")
    1e-05
    """
    return float(parse_threshold_exact(text))


def parse_threshold_exact(text: str) -> Fraction:
    """Return a threshold as the exact fraction that was written; a float64 can come near it.

    Raises:
        ThresholdError: where the text is no threshold.

    >>> parse_threshold_exact("0.7%")
    Fraction(7, 1000)
    """
    match = _NUMBER.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise ThresholdError(f"{_quote(text)} is not a threshold: write 0.1%, 10bps or 0.001, never negative")
    number, unit, exponent = match.groups()
    value = Fraction(number) * Fraction(10) ** int(exponent or 0) / _UNITS.get(unit, 1)
    try:
        float(value)
    except OverflowError:
        raise ThresholdError(f"{_quote(text)} is not a threshold: it is too large") from None
    return value


def sweep_thresholds(minimum: str, maximum: str, step: str) -> list[float]:
    """Return MIN, MIN + STEP, ... and MAX, each the float64 nearest to the exact decimal.

    MAX is the last value also where STEP does not divide the range.

    Raises:
        ThresholdError: where a text is no threshold, STEP is 0, MIN is above MAX, or there are more than
            `MAX_SWEEP_VALUES`.

    >>> sweep_thresholds("0.1%", "0.3%", "0.1%")
    [0.001, 0.002, 0.003]
    >>> sweep_thresholds("0", "25bps", "10bps")
    [0.0, 0.001, 0.002, 0.0025]
    """
    first, last, stride = (parse_threshold_exact(text) for text in (minimum, maximum, step))
    if stride == 0:
        raise ThresholdError(f"the step {_quote(step)} of a sweep must be above 0")
    if first > last:
        raise ThresholdError(
            f"a sweep cannot run from {_quote(minimum)} to {_quote(maximum)}: MIN is above MAX"
        )
    strides = -((first - last) // stride)  # rounded up: the last stride may be shorter
    if strides >= MAX_SWEEP_VALUES:
        raise ThresholdError(
            f"a sweep from {_quote(minimum)} to {_quote(maximum)} by {_quote(step)} has more than "
            f"{MAX_SWEEP_VALUES:,} thresholds"
        )
    return [float(first + stride * index) for index in range(strides)] + [float(last)]


def sweep_thresholds_log(minimum: str, maximum: str, count: str) -> list[float]:
    """Return COUNT thresholds from MIN to MAX at equal ratios, those between rounded to 6 significant digits.

    Raises:
        ThresholdError: where a text is no threshold, MIN is 0 or not below MAX, or COUNT is no number from 2
            to `MAX_SWEEP_VALUES`.

    >>> sweep_thresholds_log("1bps", "100bps", "5")
    [0.0001, 0.000316228, 0.001, 0.00316228, 0.01]
    """
    first, last = (parse_threshold_exact(text) for text in (minimum, maximum))
    steps = int(count) - 1 if count.isascii() and count.isdigit() and len(count) <= 6 else 0
    if not 0 < steps < MAX_SWEEP_VALUES:
        raise ThresholdError(f"{_quote(count)} is not a number of thresholds from 2 to {MAX_SWEEP_VALUES:,}")
    if not 0 < first < last:
        raise ThresholdError(
            f"a sweep cannot run at equal ratios from {_quote(minimum)} to {_quote(maximum)}: "
            "MIN must be above 0 and below MAX"
        )
    low, high = math.log(float(first)), math.log(float(last))
    between = [math.exp(low + (high - low) * step / steps) for step in range(1, steps)]
    return [float(first), *(float(f"{value:.6g}") for value in between), float(last)]


def format_threshold(value: float) -> str:
    """Return a threshold for a table: basis points in the fewest digits that name this float64.

    >>> format_threshold(0.001), format_threshold(0.00005), format_threshold(0.0)
    ('10 bps', '0.5 bps', '0 bps')
    """
    basis_points = Decimal(repr(value)).scaleb(4).normalize()
    plain = f"{basis_points:f}"
    return f"{plain} bps" if len(plain) <= _MAX_TABLE_DIGITS else f"{basis_points:e} bps"


def _quote(text: str) -> str:
    """Return a text for a message: in quotes, on one line, and not longer than a line."""
    return repr(text) if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]!r}..."
