"""How long a request travels: the round trip, from a decision to its effect as the feed would show it.

A random latency is drawn by the number of the request, so neither batches nor other lanes change it.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from orderbook.execution.numbers import MILLION
from orderbook.times import NS

_MASK: Final = 2**64 - 1
GAMMA: Final = 0x9E3779B97F4A7C15


def splitmix64(state: int) -> int:
    """Return the number of 64 bits that SplitMix64 gives after a state.

    >>> hex(splitmix64(0))
    '0xe220a8397b1dcdaf'
    """
    mixed = (state + GAMMA) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


class Draws:
    """The random numbers of one product under one seed: the n-th of a SplitMix64 sequence for request n.

    The sequence starts at splitmix64(seed) xor the first 8 bytes of sha256(product), little-endian.

    Attributes:
        start: where it starts.
    """

    def __init__(self, seed: int, product: str) -> None:
        key = int.from_bytes(sha256(product.encode()).digest()[:8], "little")
        self.start = splitmix64(seed & _MASK) ^ key

    def at(self, number: int) -> int:
        """Return the draw of a request, from 0 to 2**64 - 1."""
        return splitmix64((self.start + number * GAMMA) & _MASK)


class Latency(Protocol):
    """A model of latency."""

    def delay(self, draw: int, excess_lag: int) -> int:
        """Return the nanoseconds that a request travels, never negative.

        Args:
            draw: the request's random number of 64 bits.
            excess_lag: by how many ns the last book frame was later than the fastest of its connection.
        """


@dataclass(frozen=True, slots=True)
class FixedLatency:
    """Always the same."""

    ns: int

    def delay(self, draw: int, excess_lag: int) -> int:  # noqa: ARG002  one signature for all models
        """Return the latency."""
        return self.ns


@dataclass(frozen=True, slots=True)
class UniformLatency:
    """Any whole number of ns from low to high, both included."""

    low: int
    high: int

    def delay(self, draw: int, excess_lag: int) -> int:  # noqa: ARG002
        """Return a latency."""
        return self.low + draw % (self.high - self.low + 1)


@dataclass(frozen=True, slots=True)
class TableLatency:
    """One of a table, e.g. of measured latencies."""

    table: tuple[int, ...]

    def delay(self, draw: int, excess_lag: int) -> int:  # noqa: ARG002
        """Return a latency."""
        return self.table[draw % len(self.table)]


@dataclass(frozen=True, slots=True)
class FeedLatency:
    """A base, and a multiple (`factor` in millionths) of how late the feed itself is at the moment."""

    base: int
    factor: int = MILLION

    def delay(self, draw: int, excess_lag: int) -> int:  # noqa: ARG002
        """Return a latency."""
        return self.base + excess_lag * self.factor // MILLION


def longest(latency: Latency) -> int:
    """Return the most that a request travels, in nanoseconds, while the feed is at most a second late.

    >>> longest(UniformLatency(5, 80)), longest(FeedLatency(40, MILLION // 2))
    (80, 500000040)
    """
    match latency:
        case UniformLatency():
            return latency.high
        case TableLatency():
            return max(latency.table)
    return latency.delay(0, NS)
