"""The lag of frames is a second opinion on recv_time; a network's lag is none."""

from orderbook.lags import clock_fault
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
