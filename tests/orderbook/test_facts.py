"""The lag of frames is a second opinion on recv_time; a network's lag is none."""

from hypothesis import given
from hypothesis import strategies as st

from orderbook.facts import Facts, all_facts, clock_fault
from orderbook.times import NS


def test_a_network_is_no_wrong_clock() -> None:
    """Clocks that differ by less than a minute, and frames without a time, are not told."""
    assert not clock_fault(None)
    for seconds in (-60, -1, 0, 1, 60):
        assert not clock_fault((min(seconds, 0) * NS, max(seconds, 0) * NS))


def test_a_wrong_clock_is_told_whole() -> None:
    """The least lag is told if all frames are late, the greatest if all are early, or else both."""
    assert clock_fault((61 * NS, 10**6 * NS)) == "recv_time is 61 s after the frames' own time"
    assert clock_fault((-(10**6) * NS, -7200 * NS)) == "recv_time is 2.0 h before the frames' own time"
    assert clock_fault((-61 * NS, 0)) == "recv_time is up to 61 s before the frames' own time"
    years = 5 * 365 * 86_400 * NS
    assert clock_fault((-61 * NS, years)).endswith(
        "from 61 s before to 1,825.0 days after the frames' own time"
    )


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
