"""ISO times to nanoseconds and back, against datetime."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.times import MAX_TIME_NS, NS, format_time, parse_time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, MAX_TIME_NS)


@given(TIMES)
def test_what_is_printed_is_read_back(time_ns: int) -> None:
    """Nine digits name every nanosecond; trailing zeros may be left out."""
    text = format_time(time_ns)
    assert parse_time(text) == time_ns
    assert parse_time(text.rstrip("Z").rstrip("0").rstrip(".") + "Z") == time_ns
    instant = EPOCH + timedelta(seconds=time_ns // NS)
    assert text == f"{instant:%Y-%m-%dT%H:%M:%S}.{time_ns % NS:09d}Z"


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30T00:00:00Z", "2026-08-09T24:00:00Z", "1969-12-31T23:59:59Z"),
        *("2262-04-11T23:47:16.854775808Z", "2026-08-09T00:00:00.1234567890Z"),
        *("2026-08-09T00:00:00", "2026-08-09 00:00:00Z", "2026-08-09T00:00:00+00:00"),
        *("2026-08-09T00:00:00,5Z", "2026-08-09T00:00:00.-5Z", "\uff1226-08-09T00:00:00Z", ""),
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    """A time that is not UTC, not an instant, out of range or finer than nanoseconds is not read."""
    assert parse_time(text) is None
