"""The execution digest of each lane, in compiled code: `digest.ExecutionDigest`, with SHA-256 written out.

An event is 104 bytes with the digest before it, so two blocks of 64 bytes with their padding. To call
OpenSSL for them from Python takes twice as long, without the time to bring the events there.
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.layout import load, store
from orderbook.execution.numbers import MONEY_UNITS

_1: Final[Any] = np.uint64(1)
_32: Final[Any] = np.uint32

HASHED: Final = 64 + 8
"""Words of the table `hashed`, 32 bits each: the block, spread for 64 rounds, and the eight of the hash."""
_HASH: Final = 64
_BITS: Final = 8 * 104


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(prime: int, degree: int) -> int:
    """Return the first 32 bits behind the point of a root of a prime number.

    >>> hex(_root_bits(2, 2)), hex(_root_bits(2, 3))
    ('0x6a09e667', '0x428a2f98')
    """
    power = prime << (32 * degree)
    low, high = 0, prime << 32
    while low < high:  # the root of the power, by halving
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= power else (low, middle - 1)
    return low % 2**32


# By the definition of SHA-256 (FIPS 180-4).
_FIRST = np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32)
_ROUNDS = np.array([_root_bits(prime, 3) for prime in _primes(64)], np.uint32)


@inlined
def _turned(word: Any, bits: int) -> Any:
    return _32((word >> _32(bits)) | (word << _32(32 - bits)))


@inlined
def _round(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, added: Any) -> Any:  # noqa: PLR0917
    """Return what the fourth and the eighth word become in a round."""
    turned = _turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)
    first = _32(h + turned + (g ^ (e & (f ^ g))) + added)
    turned = _turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)
    return _32(d + first), _32(first + turned + ((a & b) | (c & (a | b))))


@inlined
def _word(x: Any, place: int) -> Any:
    return _32(load(x.hashed, place))


@inlined
def _added(x: Any, place: int) -> Any:
    return _32(get_word(_ROUNDS, place) + _word(x, place))


@inner
def _hash_block(x: Any) -> None:
    """Add the block to the hash."""
    for place in range(16, 64):
        early, late = _word(x, place - 15), _word(x, place - 2)
        early = _turned(early, 7) ^ _turned(early, 18) ^ (early >> _32(3))
        late = _turned(late, 17) ^ _turned(late, 19) ^ (late >> _32(10))
        store(x.hashed, place, _32(_word(x, place - 16) + early + _word(x, place - 7) + late))
    a, b, c, d = _word(x, 64), _word(x, 65), _word(x, 66), _word(x, 67)
    e, f, g, h = _word(x, 68), _word(x, 69), _word(x, 70), _word(x, 71)
    for place in range(0, 64, 8):  # by eight, so that the words come back to their names
        d, h = _round(a, b, c, d, e, f, g, h, _added(x, place))
        c, g = _round(h, a, b, c, d, e, f, g, _added(x, place + 1))
        b, f = _round(g, h, a, b, c, d, e, f, _added(x, place + 2))
        a, e = _round(f, g, h, a, b, c, d, e, _added(x, place + 3))
        h, d = _round(e, f, g, h, a, b, c, d, _added(x, place + 4))
        g, c = _round(d, e, f, g, h, a, b, c, _added(x, place + 5))
        f, b = _round(c, d, e, f, g, h, a, b, _added(x, place + 6))
        e, a = _round(b, c, d, e, f, g, h, a, _added(x, place + 7))
    _add_to_hash(x, 0, a)
    _add_to_hash(x, 1, b)
    _add_to_hash(x, 2, c)
    _add_to_hash(x, 3, d)
    _add_to_hash(x, 4, e)
    _add_to_hash(x, 5, f)
    _add_to_hash(x, 6, g)
    _add_to_hash(x, 7, h)


@inlined
def _add_to_hash(x: Any, place: int, word: Any) -> None:
    store(x.hashed, _HASH + place, _32(_word(x, _HASH + place) + word))


@inlined
def _swapped(word: Any) -> Any:
    """Return four bytes in the other order: an event is little-endian, SHA-256 reads the other way round."""
    outer = (word >> _32(24)) | (word << _32(24))
    return _32(outer | ((word >> _32(8)) & _32(0xFF00)) | ((word << _32(8)) & _32(0xFF0000)))


@inlined
def _put(x: Any, place: int, value: Any) -> None:
    """Write eight bytes of an event into the block."""
    word = np.uint64(value)
    store(x.hashed, place, _swapped(_32(word)))
    store(x.hashed, place + 1, _swapped(_32(word >> np.uint64(32))))


@inner
def add_event(x: Any, account: Any, event: Any) -> None:
    """Add the next event of a lane to its digest."""
    whole, part = wide.whole_and_part(event.fee_high, event.fee_low, MONEY_UNITS)
    for place in range(8):
        store(x.hashed, _HASH + place, get_word(_FIRST, place))
        store(x.hashed, place, get_word(account.chain, place))
    _put(x, 8, event.time)
    _put(x, 10, event.code)
    _put(x, 12, event.number)
    _put(x, 14, event.side)
    _hash_block(x)
    _put(x, 0, event.price)
    _put(x, 2, event.size)
    _put(x, 4, event.is_maker)
    _put(x, 6, whole)
    _put(x, 8, part)
    store(x.hashed, 10, 1 << 31)
    for place in range(11, 15):
        store(x.hashed, place, 0)
    store(x.hashed, 15, _BITS)
    _hash_block(x)
    for place in range(8):
        set_word(account.chain, place, load(x.hashed, _HASH + place))
