"""JSON bytes: strings, keys, and skipping values that are not used.

It accepts a part of RFC 8259: ASCII strings without escapes, at most `MAX_DEPTH` containers deep. The plain
decoder accepts all of that too; anything else gives -1 and is left to the plain decoder.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import HIGH_BITS, LOW_BITS, eight, lowest_bit, word_of

MAX_DEPTH: Final = 30
"""Most containers inside one another that `skip_value` follows."""

# NumPy integers, because a function is compiled again for each Python constant as an argument.
QUOTE: Final[Any] = np.int64(ord('"'))
COLON: Final[Any] = np.int64(ord(":"))
COMMA: Final[Any] = np.int64(ord(","))
OPEN_OBJECT: Final[Any] = np.int64(ord("{"))
CLOSE_OBJECT: Final[Any] = np.int64(ord("}"))
OPEN_ARRAY: Final[Any] = np.int64(ord("["))
CLOSE_ARRAY: Final[Any] = np.int64(ord("]"))
POINT: Final[Any] = np.int64(ord("."))
ZERO: Final[Any] = np.int64(ord("0"))

_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_NULL = np.frombuffer(b"null", np.uint8)


@inlined
def byte(data: Any, at: int) -> int:
    """Return a byte; an unsigned index avoids the check for a negative one."""
    return np.int64(data[np.uint64(at)])  # type: ignore[return-value]  # numba's int64 is our int


# For eight bytes at once, see `string_end`. Sums stay within their bytes: nothing is carried over.
_QUOTES: Final[Any] = word_of(b'"' * 8)
_ESCAPES: Final[Any] = word_of(b"\\" * 8)
_TO_PRINTABLE: Final[Any] = word_of(b"\x60" * 8)


@inlined
def skip_space(data: Any, at: int, end: int) -> int:
    """Return the position of the next byte that is not JSON whitespace."""
    while at < end:
        char = byte(data, at)
        if char > 32 or char not in (32, 10, 13, 9):
            break
        at += 1
    return at


@inlined
def expect(data: Any, at: int, end: int, wanted: int) -> int:
    """Return the position behind optional whitespace and a character; -1 if another one is there."""
    if at < 0:
        return -1
    if at < end and byte(data, at) == wanted:  # nearly always: the feeds send no whitespace
        return at + 1
    at = skip_space(data, at, end)
    if at < end and byte(data, at) == wanted:
        return at + 1
    return -1


@inlined
def peek(data: Any, at: int, end: int) -> int:
    """Return the next character that is not whitespace; 0 at the end or if `at` is -1."""
    if at < 0:
        return 0
    at = skip_space(data, at, end)
    return byte(data, at) if at < end else 0


@inlined
def string_end(data: Any, at: int, end: int) -> int:
    """Return the position of the quote that ends a string; -1 for an escape or other than ASCII.

    Args:
        data: the bytes.
        at: behind the opening quote, or -1.
        end: of the frame.
    """
    if at < 0:
        return -1
    while at + 8 <= end:
        word = eight(data, at)
        low = word & LOW_BITS
        plain = ((low ^ _QUOTES) + LOW_BITS) & ((low ^ _ESCAPES) + LOW_BITS) & (low + _TO_PRINTABLE)
        ends = (~plain | word) & HIGH_BITS
        if ends:
            at += lowest_bit(ends) >> 3
            return at if byte(data, at) == QUOTE else -1
        at += 8
    while at < end:
        char = byte(data, at)
        if char == QUOTE:
            return at
        if char < 32 or char >= 128 or char == 92:
            return -1
        at += 1
    return -1


@inlined
def string(data: Any, at: int, end: int) -> tuple[int, int]:
    """Return the positions of a string's first byte and of its closing quote, -1 as `string_end` does."""
    start = expect(data, at, end, QUOTE)
    return start, string_end(data, start, end)


@inlined
def is_word(data: Any, start: int, stop: int, word: Any) -> bool:
    """Tell whether the bytes [start, stop) are a word."""
    if stop - start != len(word):
        return False
    for place in range(len(word)):  # noqa: SIM110  no generators in the kernel
        if data[np.uint64(start + place)] != word[np.uint64(place)]:
            return False
    return True


@inner
def skip_number(data: Any, at: int, end: int) -> int:
    """Return the position behind a JSON number; -1 if there is none."""
    if at < end and byte(data, at) == 45:
        at += 1
    first = at
    while at < end and 48 <= byte(data, at) <= 57:
        at += 1
    if at == first or (byte(data, first) == ZERO and at - first > 1):
        return -1
    if at < end and byte(data, at) == POINT:
        at += 1
        first = at
        while at < end and 48 <= byte(data, at) <= 57:
            at += 1
        if at == first:
            return -1
    if at < end and (byte(data, at) == 101 or byte(data, at) == 69):
        at += 1
        if at < end and (byte(data, at) == 43 or byte(data, at) == 45):
            at += 1
        first = at
        while at < end and 48 <= byte(data, at) <= 57:
            at += 1
        if at == first:
            return -1
    return at


@inner
def skip_scalar(data: Any, at: int, end: int) -> int:
    """Return the position behind a string, number, true, false or null; -1 if there is none."""
    char = byte(data, at)
    if char == QUOTE:
        stop = string_end(data, at + 1, end)
        return stop + 1 if stop >= 0 else -1
    if char == 116:
        return at + 4 if at + 4 <= end and is_word(data, at, at + 4, _TRUE) else -1
    if char == 102:
        return at + 5 if at + 5 <= end and is_word(data, at, at + 5, _FALSE) else -1
    if char == 110:
        return at + 4 if at + 4 <= end and is_word(data, at, at + 4, _NULL) else -1
    return skip_number(data, at, end)


@inlined
def skip_key(data: Any, at: int, end: int) -> int:
    """Return the position behind a key and its colon."""
    stop = string_end(data, expect(data, at, end, QUOTE), end)
    return expect(data, stop + 1, end, COLON) if stop >= 0 else -1


@inner
def skip_value(data: Any, at: int, end: int) -> int:
    """Return the position behind any JSON value; -1 for one that the kernel does not read. O(length)."""
    if at < 0:
        return -1
    depth = 0
    objects = 0  # bit n: the container n deep is an object
    while True:
        at = skip_space(data, at, end)
        if at >= end:
            return -1
        char = byte(data, at)
        if char == OPEN_OBJECT or char == OPEN_ARRAY:  # noqa: SIM109  `in` makes a tuple
            if depth == MAX_DEPTH:
                return -1
            depth += 1
            objects = objects << 1 | (char == OPEN_OBJECT)
            if peek(data, at + 1, end) != char + 2:  # [ and ], { and } are two apart
                at = skip_key(data, at + 1, end) if char == OPEN_OBJECT else at + 1
                if at < 0:
                    return -1
                continue
            at += 1
        else:
            at = skip_scalar(data, at, end)
            if at < 0:
                return -1
        while True:  # behind a value, or before the end of an empty container
            if depth == 0:
                return at
            at = skip_space(data, at, end)
            if at >= end:
                return -1
            char = byte(data, at)
            at += 1
            if char == COMMA:
                if objects & 1:
                    at = skip_key(data, at, end)
                    if at < 0:
                        return -1
                break
            if char != (CLOSE_OBJECT if objects & 1 else CLOSE_ARRAY):
                return -1
            depth -= 1
            objects >>= 1
