"""The rule of continuity: in Python, and the same in the compiled kernel."""

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.continuity import NumberFaults, SeenIds, SharedNumbers, is_gap
from orderbook.engine import PlainEngine
from tests.orderbook.test_tracker import GOOD_SNAPSHOT, on_one_connection
from tests.support.engines import COMPILED
from tests.support.rows import to_batch

NUMBERS: Final = st.integers(-(2**63) - 1, 2**63) | st.integers(-2, 5)
"""Numbers inside and outside of what the kernel has registers for."""


FRAME: Final = st.tuples(st.sampled_from("AB"), st.integers(-5, 9), st.sampled_from("xy"))


@given(st.lists(FRAME, max_size=9))
def test_shared_numbers(frames: list[tuple[str, int, str]]) -> None:
    """Of each product the numbers rise, of all nothing is missing, and a number has one text."""
    shared = SharedNumbers()
    for product, number, text in frames:
        shared.add(product, number, text)
    numbers = [number for _, number, _ in frames]
    texts = {(number, text) for _, number, text in frames}
    falls = 0
    for each in "AB":
        mine = [number for product, number, _ in frames if product == each]
        falls += sum(after <= before for before, after in pairwise(mine))
    missing = len(range(min(numbers), max(numbers) + 1)) - len(set(numbers)) if numbers else 0
    assert shared.faults() == (missing, falls + len(texts) - len(set(numbers)))
    assert bool(str(shared.faults())) == any(shared.faults())


@pytest.mark.parametrize("number", [2**62, 10**30, -(10**30)])
def test_numbers_beyond_every_counter(number: int) -> None:
    """A number that no connection reaches is out of order; it takes no memory for what it leaves out."""
    shared = SharedNumbers()
    for each in (1, number, 2):
        shared.add("A", each, str(each))
    assert shared.faults() == NumberFaults(0, 1)


@pytest.mark.parametrize("engine", [PlainEngine(), COMPILED], ids=lambda engine: engine.name)
@given(st.lists(NUMBERS | st.none(), max_size=8))
def test_engines_report_exactly_these_gaps(engine: PlainEngine, numbers: list[int | None]) -> None:
    """Both engines see a gap where `is_gap` does, from one numbered frame to the next."""
    good = GOOD_SNAPSHOT["advanced"]
    frames = [good if number is None else f'{{"sequence_num":{number},{good[1:]}' for number in numbers]
    rows = on_one_connection(*frames)
    _, step = engine.step(engine.start("BTC-USD", "advanced"), to_batch(rows))
    kinds, details = (step.anomalies.column(name).to_pylist() for name in ("kind", "detail"))
    found = [detail for kind, detail in zip(kinds, details, strict=True) if kind == "gap"]
    expected: list[str] = []
    last: int | None = None
    for number in numbers:
        if number is not None:
            if is_gap(last, number):
                expected.append(f"sequence_num {number} after {last}")
            last = number
    assert found == expected


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
