"""The execution digest: equal if, and only if, the same happened to the same orders at the same times.

From 32 zero bytes on, for each event d = sha256(d + 9 int64, little-endian): time, code, number, side (1 bid,
2 ask), price, size, is maker, and the fee as a whole of the quote currency and a fraction in 1e-16; 0 if it
has none. What an int64 does not hold wraps around.
"""

import struct
from collections.abc import Iterable
from hashlib import sha256

from orderbook.execution.codes import SIDE_NUMBER
from orderbook.execution.events import Event
from orderbook.execution.numbers import MONEY_UNITS

_WORD = 2**64
_PACKED = struct.Struct("<9q")


class ExecutionDigest:
    """The digest of one lane so far; it can be continued.

    Args:
        chain: the digest so far, 32 bytes.
    """

    __slots__ = ("_chain",)

    def __init__(self, chain: bytes = bytes(32)) -> None:
        self._chain = chain

    def add(self, event: Event) -> None:
        """Add the next event."""
        self._chain = sha256(self._chain + pack(event)).digest()

    def hexdigest(self) -> str:
        """Return the digest as 64 hex digits."""
        return self._chain.hex()


def pack(event: Event) -> bytes:
    """Return an event as 72 bytes."""
    side = SIDE_NUMBER[event.side] if event.side else 0
    is_maker, fee = (event.fill.is_maker, event.fill.fee) if event.fill else (False, 0)
    words = (event.time, event.code, event.number, side, event.price, event.size, is_maker)
    whole, fraction = divmod(fee, MONEY_UNITS)
    try:
        return _PACKED.pack(*words, whole, fraction)
    except struct.error:
        return b"".join((word % _WORD).to_bytes(8, "little") for word in (*words, whole, fraction))


def run_digest(lanes: Iterable[tuple[str, int, str, str]]) -> str:
    """Return the digest of a run.

    Args:
        lanes: (product, index of the setting, queue model, digest) of each lane.
    """
    lines = sorted(f"{product} {setting} {queue} {digest}\n" for product, setting, queue, digest in lanes)
    return sha256("".join(lines).encode()).hexdigest()
