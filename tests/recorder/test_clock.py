"""The clock of a connection: anchored once, monotonic from there."""

from collections.abc import Iterable, Iterator

import pytest

from recorder.clock import Clock, ReceiveClock
from tests.recorder.rows import SECOND, START


def readings(times: Iterable[int]) -> Clock:
    """Return a clock that shows the given times in turn."""
    iterator: Iterator[int] = iter(times)
    return lambda: next(iterator)


@pytest.mark.parametrize(
    ("wall", "last", "first"),
    [(START, 0, START), (START, START - 1, START), (START, START + SECOND, START + SECOND), (0, 0, 0)],
)
def test_the_anchor_is_the_later_one(wall: int, last: int, first: int) -> None:
    """Stamps begin at the wall clock, or at the product's last recv_time where that is later."""
    clock = ReceiveClock(last, wall=readings([wall]), monotonic=readings([700, 700, 705, 705, 1700]))
    assert [clock() for _ in range(4)] == [first, first + 5, first + 5, first + 1000]


def test_the_wall_clock_is_read_once() -> None:
    """Whatever steps the wall clock makes after the anchor, no stamp sees them."""
    wall = readings([START, 0, START + 3600 * SECOND])
    clock = ReceiveClock(0, wall, readings(range(100)))
    assert [clock() for _ in range(5)] == [START + 1 + n for n in range(5)]
    assert wall() == 0


def test_real_clocks_never_go_back() -> None:
    """With the system's own clocks stamps begin at the last recv_time and never decrease."""
    last = 4_000_000_000 * SECOND  # long after any test runs
    clock = ReceiveClock(last)
    stamps = [clock() for _ in range(1000)]
    assert stamps[0] >= last
    assert stamps == sorted(stamps)
