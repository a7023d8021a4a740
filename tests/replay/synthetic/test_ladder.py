"""A side of the synthetic book, against a dict that is sorted whenever it is read, and lists of orders."""

import copy
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.venues.base import Side
from replay.synthetic.ladder import Ladder, OrderEvent


@pytest.mark.parametrize("side", ["bid", "ask"])
@given(changes=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=40))
def test_levels_are_those_of_a_sorted_dict(side: Side, changes: list[tuple[int, int]]) -> None:
    """The best level comes first on either side; a size of 0 removes a level, whether there is one or not."""
    ladder, levels = Ladder(side, random.Random(1)), dict[int, int]()
    for price, size in changes:
        ladder.set(ladder.key(price), size)
        levels[price] = size
        levels = {price: size for price, size in levels.items() if size}
        expected = sorted(levels.items(), reverse=side == "bid")
        assert list(ladder) == expected
        assert len(ladder) == len(expected)
        assert [ladder.key(ladder.at(rank)) for rank in range(len(ladder))] == [
            price for price, _ in expected
        ]
        assert (ladder.key(price) in ladder) == (price in levels)


@pytest.mark.parametrize("side", ["bid", "ask"])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["set", "take"]), st.integers(1, 5), st.integers(0, 30)), max_size=60
    )
)
def test_orders_explain_every_size_and_fill_in_turn(side: Side, steps: list[tuple[str, int, int]]) -> None:
    """What is open is what the level shows, and a taker fills the oldest orders first."""
    ladder = Ladder(side, random.Random(2))
    events: list[OrderEvent] = []
    ladder.events = events
    left: dict[int, dict[int, int]] = defaultdict(dict)
    for what, price, size in steps:
        seen = len(events)
        key = ladder.key(price)
        if what == "set":
            ladder.set(key, size)
        elif key in ladder:
            before = list(left[price])
            filled = ladder.take(key, size)
            fills = [event for event in events[seen:] if event.what == "fill"]
            assert [event.size for event in fills] == filled
            assert [event.order for event in fills] == before[: len(fills)]
            assert sum(filled) == min(size, sum(left[price].values()))
        for event in events[seen:]:
            orders = left[event.price]
            orders[event.order] = orders.get(event.order, 0) + event.size * (
                1 if event.what == "open" else -1
            )
            assert orders[event.order] >= 0
            if not orders[event.order]:
                del orders[event.order]
        assert dict(ladder) == {place: sum(each.values()) for place, each in left.items() if each}


def test_a_copy_goes_on_apart() -> None:
    """A copy has the same future, and neither of the two changes the other."""
    ladder = Ladder("bid", random.Random(3))
    for size in range(1, 9):
        ladder.set(-10, size)
    other = copy.deepcopy(ladder)
    futures = []
    for each in (ladder, other):
        each.events = []
        each.set(-10, 3)
        each.take(-10, 2)
        each.set(-10, 5)
        futures.append(each.events)
    assert futures[0] == futures[1]
