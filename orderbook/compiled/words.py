"""Words of memory, and eight bytes of text as one word."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined

HIGH_BITS: Final[Any] = np.uint64(0x8080808080808080)
"""The highest bit of each byte."""
LOW_BITS: Final[Any] = np.uint64(0x7F7F7F7F7F7F7F7F)

_ONE: Final[Any] = np.uint64(1)
# A de Bruijn sequence: its 64 pieces of six bits all differ, so the highest six bits reveal the shift.
_SEQUENCE: Final[Any] = np.uint64(0x03F79D71B4CB0A89)
_58: Final[Any] = np.uint64(58)
_BIT_NUMBERS = np.zeros(64, np.int64)
_BIT_NUMBERS[[(int(_SEQUENCE) << bit) % 2**64 >> 58 for bit in range(64)]] = range(64)


@inlined
def get_word(words: Any, place: int) -> Any:
    """Return a word; an unsigned index avoids the check for a negative one."""
    return words[np.uint64(place)]


@inlined
def set_word(words: Any, place: int, value: Any) -> None:
    """Set a word, in the same way."""
    words[np.uint64(place)] = value


@inlined
def eight(data: Any, at: int) -> Any:
    """Return eight bytes as one word, the first byte lowest; the processor loads them at once."""
    word = np.uint64(0)
    for place in range(8):
        word |= np.uint64(data[np.uint64(at + place)]) << np.uint64(8 * place)
    return word


def word_of(text: bytes) -> Any:
    """Return at most eight bytes as `eight` does; missing ones are 0.

    >>> hex(word_of(b"ab"))
    '0x6261'
    """
    return np.uint64(int.from_bytes(text, "little"))


def mask_of(count: int) -> Any:
    """Return the mask of the first `count` bytes of a word.

    >>> hex(mask_of(2))
    '0xffff'
    """
    return word_of(b"\xff" * count)


@inlined
def lowest_bit(word: Any) -> Any:
    """Return the number of the lowest bit that is set; the word must not be 0."""
    return _BIT_NUMBERS[((word & ~(word - _ONE)) * _SEQUENCE) >> _58]
