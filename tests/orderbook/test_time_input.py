"""Times, offsets and durations as people type them."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.display import time_of_day
from orderbook.errors import TimeError
from orderbook.time_input import Moment, format_duration, parse_duration, parse_durations, parse_moment
from orderbook.times import MAX_TIME_NS, format_time

NS_2026 = 1_786_309_548_506_659_000


@pytest.mark.parametrize(
    "value",
    [
        "2026-08-09T21:05:48.506659Z",
        "2026-08-09T23:05:48.506659+02:00",
        "2026-08-09T15:35:48.506659-05:30",
        datetime(2026, 8, 9, 21, 5, 48, 506659, UTC),
        datetime(2026, 8, 9, 23, 5, 48, 506659, timezone(timedelta(hours=2))),
        *(
            "2026-08-09 21:05:48.506659",
            "2026-08-09 21:05:48.506659 UTC",
            "2026-08-09t23:05:48.506659000+0200",
        ),
        *("2026-08-09 23:05:48.506659+02", " 2026-08-09T21:05:48.506659Z "),
        datetime.fromisoformat("2026-08-09T21:05:48.506659"),
        *(NS_2026, NS_2026 // 1000, np.int64(NS_2026), str(NS_2026), "1786309548.506659", 1786309548.506659),
        *("1786309548506.659", np.float64(1786309548506.659), np.datetime64(NS_2026, "ns")),
        pa.scalar(NS_2026, pa.timestamp("ns", "UTC")),
        pa.scalar(NS_2026 // 1000, pa.timestamp("us")),
        Moment(NS_2026),
    ],
)
def test_spellings_are_one_time(value: object) -> None:
    """ISO text, datetimes and numbers since 1970 name the same nanosecond; without a zone they are in UTC."""
    assert parse_moment(value) == Moment(NS_2026)  # type: ignore[arg-type]  # one parameter for all kinds


@pytest.mark.parametrize("value", ["2026-08-09", "2026-08-09T00:00Z", date(2026, 8, 9), 1786233600])
def test_days_and_minutes(value: object) -> None:
    """A date is its first moment in UTC, and seconds may be left out."""
    assert parse_moment(value) == Moment(1_786_233_600 * 10**9)  # type: ignore[arg-type]  # one parameter for all


@given(st.integers(0, MAX_TIME_NS))
def test_what_is_printed_is_read(ns: int) -> None:
    """Every form in which booktape prints a time is read as that time."""
    assert parse_moment(format_time(ns)).ns == ns
    to_the_millisecond = ns // 10**6 * 10**6
    for text in (time_of_day(ns), f"{time_of_day(ns)} UTC"):
        assert parse_moment(text).ns == to_the_millisecond


@given(st.integers(10**8, MAX_TIME_NS // 10**9), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_the_size_of_a_number_tells_its_unit(seconds: int, unit: int) -> None:
    """From 1973 to 2262 no number is a time in two units."""
    assert parse_moment(seconds * unit).ns == parse_moment(str(seconds * unit)).ns == seconds * 10**9


@pytest.mark.parametrize("text", ["+5m", "+300s", "+300", "+300000ms", "300s", "5 min", "300 s"])
def test_offsets(text: str) -> None:
    """An offset counts from the first row of the tape."""
    assert parse_moment(text) == Moment(300 * 10**9, is_offset=True)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "+",
            "+-5m",
            "+1w",
            "-5m",
            "noon",
            "2026-08",
            "2026-08-09T21",
            "2026-02-30T00:00:00Z",
            "2026-02-30",
        ),
        *(
            "2026-08-09T21:05:48+25:00",
            "1970-01-01T00:00:00+02:00",
            "+99999999999d",
            "2026-08-09T21:05:48 CET",
        ),
        *("9" * 100, "1e999", "-1786309548", "300", 300, 10**10, "09/08/2026"),
        *(-1, 2**63, True, 1.5, None, b"2026-08-09", float("nan"), datetime(1969, 1, 1, tzinfo=UTC)),
    ],
)
def test_not_a_time(value: object) -> None:
    """Anything before 1970, of no clear unit or of another kind is refused, with the value in the message."""
    with pytest.raises(TimeError, match=r"is not a time"):
        parse_moment(value)  # type: ignore[arg-type]  # that it is refused is the point


def test_durations() -> None:
    """A duration is text with a unit or a number of seconds; a text may name several."""
    assert parse_durations("250ms,1m") == (0.25, 60.0)
    assert parse_durations(("1h", 1, "2")) == (3600.0, 1.0, 2.0)
    assert parse_durations(0.5) == (0.5,)
    assert (
        parse_duration("250 ms")
        == parse_duration("1e-1 s") + 0.15
        == parse_duration(timedelta(milliseconds=250))
    )
    for bad in ("-1s", "1w", "", "1 5s", True, "9" * 100, None, -1.0, float("nan"), float("inf")):
        with pytest.raises(TimeError, match="is not a duration"):
            parse_duration(bad)  # type: ignore[arg-type]  # that it is refused is the point


@given(st.floats(0, 1e9))
def test_printed_durations_are_read(seconds: float) -> None:
    """What is printed for a duration is that duration."""
    assert parse_duration(format_duration(seconds)) == seconds
