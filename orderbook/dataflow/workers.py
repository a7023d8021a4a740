"""Keys that spread products evenly over the workers of a bytewax cluster.

bytewax hands partitions of a source to workers in turn, in the order of their names, but sends what carries a
key to the worker that the hash of the key names: of four products three may meet at one worker. So a product
gets the first of the keys `BTC-USD`, `BTC-USD#1`, `BTC-USD#2` and so on that is sent to the worker where its
partition is read: its rows never leave that worker, and every worker has its share.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Final

import bytewax.operators as op
import pyarrow as pa
from bytewax.operators import KeyedStream

_NUMBER_SIGN: Final = "#"  # no product id has one
_MASK: Final = (1 << 64) - 1
_State = tuple[int, int, int, int]
_INITIAL: Final[_State] = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def balanced_keys(products: Iterable[str], workers: int) -> Mapping[str, str]:
    """Return the key of each product for a number of workers; for one worker that is the product.

    >>> balanced_keys(["BTC-USD", "ETH-USD"], 2)
    {'BTC-USD': 'BTC-USD#1', 'ETH-USD': 'ETH-USD#1'}
    """
    return {
        product: next(key for key in _keys(product) if _worker_of(key, workers) == place % workers)
        for place, product in enumerate(sorted(set(products)))
    }


def with_keys(
    step_id: str, rows: KeyedStream[pa.RecordBatch], keys: Mapping[str, str]
) -> KeyedStream[pa.RecordBatch]:
    """Give the rows of each product its key, if that is not the product."""
    if all(product == key for product, key in keys.items()):
        return rows
    return op.map(step_id, rows, lambda item: (keys[item[0]], item[1]))


def product_of(key: str) -> str:
    """Return the product of a key, balanced or not.

    >>> product_of("BTC-USD#1"), product_of("BTC-USD")
    ('BTC-USD', 'BTC-USD')
    """
    return key.partition(_NUMBER_SIGN)[0]


def _keys(product: str) -> Iterator[str]:
    yield product
    for number in count(1):
        yield f"{product}{_NUMBER_SIGN}{number}"


def _worker_of(key: str, workers: int) -> int:
    """Return the worker to which bytewax 0.21 sends a key: by the hash of Rust's `DefaultHasher`."""
    return _siphash13(key.encode() + b"\xff") % workers


def _siphash13(data: bytes) -> int:
    """Return SipHash-1-3 of bytes with a key of zeros (Aumasson and Bernstein, 2012)."""
    whole = len(data) // 8 * 8
    last = data[whole:].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    state = _INITIAL
    for word in (*(data[start : start + 8] for start in range(0, whole, 8)), last):
        number = int.from_bytes(word, "little")
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _mixed((v0, v1, v2, v3 ^ number))
        state = v0 ^ number, v1, v2, v3
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _mixed(_mixed(_mixed((v0, v1, v2 ^ 0xFF, v3))))
    return v0 ^ v1 ^ v2 ^ v3


def _mixed(state: _State) -> _State:
    """Return the state of SipHash after a round."""
    v0, v1, v2, v3 = state
    v0 = (v0 + v1) & _MASK
    v2 = (v2 + v3) & _MASK
    v1 = _rotated(v1, 13) ^ v0
    v3 = _rotated(v3, 16) ^ v2
    v0 = (_rotated(v0, 32) + v3) & _MASK
    v2 = (v2 + v1) & _MASK
    v1 = _rotated(v1, 17) ^ v2
    v3 = _rotated(v3, 21) ^ v0
    return v0, v1, _rotated(v2, 32), v3


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK
