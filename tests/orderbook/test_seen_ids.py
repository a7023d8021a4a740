"""Numbers that were seen: the same answers as a set."""

from hypothesis import given
from hypothesis import strategies as st

from orderbook.seen_ids import SeenIds


@given(st.lists(st.integers(0, 12), max_size=40))
def test_it_is_a_set(numbers: list[int]) -> None:
    """In whatever order numbers come, each is new once."""
    seen, known = SeenIds(), set[int]()
    for number in numbers:
        assert seen.add(number) == (number not in known)
        known.add(number)


def test_it_stays_small() -> None:
    """With too many ranges the lowest are joined: what lies between counts as seen, nothing is forgotten."""
    seen = SeenIds()
    assert all(seen.add(number) for number in range(0, 10_000, 2))
    assert not any(seen.add(number) for number in range(0, 10_000, 2))
    assert (seen.add(1), seen.add(9_997)) == (False, True)
