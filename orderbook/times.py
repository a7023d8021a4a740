"""ISO times, such as `2026-08-09T21:05:48.506659391Z`, to nanoseconds since 1970 (int64) and back."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

NS: Final = 1_000_000_000
"""Nanoseconds in a second."""

MAX_TIME_NS: Final = 2**63 - 1
"""The last instant that a timestamp column holds: 2262-04-11T23:47:16.854775807Z."""

_SECOND = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")


@lru_cache(maxsize=1024)
def _parse_second(text: str) -> int | None:
    """Return the nanoseconds of `YYYY-MM-DDTHH:MM:SS`, None if it is not an instant since 1970."""
    found = _SECOND.fullmatch(text)
    days = None if found is None else _parse_day(found[1])
    if found is None or days is None:
        return None
    seconds = ((days * 24 + int(found[2])) * 60 + int(found[3])) * 60 + int(found[4])
    return seconds * NS if 0 <= seconds * NS <= MAX_TIME_NS else None


@lru_cache(maxsize=1024)
def _parse_day(text: str) -> int | None:
    """Return the days from 1970 to a day, None if it is not one: a list of segments has many times a day."""
    try:
        return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None


def parse_time(text: str) -> int | None:
    """Return an instant in nanoseconds since 1970, None if the text has another form.

    The form is `YYYY-MM-DDTHH:MM:SS[.1-9 digits]Z`, ASCII, a real instant of 1970 to 2262.

    >>> parse_time("1970-01-01T00:00:01.5Z")
    1500000000
    >>> parse_time("2026-02-30T00:00:00Z") is None
    True
    """
    second = _parse_second(text[:19])
    if second is None:
        return None
    rest = text[19:]
    if rest == "Z":
        return second
    digits = rest[1:-1]
    well_formed = rest[:1] == "." and rest[-1:] == "Z" and len(digits) <= 9
    if not (well_formed and digits.isascii() and digits.isdigit()):
        return None
    time = second + int(digits.ljust(9, "0"))
    return time if time <= MAX_TIME_NS else None


def format_time(time_ns: int) -> str:
    """Return nanoseconds since 1970 as ISO text with 9 digits.

    >>> format_time(1_500_000_000)
    '1970-01-01T00:00:01.500000000Z'
    """
    seconds, fraction = divmod(time_ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def format_optional(time_ns: int | None) -> str | None:
    """Return `format_time` of a time, None of None."""
    return None if time_ns is None else format_time(time_ns)
