"""Times: bytes to nanoseconds since the epoch."""

from typing import Any

import numpy as np

from orderbook.compiled.jit import inlined
from orderbook.compiled.scan import POINT, ZERO, byte
from orderbook.compiled.words import eight, get_word, set_word

_POWERS = 10 ** np.arange(10, dtype=np.int64)
_DAYS_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], np.int64)
_DAYS_IN = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


@inlined
def _two(data: Any, at: int) -> Any:
    """Return a number of two digits; a value far below 0 if one is not a digit."""
    tens = byte(data, at) - ZERO
    ones = byte(data, at + 1) - ZERO
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -100_000
    return tens * 10 + ones


@inlined
def _minute(data: Any, start: int) -> Any:
    """Return the nanoseconds since the epoch of sixteen bytes `YYYY-MM-DDTHH:MM`; -1 for any others."""
    if byte(data, start + 4) != 45 or byte(data, start + 7) != 45:
        return -1
    if byte(data, start + 10) != 84 or byte(data, start + 13) != 58:
        return -1
    year = _two(data, start) * 100 + _two(data, start + 2)
    month, day = _two(data, start + 5), _two(data, start + 8)
    hour, minute = _two(data, start + 11), _two(data, start + 14)
    if year < 1970 or year > 2261 or month < 1 or month > 12 or day < 1:
        return -1
    if hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return -1
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS_IN[np.uint64(month - 1)] + (1 if is_leap and month == 2 else 0):
        return -1
    before = year - 1
    days = 365 * (year - 1970) + (before // 4 - before // 100 + before // 400) - 477
    days += _DAYS_BEFORE[np.uint64(month - 1)] + (1 if is_leap and month > 2 else 0) + day - 1
    return ((days * 24 + hour) * 60 + minute) * 60_000_000_000


@inlined
def time(data: Any, start: int, stop: int, registers: Any) -> Any:
    """Return the nanoseconds since the epoch of a time in the feed's form, up to 2261; -1 for any other.

    Its minute is mostly that of the time before, which the frame's registers keep as text and as nanoseconds.
    """
    if stop - start < 20 or byte(data, stop - 1) != 90 or byte(data, start + 16) != 58:
        return -1
    text, rest = np.int64(eight(data, start)), np.int64(eight(data, start + 8))
    if text != get_word(registers.minute_text, 0) or rest != get_word(registers.minute_text, 1):
        minute = _minute(data, start)
        if minute < 0:
            return -1
        set_word(registers.minute_text, 0, text)
        set_word(registers.minute_text, 1, rest)
        registers.minute = minute
    second = _two(data, start + 17)
    if second < 0 or second > 59:
        return -1
    nanoseconds = 0
    if stop - start > 20:
        digits = stop - start - 21
        if byte(data, start + 19) != POINT or digits < 1 or digits > 9:
            return -1
        for at in range(start + 20, stop - 1):
            digit = byte(data, at) - ZERO
            if digit < 0 or digit > 9:
                return -1
            nanoseconds = nanoseconds * 10 + digit
        nanoseconds *= _POWERS[np.uint64(9 - digits)]
    return registers.minute + second * 1_000_000_000 + nanoseconds
