"""Times, offsets and durations as people type them and booktape prints them. Without a zone a time is UTC."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple, SupportsIndex, TypeAlias

from orderbook.errors import TimeError
from orderbook.times import MAX_TIME_NS, NS, parse_time

_NUMBER: Final = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?)"
_DURATION: Final = re.compile(_NUMBER + r"\s*(ns|us|ms|s|m|min|h|d)?", re.ASCII | re.IGNORECASE)
_SECONDS: Final[dict[str, Fraction]] = {
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate(("s", "ms", "us", "ns"))},
    "m": Fraction(60),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_ISO: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(\.[0-9]{1,9})?)?)?"
    r"\s?(?:Z|UTC|([+-])([01][0-9])(?::?([0-5][0-9]))?)?",
    re.ASCII | re.IGNORECASE,
)
_MAX_LENGTH: Final = 64  # reading digits takes time quadratic in their number
_LONGEST_S: Final = 9_000_000_000  # about as long as a timestamp column can hold
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_EPOCH_NS: Final = 10**17
"""1973: from then to 2262 a number of seconds, ms, us or ns since 1970 is in one of these units only."""


class Moment(NamedTuple):
    """A time on a tape: nanoseconds since 1970 or, if `is_offset`, since the first row of the tape."""

    ns: int
    is_offset: bool = False


TimeLike: TypeAlias = str | float | date | SupportsIndex | Moment
"""Everything that `parse_moment` reads."""

DurationLike: TypeAlias = str | float | timedelta
"""Everything that `parse_duration` reads."""


def parse_moment(value: TimeLike) -> Moment:
    """Return a time or an offset from the first row of a tape.

    Args:
        value: ISO text or a date, in UTC if it names no zone; a duration such as `+5m` or `60s`, which counts
            from the first row; seconds, milliseconds, microseconds or nanoseconds since 1970 (the size tells
            the unit); a datetime or date of Python, numpy, pandas or Arrow.

    Raises:
        TimeError: if it is none of these, or not between 1970 and 2262.

    >>> parse_moment("1970-01-01 02:00:01+02:00"), parse_moment("1970-01-01 00:00:01")
    (Moment(ns=1000000000, is_offset=False), Moment(ns=1000000000, is_offset=False))
    >>> parse_moment("+250ms"), parse_moment(1786309548).ns == parse_moment(1786309548000).ns
    (Moment(ns=250000000, is_offset=True), True)
    """
    if isinstance(value, Moment):
        return value
    if isinstance(value, str):
        return _parse_text(value)
    ns = _datetime_ns(value)
    if ns is None:
        ns = _epoch_ns(value)
    if not 0 <= ns <= MAX_TIME_NS:
        raise TimeError(f"{value!r} is not a time between 1970 and 2262")
    return Moment(ns)


def _parse_text(text: str) -> Moment:
    stripped = text.strip()
    if len(stripped) <= _MAX_LENGTH:
        if stripped.startswith("+"):
            return _offset(text, stripped[1:])
        if iso := _ISO.fullmatch(stripped):
            return Moment(_iso_ns(text, iso))
        if duration := _DURATION.fullmatch(stripped):
            return _offset(text, stripped) if duration[2] else Moment(_epoch_ns(stripped))
    raise _not_a_time(text)


def _offset(text: str, duration: str) -> Moment:
    seconds = _seconds(duration)
    if seconds is None or seconds >= _LONGEST_S:
        raise _not_a_time(text)
    return Moment(round(seconds * NS), is_offset=True)


def _iso_ns(text: str, iso: re.Match[str]) -> int:
    day, minute, second, fraction, sign, hours, minutes = iso.groups()
    time = parse_time(f"{day}T{minute or '00:00'}{second or ':00'}{fraction or ''}Z")
    ahead = int(f"{sign}1") * (60 * int(hours) + int(minutes or 0)) if sign else 0
    if time is None or not 0 <= time - ahead * 60 * NS <= MAX_TIME_NS:
        raise _not_a_time(text)
    return time - ahead * 60 * NS


def _datetime_ns(value: Any) -> int | None:
    """Return the nanoseconds since 1970 of a datetime of any library; None of anything else."""
    if isinstance(value, datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
        # A pandas Timestamp has nanoseconds too.
        return (zoned - _EPOCH) // timedelta(microseconds=1) * 1000 + int(getattr(value, "nanosecond", 0))
    if isinstance(value, date):
        return _datetime_ns(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if type(value).__name__ == "TimestampScalar" and value.value is not None:  # Arrow
        return int(value.value) * int(_SECONDS[value.type.unit] * NS)
    if type(value).__name__ == "datetime64":  # numpy
        return int(value.astype("datetime64[ns]").astype("int64"))
    return None


def _epoch_ns(value: Any) -> int:
    """Return a number of s, ms, us or ns since 1970 in nanoseconds."""
    try:
        number = value if isinstance(value, str) else value.__index__()
    except (AttributeError, TypeError):
        number = repr(float(value)) if isinstance(value, float) else ""
    if isinstance(value, bool) or number == "" or number in ("nan", "inf", "-inf"):
        raise _not_a_time(value)
    exact = Fraction(number)
    for unit in ("s", "ms", "us", "ns"):
        ns = exact * _SECONDS[unit] * NS
        if _FIRST_EPOCH_NS <= ns <= MAX_TIME_NS:
            return round(ns)
    if exact == 0:
        return 0
    raise TimeError(
        f"{value!r} is not a time: write +{number}s if it counts from the first row; numbers are s, ms, us or"
        " ns since 1970, such as 1786309550"
    )


def _not_a_time(value: object) -> TimeError:
    return TimeError(
        f"{value!r} is not a time: write 2026-08-09T21:05:50 (UTC, or with a zone such as +02:00), 2026-08-09"
        " or +5m after the first row"
    )


def _seconds(text: str) -> Fraction | None:
    match = _DURATION.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    return Fraction(match[1]) * _SECONDS[(match[2] or "s").lower()] if match else None


def parse_duration(value: DurationLike) -> float:
    """Return a duration in seconds: of `90s`, `5m`, `1h`, `2d`, `250 ms`, or a number of seconds.

    Raises:
        TimeError: if it is not a duration, or negative or not finite.

    >>> parse_duration("250ms"), parse_duration("1.5m"), parse_duration(2)
    (0.25, 90.0, 2.0)
    """
    number: Any = value
    if isinstance(value, str):
        number = _seconds(value)
    elif isinstance(value, timedelta):
        number = value.total_seconds()
    try:
        seconds = -1.0 if isinstance(number, bool) else float(number)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise TimeError(f"{value!r} is not a duration: write 250ms, 90s, 5m, 1h or 2d")
    return seconds


def require_unit(text: str) -> None:
    """Refuse a duration without a unit: it could be meant in ms, or in s.

    Raises:
        TimeError: if the text is a bare number, and not 0.

    >>> require_unit("250ms")
    """
    bare = text.strip()
    match = _DURATION.fullmatch(bare)
    if match and not match[2] and float(bare):
        raise TimeError(f"{bare!r} has no unit: write {bare}ms or {bare}s")


def format_duration(seconds: float) -> str:
    """Return seconds as a duration, in the largest unit of which they are a whole number.

    >>> format_duration(900.0), format_duration(90.0), format_duration(0.25)
    ('15m', '90s', '250ms')
    """
    exact = Fraction(repr(seconds))
    for unit in ("d", "h", "m", "s", "ms", "us", "ns"):
        if (exact / _SECONDS[unit]).denominator == 1:
            return f"{exact / _SECONDS[unit]}{unit}"
    return f"{seconds}s"


def parse_durations(value: DurationLike | Sequence[DurationLike]) -> tuple[float, ...]:
    """Return one or several durations in seconds; a text may name several, separated by commas.

    Raises:
        TimeError: if one of them is not a duration.

    >>> parse_durations("100ms,1s"), parse_durations(["5m", 1.5])
    ((0.1, 1.0), (300.0, 1.5))
    """
    if isinstance(value, str):
        value = value.split(",")
    elif isinstance(value, float | timedelta):
        value = (value,)
    return tuple(map(parse_duration, value))
