"""The execution digest of each lane, in compiled code: `digest.ExecutionDigest`, with SHA-256 written out.

An event is 104 bytes with the digest before it, so two blocks of 64 bytes with their padding. OpenSSL called
from Python takes five times as long for them as the processor's own instructions, and longer than the words
written out here for processors that have none.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.addresses import load, store
from orderbook.execution.numbers import MONEY_UNITS

_32: Final[Any] = np.uint32
_64: Final[Any] = np.uint64

# Words of the table `hashed`: a block and the hash, two numbers of 32 bits each, the first one low; and the
# 64 numbers that a block is spread into, one each.
HASH: Final = 8
_SPREAD: Final = HASH + 4
HASHED: Final = _SPREAD + 64
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
FIRST: Final = np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32).view(np.int64)
_ROUNDS = np.array([_root_bits(prime, 3) for prime in _primes(64)], np.uint32)


# By the processor


def _has_instructions(context: Any) -> bool:
    """Tell whether the processor that is compiled for hashes by itself."""
    triple, _, features = context.codegen().magic_tuple()
    return triple.startswith("x86_64") and "+sha" in features.split(",")


def _tell_at_once(_typing: Any) -> Any:
    """Return whether the hash has instructions of its own."""

    def generate(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return context.get_constant(types.boolean, _has_instructions(context))

    return types.boolean(), generate


def _emit_hash(_typing: Any, _hashed: Any) -> Any:
    """Add the block to the hash by instructions for that; the argument is the address of the table."""
    four = ir.VectorType(ir.IntType(32), 4)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if not _has_instructions(context):
            return context.get_dummy_value()

        def call(name: str, *vectors: Any) -> Any:
            name = f"llvm.x86.sha256{name}"
            kind = ir.FunctionType(four, [four] * len(vectors))
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            return builder.call(function, vectors)

        def pick(first: Any, second: Any, *places: int) -> Any:
            return builder.shuffle_vector(first, second, ir.Constant(four, places))

        def place_of(number: int) -> Any:
            address = builder.add(arguments[0], context.get_constant(types.int64, 16 * number))
            return builder.inttoptr(address, four.as_pointer())

        block = [builder.load(place_of(number), align=8) for number in range(4)]
        first, second = (builder.load(place_of(HASH // 2 + number), align=8) for number in range(2))
        # The instructions take the words of the hash as (f, e, b, a) and (h, g, d, c).
        before = upper, lower = pick(first, second, 5, 4, 1, 0), pick(first, second, 7, 6, 3, 2)
        for number in range(0, 64, 4):
            words = builder.add(block[0], ir.Constant(four, _ROUNDS[number : number + 4].tolist()))
            lower = call("rnds2", lower, upper, words)
            upper = call("rnds2", upper, lower, pick(words, words, 2, 3, 0, 0))
            spread = builder.add(call("msg1", *block[:2]), pick(*block[2:], 1, 2, 3, 4))
            block = [*block[1:], call("msg2", spread, block[3])]
        upper, lower = builder.add(upper, before[0]), builder.add(lower, before[1])
        builder.store(pick(upper, lower, 3, 2, 7, 6), place_of(HASH // 2), align=8)
        builder.store(pick(upper, lower, 1, 0, 5, 4), place_of(HASH // 2 + 1), align=8)
        return context.get_dummy_value()

    return types.void(types.int64), generate


_is_at_once: Final[Any] = intrinsic(_tell_at_once)
_hash_at_once: Final[Any] = intrinsic(_emit_hash)


# In words


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
def _spread(hashed: int, place: int) -> Any:
    return _32(load(hashed, _SPREAD + place))


@inlined
def _added(hashed: int, place: int) -> Any:
    return _32(get_word(_ROUNDS, place) + _spread(hashed, place))


@inlined
def _add_pair(hashed: int, place: int, low: Any, high: Any) -> None:
    """Add two words to those of the hash."""
    pair = _64(load(hashed, HASH + place))
    low, high = _32(_32(pair) + low), _32(_32(pair >> _64(32)) + high)
    store(hashed, HASH + place, np.int64((_64(high) << _64(32)) | _64(low)))


@inner
def hash_in_words(hashed: int) -> None:
    """Add the block to the hash; the argument is the address of the table."""
    for place in range(8):
        pair = _64(load(hashed, place))
        store(hashed, _SPREAD + 2 * place, _32(pair))
        store(hashed, _SPREAD + 2 * place + 1, _32(pair >> _64(32)))
    for place in range(16, 64):
        early, late = _spread(hashed, place - 15), _spread(hashed, place - 2)
        early = _turned(early, 7) ^ _turned(early, 18) ^ (early >> _32(3))
        late = _turned(late, 17) ^ _turned(late, 19) ^ (late >> _32(10))
        word = _32(_spread(hashed, place - 16) + early + _spread(hashed, place - 7) + late)
        store(hashed, _SPREAD + place, word)
    first, second = _64(load(hashed, HASH)), _64(load(hashed, HASH + 1))
    third, fourth = _64(load(hashed, HASH + 2)), _64(load(hashed, HASH + 3))
    a, b, c, d = _32(first), _32(first >> _64(32)), _32(second), _32(second >> _64(32))
    e, f, g, h = _32(third), _32(third >> _64(32)), _32(fourth), _32(fourth >> _64(32))
    for place in range(0, 64, 8):  # by eight, so that the words come back to their names
        d, h = _round(a, b, c, d, e, f, g, h, _added(hashed, place))
        c, g = _round(h, a, b, c, d, e, f, g, _added(hashed, place + 1))
        b, f = _round(g, h, a, b, c, d, e, f, _added(hashed, place + 2))
        a, e = _round(f, g, h, a, b, c, d, e, _added(hashed, place + 3))
        h, d = _round(e, f, g, h, a, b, c, d, _added(hashed, place + 4))
        g, c = _round(d, e, f, g, h, a, b, c, _added(hashed, place + 5))
        f, b = _round(c, d, e, f, g, h, a, b, _added(hashed, place + 6))
        e, a = _round(b, c, d, e, f, g, h, a, _added(hashed, place + 7))
    _add_pair(hashed, 0, a, b)
    _add_pair(hashed, 1, c, d)
    _add_pair(hashed, 2, e, f)
    _add_pair(hashed, 3, g, h)


@inner
def hash_block(hashed: int) -> None:
    """Add the block to the hash, as fast as the processor can."""
    if _is_at_once():
        _hash_at_once(hashed)
    else:
        hash_in_words(hashed)


# Events


@inlined
def _swapped(word: Any) -> Any:
    """Return four bytes in the other order: an event is little-endian, SHA-256 reads the other way round."""
    outer = (word >> _32(24)) | (word << _32(24))
    return _32(outer | ((word >> _32(8)) & _32(0xFF00)) | ((word << _32(8)) & _32(0xFF0000)))


@inlined
def _put(hashed: int, place: int, value: Any) -> None:
    """Write eight bytes of an event into the block."""
    word = _64(value)
    low, high = _swapped(_32(word)), _swapped(_32(word >> _64(32)))
    store(hashed, place, np.int64((_64(high) << _64(32)) | _64(low)))


@inner
def add_event(x: Any, account: Any, event: Any) -> None:
    """Add the next event of a lane to its digest."""
    hashed = x.hashed
    whole: Any = np.int64(0)
    part: Any = np.int64(0)
    if event.fee_high | event.fee_low:
        whole, part = wide.whole_and_part(event.fee_high, event.fee_low, MONEY_UNITS)
    for place in range(4):
        store(hashed, HASH + place, get_word(FIRST, place))
        store(hashed, place, get_word(account.chain, place))
    _put(hashed, 4, event.time)
    _put(hashed, 5, event.code)
    _put(hashed, 6, event.number)
    _put(hashed, 7, event.side)
    hash_block(hashed)
    _put(hashed, 0, event.price)
    _put(hashed, 1, event.size)
    _put(hashed, 2, event.is_maker)
    _put(hashed, 3, whole)
    _put(hashed, 4, part)
    store(hashed, 5, 1 << 31)  # the end: a bit, zeros, and the length
    store(hashed, 6, 0)
    store(hashed, 7, _BITS << 32)
    hash_block(hashed)
    for place in range(4):
        set_word(account.chain, place, load(hashed, HASH + place))
