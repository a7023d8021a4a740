"""Money in compiled code: an exact integer of 128 bits as two words, the high one signed.

Sums of squares and of products have four words, the lowest first.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.numbers import MILLION

_32: Final[Any] = np.uint64(32)
_HALF: Final[Any] = np.uint64(0xFFFFFFFF)
_0: Final[Any] = np.uint64(0)
_1: Final[Any] = np.uint64(1)
_63: Final[Any] = np.uint64(63)
_MILLION: Final[Any] = np.uint64(MILLION)
_BASE: Final[Any] = np.uint64(1 << 32)
_WORD: Final = 2**64


@inlined
def product(a: int, b: int) -> Any:
    """Return the product of two numbers that are not negative."""
    first, second = np.uint64(a), np.uint64(b)
    first_low, first_high = first & _HALF, first >> _32
    second_low, second_high = second & _HALF, second >> _32
    low = first_low * second_low
    middle = first_high * second_low + (low >> _32)
    other = first_low * second_high + (middle & _HALF)
    high = first_high * second_high + (middle >> _32) + (other >> _32)
    return np.int64(high), np.int64((other << _32) | (low & _HALF))


@inlined
def add(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    """Return a sum."""
    total = np.uint64(low) + np.uint64(other_low)
    carry = 1 if total < np.uint64(low) else 0
    return high + other_high + carry, np.int64(total)


@inlined
def negative(high: Any, low: Any) -> Any:
    """Return the number with the other sign."""
    flipped = ~np.uint64(low) + _1
    return ~high + (1 if flipped == _0 else 0), np.int64(flipped)


@inlined
def less(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    """Return a difference."""
    other_high, other_low = negative(other_high, other_low)
    return add(high, low, other_high, other_low)


@inlined
def times(a: int, b: int) -> Any:
    """Return the product of a number with a sign and one that is not negative."""
    high, low = product(abs(a), b)
    if a < 0:
        high, low = negative(high, low)
    return high, low


@inlined
def is_less(high: int, low: int, other_high: int, other_low: int) -> Any:
    """Tell whether the first number is below the other."""
    return high < other_high or (high == other_high and np.uint64(low) < np.uint64(other_low))


@inner
def fee_of(value_high: Any, value_low: Any, rate: Any) -> Any:
    """Return the fee on a value that is not negative, see `numbers.fee_of`."""
    # By hand, 32 bits at a time: value = million * quotient + rest.
    high, low = np.uint64(value_high), np.uint64(value_low)
    rest = high >> _32
    top = rest // _MILLION
    rest = ((rest % _MILLION) << _32) | (high & _HALF)
    upper = rest // _MILLION
    rest = ((rest % _MILLION) << _32) | (low >> _32)
    lower = rest // _MILLION
    rest = ((rest % _MILLION) << _32) | (low & _HALF)
    bottom = rest // _MILLION
    part = np.int64(rest % _MILLION)
    size = np.uint64(abs(rate))
    quotient_high, quotient_low = (top << _32) | upper, (lower << _32) | bottom
    # quotient * size
    first = (quotient_low & _HALF) * size
    second = (quotient_low >> _32) * size + (first >> _32)
    fee_low = (second << _32) | (first & _HALF)
    fee_high = np.int64(quotient_high * size + (second >> _32))
    if rate >= 0:
        return add(fee_high, np.int64(fee_low), 0, (part * rate + MILLION - 1) // MILLION)
    down_high, down_low = add(fee_high, np.int64(fee_low), 0, part * -rate // MILLION)
    return negative(down_high, down_low)


@inner
def _divided(high: Any, low: Any, divisor: Any) -> Any:
    """Return quotient and rest of two words without a sign by one that is above the high word."""
    if high == _0:
        return low // divisor, low % divisor
    # Knuth's division by two digits of 32 bits.
    shift = _0
    while divisor >> _63 == _0:
        divisor <<= _1
        high = (high << _1) | (low >> _63)
        low <<= _1
        shift += _1
    divisor_high, divisor_low = divisor >> _32, divisor & _HALF
    digit = high // divisor_high
    rest = high - digit * divisor_high
    while digit >= _BASE or digit * divisor_low > ((rest << _32) | (low >> _32)):
        digit -= _1
        rest += divisor_high
        if rest >= _BASE:
            break
    middle = ((high << _32) | (low >> _32)) - digit * divisor
    last = middle // divisor_high
    rest = middle - last * divisor_high
    while last >= _BASE or last * divisor_low > ((rest << _32) | (low & _HALF)):
        last -= _1
        rest += divisor_high
        if rest >= _BASE:
            break
    return (digit << _32) + last, (((middle << _32) | (low & _HALF)) - last * divisor) >> shift


@inner
def share_of(amount: int, part: int, whole: int) -> Any:
    """Return amount * part // whole, numbers that are not negative; amount is at most the whole."""
    high, low = product(amount, part)
    quotient, _ = _divided(np.uint64(high), np.uint64(low), np.uint64(whole))
    return np.int64(quotient)


@inner
def part_of(high: int, low: int, part: int, whole: int) -> Any:
    """Return a number * part // whole, none of them negative; the part is at most the whole."""
    upper_high, upper_low = product(high, part)
    carried, lowest = product(low, part)
    upper_high, upper_low = add(upper_high, upper_low, 0, carried)
    divisor = np.uint64(whole)
    quotient, rest = _divided(np.uint64(upper_high), np.uint64(upper_low), divisor)
    lower, _ = _divided(rest, np.uint64(lowest), divisor)
    return np.int64(quotient), np.int64(lower)


@inner
def whole_and_part(high: int, low: int, unit: int) -> Any:
    """Return number // unit, its low word, and number % unit, which is not negative."""
    is_negative = high < 0
    if is_negative:
        high, low = negative(high, low)
    divisor = np.uint64(unit)
    quotient, rest = _divided(np.uint64(high) % divisor, np.uint64(low), divisor)
    whole, part = np.int64(quotient), np.int64(rest)
    if is_negative:
        return (-whole - 1, unit - part) if part else (-whole, part)
    return whole, part


# Four words


@inlined
def _add_at(words: Any, place: int, value: Any) -> None:
    """Add a word without a sign to a number of four words, from one of them on."""
    added = np.uint64(value)
    while added and place < 4:
        total = np.uint64(get_word(words, place)) + added
        added = _1 if total < added else _0
        set_word(words, place, np.int64(total))
        place += 1


@inner
def add_square(words: Any, high: int, low: int) -> None:
    """Add the square of a number of two words that is not negative."""
    upper, lower = product(low, low)
    _add_at(words, 0, lower)
    _add_at(words, 1, upper)
    if high:
        upper, lower = product(high, low)
        for _ in range(2):
            _add_at(words, 1, lower)
            _add_at(words, 2, upper)
        upper, lower = product(high, high)
        _add_at(words, 2, lower)
        _add_at(words, 3, upper)


@inner
def add_product(words: Any, factor: int, high: int, low: int) -> None:
    """Add a number of two words that is not negative, times one that may be."""
    size = abs(factor)
    carried, first = product(size, low)
    third, second = product(size, high)
    third, second = add(third, second, 0, carried)
    if factor >= 0:
        _add_at(words, 0, first)
        _add_at(words, 1, second)
        _add_at(words, 2, third)
        return
    # Less is to add all bits turned round, and 1.
    for place in range(4):
        word = first if place == 0 else second if place == 1 else third if place == 2 else 0
        _add_at(words, place, ~np.uint64(word))
    _add_at(words, 0, 1)


# In Python


def joined(high: Any, low: Any) -> int:
    """Return the number of two words."""
    return int(high) * _WORD + int(low) % _WORD


def joined_words(words: Any) -> int:
    """Return the number of words, the lowest first.

    >>> joined_words([-2, -1]), joined_words([-1, 0])
    (-2, 18446744073709551615)
    """
    *lower, highest = words
    number = int(highest)
    for word in reversed(lower):
        number = joined(number, word)
    return number
