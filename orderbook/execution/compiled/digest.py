"""The execution digest of each lane, in compiled code: `digest.ExecutionDigest`, with SHA-256 written out.

An event is 104 bytes with the digest before it, so two blocks of 64 bytes with their padding. OpenSSL called
from Python takes five times as long for them as the processor's own instructions, and longer than the words
written out here for processors that have none.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.addresses import load, store
from orderbook.execution.numbers import MONEY_UNITS

_32: Final[Any] = np.uint32
_64: Final[Any] = np.uint64

# A block is eight words and the hash four, of two numbers of 32 bits each, the first one low.
HASHED: Final = 64
"""Words of the table `hashed`: the numbers that a block is spread into, one each."""
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
FIRST: Final[Any] = tuple(
    np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32).view(np.int64).tolist()
)
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


def _emit_hash(_typing: Any, start: Any, block: Any) -> Any:
    """Return a hash with a block added, by instructions for that; all of it stays in registers."""
    four, two = ir.VectorType(ir.IntType(32), 4), ir.VectorType(ir.IntType(64), 2)
    places = [ir.Constant(ir.IntType(32), place) for place in range(2)]
    of = types.UniTuple(types.int64, 4)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if not _has_instructions(context):
            return context.get_constant_undef(of)

        def call(name: str, *vectors: Any) -> Any:
            name = f"llvm.x86.sha256{name}"
            kind = ir.FunctionType(four, [four] * len(vectors))
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            return builder.call(function, vectors)

        def pick(first: Any, second: Any, *places: int) -> Any:
            return builder.shuffle_vector(first, second, ir.Constant(four, places))

        def joined(low: Any, high: Any) -> Any:
            pair = builder.insert_element(ir.Constant(two, ir.Undefined), low, places[0])
            return builder.bitcast(builder.insert_element(pair, high, places[1]), four)

        def parted(vector: Any) -> list[Any]:
            pair = builder.bitcast(vector, two)
            return [builder.extract_element(pair, place) for place in places]

        words = [word for each in arguments for word in cgutils.unpack_tuple(builder, each)]  # type: ignore[no-untyped-call]
        first, second, *block = map(joined, words[::2], words[1::2])
        # The instructions take the words of the hash as (f, e, b, a) and (h, g, d, c).
        before = upper, lower = pick(first, second, 5, 4, 1, 0), pick(first, second, 7, 6, 3, 2)
        for number in range(0, 64, 4):
            added = builder.add(block[0], ir.Constant(four, _ROUNDS[number : number + 4].tolist()))
            lower = call("rnds2", lower, upper, added)
            upper = call("rnds2", upper, lower, pick(added, added, 2, 3, 0, 0))
            spread = builder.add(call("msg1", *block[:2]), pick(*block[2:], 1, 2, 3, 4))
            block = [*block[1:], call("msg2", spread, block[3])]
        upper, lower = builder.add(upper, before[0]), builder.add(lower, before[1])
        found = pick(upper, lower, 3, 2, 7, 6), pick(upper, lower, 1, 0, 5, 4)
        return context.make_tuple(builder, of, [word for each in found for word in parted(each)])

    return of(start, block), generate


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
    return _32(load(hashed, place))


@inlined
def _added(hashed: int, place: int) -> Any:
    return _32(get_word(_ROUNDS, place) + _spread(hashed, place))


@inlined
def _halves(word: Any) -> Any:
    return _32(_64(word)), _32(_64(word) >> _64(32))


@inlined
def _with(word: Any, low: Any, high: Any) -> Any:
    """Return two words of the hash, with what is added to each."""
    low_before, high_before = _halves(word)
    low, high = _32(low_before + low), _32(high_before + high)
    return np.int64((_64(high) << _64(32)) | _64(low))


@inner
def hash_in_words(hashed: int, start: Any, block: Any) -> Any:
    """Return a hash with a block added; the address is that of the table."""
    for place in range(8):
        low, high = _halves(block[place])
        store(hashed, 2 * place, low)
        store(hashed, 2 * place + 1, high)
    for place in range(16, 64):
        early, late = _spread(hashed, place - 15), _spread(hashed, place - 2)
        early = _turned(early, 7) ^ _turned(early, 18) ^ (early >> _32(3))
        late = _turned(late, 17) ^ _turned(late, 19) ^ (late >> _32(10))
        word = _32(_spread(hashed, place - 16) + early + _spread(hashed, place - 7) + late)
        store(hashed, place, word)
    (a, b), (c, d) = _halves(start[0]), _halves(start[1])
    (e, f), (g, h) = _halves(start[2]), _halves(start[3])
    for place in range(0, 64, 8):  # by eight, so that the words come back to their names
        d, h = _round(a, b, c, d, e, f, g, h, _added(hashed, place))
        c, g = _round(h, a, b, c, d, e, f, g, _added(hashed, place + 1))
        b, f = _round(g, h, a, b, c, d, e, f, _added(hashed, place + 2))
        a, e = _round(f, g, h, a, b, c, d, e, _added(hashed, place + 3))
        h, d = _round(e, f, g, h, a, b, c, d, _added(hashed, place + 4))
        g, c = _round(d, e, f, g, h, a, b, c, _added(hashed, place + 5))
        f, b = _round(c, d, e, f, g, h, a, b, _added(hashed, place + 6))
        e, a = _round(b, c, d, e, f, g, h, a, _added(hashed, place + 7))
    return _with(start[0], a, b), _with(start[1], c, d), _with(start[2], e, f), _with(start[3], g, h)


@inlined
def hash_block(hashed: int, start: Any, block: Any) -> Any:
    """Return a hash with a block added, as fast as the processor can."""
    if _is_at_once():
        return _hash_at_once(start, block)
    return hash_in_words(hashed, start, block)


# Events


@inlined
def _swapped(word: Any) -> Any:
    """Return four bytes in the other order: an event is little-endian, SHA-256 reads the other way round."""
    outer = (word >> _32(24)) | (word << _32(24))
    return _32(outer | ((word >> _32(8)) & _32(0xFF00)) | ((word << _32(8)) & _32(0xFF0000)))


@inlined
def _as_hashed(value: Any) -> Any:
    """Return eight bytes of an event as a word of a block."""
    low, high = _halves(value)
    return np.int64((_64(_swapped(high)) << _64(32)) | _64(_swapped(low)))


@inner
def add_event(x: Any, account: Any, event: Any) -> None:
    """Add the next event of a lane to its digest."""
    hashed, chain = x.hashed, account.chain
    whole: Any = np.int64(0)
    part: Any = np.int64(0)
    if event.fee_high | event.fee_low:
        whole, part = wide.whole_and_part(event.fee_high, event.fee_low, MONEY_UNITS)
    first = (
        *(get_word(chain, 0), get_word(chain, 1), get_word(chain, 2), get_word(chain, 3)),
        *(_as_hashed(event.time), _as_hashed(event.code), _as_hashed(event.number), _as_hashed(event.side)),
    )
    second = (
        *(_as_hashed(event.price), _as_hashed(event.size), _as_hashed(event.is_maker)),
        *(_as_hashed(whole), _as_hashed(part)),
        *(np.int64(1 << 31), np.int64(0), np.int64(_BITS << 32)),  # the end: a bit, zeros, and the length
    )
    found = hash_block(hashed, hash_block(hashed, FIRST, first), second)
    for place in range(4):
        set_word(chain, place, found[place])
