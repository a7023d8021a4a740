"""When to connect again: longer and longer, within bounds, and never all at once."""

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from recorder.backoff import Backoff, Turnstile


@given(st.integers(0, 10**6), st.integers(0, 2**32), st.floats(0.001, 10), st.floats(1, 1000))
def test_waits_are_within_bounds(attempt: int, seed: int, first: float, factor: float) -> None:
    """A wait is between half and all of first * 2**attempt, and never above the longest."""
    longest = first * factor
    ceiling = min(longest, first * 2 ** min(attempt, 64))
    assert ceiling / 2 <= Backoff(first, longest).wait(attempt, random.Random(seed)) <= ceiling


def test_waits_double_and_differ() -> None:
    """Each attempt's ceiling is double that of the one before, and waits are spread below it."""
    backoff = Backoff(first=1, longest=8)
    rng = random.Random(1)
    waits = [[backoff.wait(attempt, rng) for _ in range(200)] for attempt in range(6)]
    for attempt, ceiling in enumerate((1, 2, 4, 8, 8, 8)):
        assert ceiling * 0.95 < max(waits[attempt]) <= ceiling
        assert ceiling * 0.5 <= min(waits[attempt]) < ceiling * 0.55
        assert len(set(waits[attempt])) == 200


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only by waiting for timers, and then at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        """Return the virtual time."""
        return self.now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        if not self._ready and timers:  # type: ignore[attr-defined]
            self.now = max(self.now, timers[0].when())
        super()._run_once()  # type: ignore[misc]


def test_a_turnstile_spaces_attempts() -> None:
    """Attempts that come together pass one after another at the distance; one that comes late, at once."""

    async def attempts() -> list[float]:
        turnstile = Turnstile(0.25)
        loop = asyncio.get_running_loop()
        passed: list[float] = []

        async def attempt() -> None:
            await turnstile.pass_through()
            passed.append(loop.time())

        await asyncio.gather(*(attempt() for _ in range(4)))
        await asyncio.sleep(10)  # of virtual time
        await attempt()
        return passed

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(attempts()) == [0, 0.25, 0.5, 0.75, 10.75]
