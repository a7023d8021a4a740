"""When to connect: backoff after a failure, and a distance between any two attempts."""

import asyncio
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    Attributes:
        first, longest: bounds of the wait in seconds.
    """

    first: float = 0.5
    longest: float = 30.0

    def wait(self, attempt: int, rng: random.Random) -> float:
        """Return seconds to wait before attempt number `attempt`, counted from 0 since the last success.

        >>> Backoff(first=1, longest=8).wait(40, random.Random(1)) <= 8
        True
        """
        ceiling = min(self.longest, self.first * 2 ** min(attempt, 32))
        return rng.uniform(ceiling / 2, ceiling)


class Turnstile:
    """Lets one connection attempt through every so often: exchanges limit them per address."""

    def __init__(self, seconds: float) -> None:
        """Make one; `seconds` is the least distance between two attempts."""
        self._seconds = seconds
        self._free_at = 0.0

    async def pass_through(self) -> None:
        """Wait for a turn."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._free_at)
        self._free_at = turn + self._seconds
        await asyncio.sleep(turn - now)
