"""What is known of a capture before it is imported."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from recorder.captures.capture import Capture
from tests.support.constants import BTC, ETH

NAMES = st.sampled_from([(), (BTC,), (ETH,), (BTC, ETH)])


@given(st.lists(st.tuples(st.integers(0, 50), NAMES), min_size=1, max_size=12))
def test_times_that_go_back_are_found(rows: list[tuple[int, tuple[str, ...]]]) -> None:
    """What the survey finds without the tape is the most that a row of the tape would be raised by."""
    products = {name for _, names in rows for name in names}
    capture = Capture((Path(),))
    last = dict.fromkeys(products, rows[0][0])
    most = 0
    for time, names in rows:
        capture.add(time, "", names)
        for name in names or products:
            most, last[name] = max(most, last[name] - time), max(last[name], time)
    if products:
        assert {name: capture.last_time(name) for name in products} == last
        assert capture.went_back >= most
    assert capture.first_time == rows[0][0]
