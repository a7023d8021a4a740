"""How long to wait before the next connection."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter.

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
