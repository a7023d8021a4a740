"""Facts of parts add up to those of the whole, whatever the parts."""

from hypothesis import given
from hypothesis import strategies as st

from orderbook.facts import Facts, all_facts

CONNECTIONS = st.integers(0, 3)
EVENTS = st.lists(
    st.tuples(CONNECTIONS, st.sampled_from(["gap", "malformed"]), st.integers(-9, 9)), max_size=9
)


def facts_of(events: list[tuple[int, str, int]]) -> Facts:
    """Return the facts of faults, each with a lag, counted one by one."""
    connections = {connection for connection, _, _ in events}
    faults: dict[int, dict[str, int]] = {}
    for connection, kind, _ in events:
        counts = faults.setdefault(connection, {})
        counts[kind] = counts.get(kind, 0) + 1
    lags = {each: [lag for connection, _, lag in events if connection == each] for each in connections}
    return Facts(faults, connections, {each: (min(found), max(found)) for each, found in lags.items()})


@given(st.lists(EVENTS, max_size=4))
def test_parts_add_up(parts: list[list[tuple[int, str, int]]]) -> None:
    """Counts are added, ranges are widened, and the parts stay as they are."""
    found = [facts_of(part) for part in parts]
    assert all_facts(found) == facts_of([event for part in parts for event in part])
    assert found == [facts_of(part) for part in parts]
