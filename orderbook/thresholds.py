r"""Thresholds of the relative spread: how they are written, and the rule of what is above one.

`0.1%`, `10 bps`, `10bp` and `0.001` are one value. A text is read as an exact decimal; the threshold is the
float64 nearest to it, so `0.7%` is `0.007` and not `0.7 / 100`. A number is `[0-9]+(\.[0-9]+)?`, with an
exponent of at most 3 digits (JSON prints small thresholds as `1e-05`) and then `%`, `bps`, `bp` or nothing.
Without a unit it is a fraction below 1: who writes 10 does not mean 1,000 %.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeAlias, overload

from orderbook.errors import ThresholdError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

DEFAULT_THRESHOLD: Final = 0.001
"""0.1%, the threshold if none is given."""

MAX_SWEEP_VALUES: Final = 100_000
"""Largest number of thresholds of one sweep."""

_MAX_LENGTH = 64  # no float needs more, and reading digits takes time quadratic in their number
_MAX_TABLE_DIGITS = 20  # longer numbers, of floats near 0, are written with an exponent
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:e([+-]?[0-9]{1,3}))?\s*(%|bps|bp)?", re.ASCII | re.IGNORECASE)
_UNITS = {"%": 100, "bps": 10_000, "bp": 10_000}
_FORMS = "write 10bps, 0.1% or 0.001, never negative"


ThresholdLike: TypeAlias = str | float
"""A threshold, or a sweep of them: everything that `parse_thresholds` reads."""


def parse_threshold(value: ThresholdLike) -> float:
    """Return a threshold, written as a text or given as a number: the float64 nearest to it.

    Raises:
        ThresholdError: if it is not a threshold, or a number of 1 or more without a unit.

    >>> parse_threshold("0.1%"), parse_threshold("10 bps"), parse_threshold("1e-05"), parse_threshold(0.001)
    (0.001, 0.001, 1e-05, 0.001)
    """
    if isinstance(value, str):
        return float(parse_threshold_exact(value))
    try:
        number = math.nan if isinstance(value, bool | bytes | bytearray) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise _not_a_threshold(repr(value), _FORMS)
    if number >= 1:
        raise _without_unit(f"{number:g}")
    return number


def parse_threshold_exact(text: str) -> Fraction:
    """Return a threshold as the exact fraction that was written.

    Raises:
        ThresholdError: if the text is not a threshold, or a number of 1 or more without a unit.

    >>> parse_threshold_exact("0.7%")
    Fraction(7, 1000)
    """
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise _not_a_threshold(_quote(text), _FORMS)
    number, exponent, unit = match.groups()
    value = Fraction(number) * Fraction(10) ** int(exponent or 0)
    if unit is None and value >= 1:
        raise _without_unit(text.strip())
    value /= _UNITS[unit.lower()] if unit else 1
    try:
        float(value)
    except OverflowError:
        raise _not_a_threshold(_quote(text), "it is too large") from None
    return value


def _not_a_threshold(quoted: str, why: str) -> ThresholdError:
    return ThresholdError(f"{quoted} is not a threshold: {why}")


def _without_unit(number: str) -> ThresholdError:
    return ThresholdError(f"{number} has no unit: write {number}bps or {number}% (10bps is 0.1% or 0.001)")


def parse_thresholds(value: ThresholdLike | Iterable[ThresholdLike]) -> tuple[float, ...]:
    """Return thresholds, ascending and each once.

    Args:
        value: a threshold, a sweep `MIN:MAX:STEP`, a sweep at equal ratios `MIN:MAX:xCOUNT`, or several of
            these.

    Raises:
        ThresholdError: if there is none, or one of them is not a threshold.

    >>> parse_thresholds(["1bps:3bps:1bps", 0.001, "0.1%"])
    (0.0001, 0.0002, 0.0003, 0.001)
    >>> parse_thresholds("1bps:100bps:x3")
    (0.0001, 0.001, 0.01)
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        value = [value]
    found = sorted({threshold for each in value for threshold in _swept(each)})
    if not found:
        raise ThresholdError("name at least one threshold: 0.1%, 10bps or 0.001")
    return tuple(found)


def _swept(value: ThresholdLike) -> list[float]:
    if not isinstance(value, str) or ":" not in value:
        return [parse_threshold(value)]
    parts = value.split(":")
    if len(parts) != 3 or not all(parts):
        raise ThresholdError(
            f"{_quote(value)} is not a sweep: write MIN:MAX:STEP such as 1bps:20bps:1bps, or MIN:MAX:xCOUNT"
        )
    minimum, maximum, step = parts
    if step.startswith("x"):
        return sweep_thresholds_log(minimum, maximum, step[1:])
    return sweep_thresholds(minimum, maximum, step)


def sweep_thresholds(minimum: str, maximum: str, step: str) -> list[float]:
    """Return MIN, MIN + STEP, ... and MAX, each the float64 nearest to the exact decimal.

    MAX is the last value even if STEP does not divide the range.

    Raises:
        ThresholdError: if a text is not a threshold, STEP is 0, MIN is above MAX, or there are more than
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
    """Return COUNT thresholds from MIN to MAX at equal ratios; those between have 6 significant digits.

    Raises:
        ThresholdError: if a text is not a threshold, MIN is 0 or not below MAX, or COUNT is not a number from
            2 to `MAX_SWEEP_VALUES`.

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
    """Return a threshold for a table: basis points in the fewest digits that identify this float64.

    >>> format_threshold(0.001), format_threshold(0.00005), format_threshold(0.0)
    ('10 bps', '0.5 bps', '0 bps')
    """
    basis_points = Decimal(repr(value)).scaleb(4).normalize()
    plain = f"{basis_points:f}"
    return f"{plain} bps" if len(plain) <= _MAX_TABLE_DIGITS else f"{basis_points:e} bps"


def _quote(text: str) -> str:
    """Return a text in quotes for a message, on one line and cut if it is long."""
    return repr(text) if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]!r}..."


@overload
def is_above(spread: float | None, threshold: float) -> bool: ...
@overload
def is_above(spread: "NDArray[np.float64]", threshold: float) -> "NDArray[np.bool_]": ...
def is_above(spread: Any, threshold: float) -> Any:
    """Return whether a relative spread, or each of an array, is above a threshold.

    Equal is not above. A book with an empty side has no relative spread (None, NaN) and is never above;
    neither is a crossed or locked book, as thresholds are not negative.

    >>> is_above(0.001, 0.001), is_above(0.0011, 0.001), is_above(None, 0.0), is_above(math.nan, 0.0)
    (False, True, False, False)
    """
    return spread is not None and spread > threshold


def above(summaries: "pa.RecordBatch", threshold: float) -> "pa.RecordBatch":
    """Return the summaries that are above a threshold, in new buffers: `is_above` for Arrow. O(rows)."""
    import pyarrow as pa  # noqa: PLC0415  the command line parses thresholds without Arrow
    import pyarrow.compute as pc  # noqa: PLC0415

    spreads = summaries.column("relative_spread")
    return summaries.filter(pc.greater(spreads, pa.scalar(threshold, pa.float64())))


def find_levels(thresholds: "NDArray[np.float64]", spreads: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """Return the level of each relative spread: the number of thresholds that it is above (`is_above`).

    O(log(thresholds)) for each run of equal spreads.

    Args:
        thresholds: ascending.
        spreads: without NaN; use 0 for a summary without a relative spread.

    >>> import numpy as np
    >>> find_levels(np.array([0.1, 0.2]), np.array([0.1, 0.2, 0.2, 0.3])).tolist()
    [0, 1, 1, 2]
    """
    import numpy as np  # noqa: PLC0415  the command line parses thresholds without numpy

    is_new = np.append(np.ones(min(1, len(spreads)), np.bool_), spreads[1:] != spreads[:-1])
    found = np.searchsorted(thresholds, spreads[is_new], side="left")
    levels: NDArray[np.int64] = np.repeat(
        found, np.diff(np.flatnonzero(np.append(is_new, np.ones(1, np.bool_))))
    )
    return levels
