"""Thresholds are read exactly, in three spellings; a summary is above one if its spread is greater."""

import pickle
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.errors import BooktapeError, ThresholdError
from orderbook.schema import FLOW_SUMMARY_SCHEMA, SUMMARY_SCHEMA
from orderbook.thresholds import (
    DEFAULT_THRESHOLD,
    above,
    find_levels,
    format_threshold,
    is_above,
    parse_threshold,
    parse_threshold_exact,
    parse_thresholds,
    sweep_thresholds,
    sweep_thresholds_log,
)


@pytest.mark.parametrize(
    "text",
    [
        *("0.1%", "10bps", "0.001", "00.10%", "10.0bps", "1e-3", "1E-03", "0.01e-1", "1e1bps", "1e-1 %"),
        *("10 bps", "10  bps", "10bp", "10 BPS", "0.1 %", " 0.1% ", "0.1%\n"),
    ],
)
def test_spellings_of_one_threshold(text: str) -> None:
    """Per cent, basis points and the plain fraction name the same float, which is the default."""
    assert parse_threshold(text) == DEFAULT_THRESHOLD == 0.001
    assert parse_threshold_exact(text) == Fraction(1, 1000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.7%", 0.007),  # 0.7 / 100 is another float
        ("70bps", 0.007),
        ("0.3bps", 0.00003),
        ("1e-05", 1e-05),
        ("5e-324", 5e-324),
        ("1e-999", 0.0),
        ("0", 0.0),
        ("0%", 0.0),
        ("100%", 1.0),
        ("150%", 1.5),
        ("15000 bps", 1.5),
        ("0.999", 0.999),
    ],
)
def test_nearest_float(text: str, value: float) -> None:
    """A threshold is the float nearest to the exact decimal, rounded once."""
    assert parse_threshold(text) == value


@given(st.floats(0, 1, exclude_max=True))
def test_printed_numbers_are_read_back(value: float) -> None:
    """What JSON prints for a threshold is that threshold."""
    assert parse_threshold(repr(abs(value))) == value


@given(st.integers(0, 10**9), st.integers(0, 9))
def test_units_are_exact(digits: int, decimals: int) -> None:
    """A per cent is exactly a hundredth, a basis point exactly a hundredth of that, for any decimal."""
    whole, rest = divmod(digits, 10**decimals)
    number = f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)
    plain = Fraction(digits, 10**decimals)
    assert [parse_threshold_exact(number + unit) for unit in ("%", "bps")] == [plain / 100, plain / 10**4]
    assert parse_threshold(f"{number}%") == float(plain / 100)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abc", "-1bps", "-0", "-0.1%", "+0.1%", "nan", "inf", "Infinity", "%", "bps", "e-5", "."),
        *(
            ".1%",
            "1.%",
            "1..2",
            "1,5%",
            "1_000",
            "0x10",
            "1/1000",
        ),
        *("0.1%%", "0.1%bps", "1e", "1e-", "1e--5", "1e1.5", "10bpss", "b10", "10 b ps"),
        *("1e999999999", "1e-999999999", "1e1000", "1e999bps", "1e311%", "9" * 65, "0." + "0" * 10**6 + "1"),
        *("٣bps", "1٣%", "1０%", "１0bps", "²%", "10\u00a0bps", "10‰", "\ud800"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    """What is no threshold is refused in one line that quotes it."""
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(text)
    message = str(caught.value)
    assert repr(text[:64]) in message
    assert "\n" not in message
    assert len(message) < 200
    assert isinstance(caught.value, BooktapeError)


@pytest.mark.parametrize("value", ["10", "1", "1.0", "1e2", " 5 ", 10, 1, 1.5, 1e300, Decimal("1.5")])
def test_a_number_without_a_unit_is_below_one(value: Any) -> None:
    """Nobody means 1,000 % by 10: it is refused, and the answer names what can be typed."""
    with pytest.raises(
        ThresholdError, match=r"has no unit: write \S+bps or \S+% \(10bps is 0\.1% or 0\.001\)$"
    ) as found:
        parse_threshold(value)
    suggested = str(found.value).split("write ")[1].split(" or ")[0]
    assert parse_threshold(suggested) == float(value) / 10_000
    with pytest.raises(ThresholdError, match="has no unit"):
        parse_thresholds(f"0:{value}:1bps")


@pytest.mark.parametrize(
    ("sweep", "values"),
    [
        (("0.1%", "0.7%", "0.1%"), [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007]),
        (("10bps", "0.003", "0.1%"), [0.001, 0.002, 0.003]),
        (("0", "25bps", "10bps"), [0.0, 0.001, 0.002, 0.0025]),
        (("0.1%", "0.1%", "1bps"), [0.001]),
        (("0", "1bps", "5bps"), [0.0, 0.0001]),
    ],
)
def test_sweep(sweep: tuple[str, str, str], values: list[float]) -> None:
    """A sweep holds MIN, exact multiples of STEP above it, and MAX, whether or not STEP divides the range."""
    assert sweep_thresholds(*sweep) == values


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 60))
def test_sweep_does_not_drift(first: int, length: int, step: int) -> None:
    """Every value of a sweep is the float of its own decimal, however many steps it is away."""
    expected = [*range(first, first + length, step), first + length]
    assert sweep_thresholds(f"{first}bps", f"{first + length}bps", f"{step}bps") == [
        n / 10_000 for n in expected
    ]


def test_sweep_is_bounded() -> None:
    """100,000 thresholds are a sweep, one more is refused before any is made."""
    assert len(sweep_thresholds("0", "0.99999", "0.00001")) == 100_000
    assert len(sweep_thresholds("0", "0.999981", "0.00001")) == 100_000
    for sweep in [("0", "100%", "0.00001"), ("0", "0.999991", "0.00001"), ("0", "1e300%", "1e-300")]:
        with pytest.raises(ThresholdError, match="more than 100,000"):
            sweep_thresholds(*sweep)


def test_sweep_log() -> None:
    """Thresholds stand at equal ratios, the ends are exactly what was written, and any unit goes."""
    values = sweep_thresholds_log("0.7bps", "0.7%", "101")
    assert (len(values), values[0], values[50], values[-1]) == (101, 0.00007, 0.0007, 0.007)
    ratios = [high / low for low, high in pairwise(values)]
    assert max(ratios) / min(ratios) == pytest.approx(1, abs=1e-4)
    assert len(sweep_thresholds_log("1e-9", "100%", "100000")) == 100_000


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (("0", "5bps", "3"), "MIN must be above 0"),
        (("5bps", "5bps", "3"), "MIN must be above 0 and below MAX"),
        (("1bps", "x", "3"), "'x' is not a threshold"),
        (("1bps", "5bps", "1"), "'1' is not a number of thresholds"),
        (("1bps", "5bps", "100001"), "from 2 to 100,000"),
        (("1bps", "5bps", "2.5"), "'2.5' is not a number"),
        (("1bps", "5bps", "\u0663"), "is not a number of thresholds"),
    ],
)
def test_sweep_log_refuses(sweep: tuple[str, str, str], words: str) -> None:
    """A sweep at equal ratios needs a range above 0 and a number of thresholds."""
    with pytest.raises(ThresholdError, match=words):
        sweep_thresholds_log(*sweep)


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (("0.1%", "0.2%", "0bps"), "'0bps' of a sweep must be above 0"),
        (("0.3%", "0.2%", "1bps"), "MIN is above MAX"),
        (("0.1%", "high", "1bps"), "'high' is not a threshold"),
        (("0.1%", "0.2%", "-1bps"), "'-1bps' is not a threshold"),
    ],
)
def test_sweep_refuses(sweep: tuple[str, str, str], words: str) -> None:
    """A sweep that cannot advance, runs backwards or names no threshold is refused, and says why."""
    with pytest.raises(ThresholdError, match=words):
        sweep_thresholds(*sweep)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "10 bps"),
        (0.00005, "0.5 bps"),
        (0.007, "70 bps"),
        (1e-05, "0.1 bps"),
        (0.00123456, "12.3456 bps"),
        (0.0, "0 bps"),
        (1.0, "10000 bps"),
        (5e-324, "5e-320 bps"),
        (1.5, "15000 bps"),
    ],
)
def test_format(value: float, text: str) -> None:
    """A table shows a threshold in basis points with no digit too many."""
    assert format_threshold(value) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_format_names_the_same_float(value: float) -> None:
    """What a table shows for a threshold is read back as the same threshold."""
    assert parse_threshold(format_threshold(value)) == value


def test_every_spelling_of_several() -> None:
    """One threshold, a sweep, or a list of both: ascending, each once."""
    assert (
        parse_thresholds("10bps") == parse_thresholds(0.001) == parse_thresholds(["0.1%", 0.001]) == (0.001,)
    )
    assert parse_thresholds(("5bps", "1bps:3bps:1bps", 0)) == (0.0, 0.0001, 0.0002, 0.0003, 0.0005)
    assert parse_thresholds("1bps:100bps:x3") == (0.0001, 0.001, 0.01)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "10",
        True,
        b"0.1",
        "1bps:2bps",
        "3bps:1bps:1bps",
        "1bps:2bps:x1",
        -0.1,
        float("nan"),
        float("inf"),
        [],
        [None],
    ],
)
def test_several_refuse(value: object) -> None:
    """What is not a threshold is refused wherever it stands; so is none at all."""
    with pytest.raises(ThresholdError):
        parse_thresholds(value)  # type: ignore[arg-type]  # that it is refused is the point


def summaries(spreads: Sequence[float | None], schema: pa.Schema = FLOW_SUMMARY_SCHEMA) -> pa.RecordBatch:
    """Return summaries that differ in seq and have these relative spreads."""
    rows = [
        dict.fromkeys(schema.names)
        | {"seq": seq, "recv_time": seq, "relative_spread": spread, "connection": 0}
        for seq, spread in enumerate(spreads)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


@pytest.mark.parametrize("schema", [SUMMARY_SCHEMA, FLOW_SUMMARY_SCHEMA])
def test_whole_rows_pass(schema: pa.Schema) -> None:
    """Rows above the threshold pass as they are, in their order, with all their columns."""
    batch = summaries([0.002, 0.0, 0.0011], schema)
    passed = above(batch, 0.001)
    assert passed.schema == schema
    assert passed.equals(batch.take(pa.array([0, 2])))


@pytest.mark.parametrize("text", ["0.1%", "10bps", "0.001"])
def test_equal_is_not_above(text: str) -> None:
    """A summary at exactly the threshold does not pass, the next float above it does."""
    next_float = 0.0010000000000000002
    assert above(summaries([0.001, next_float]), parse_threshold(text)).column("seq").to_pylist() == [1]


def test_what_never_passes() -> None:
    """One-sided, locked and crossed books pass no threshold, not even 0."""
    assert above(summaries([None, 0.0, -0.0, -0.5, float("nan")]), 0.0).num_rows == 0
    assert above(summaries([1e-12]), 0.0).num_rows == 1


@given(
    st.lists(st.none() | st.sampled_from([-0.001, 0.0, 0.001, 0.002]) | st.floats(-1, 1)),
    st.sampled_from([0.0, 0.001, 0.002]) | st.floats(0, 1),
)
def test_equals_a_plain_loop(spreads: list[float | None], threshold: float) -> None:
    """The three forms of the rule agree with `relative_spread > threshold`, row by row."""
    expected = [seq for seq, spread in enumerate(spreads) if spread is not None and spread > threshold]
    assert above(summaries(spreads), threshold).column("seq").to_pylist() == expected
    assert [seq for seq, spread in enumerate(spreads) if is_above(spread, threshold)] == expected
    array = np.array([np.nan if spread is None else spread for spread in spreads])
    assert np.flatnonzero(is_above(array, threshold)).tolist() == expected


@given(
    st.lists(st.sampled_from([0.0, 0.001, 0.002, 0.0020000000000000005]) | st.floats(0, 1), max_size=40),
    st.lists(st.sampled_from([0.0, 0.001, 0.002]) | st.floats(0, 1), min_size=1, max_size=5, unique=True),
)
def test_a_level_is_the_number_of_thresholds_below(spreads: list[float], thresholds: list[float]) -> None:
    """A spread is above exactly the first `level` of ascending thresholds."""
    thresholds.sort()
    levels = find_levels(np.array(thresholds), np.array(spreads))
    assert levels.tolist() == [sum(is_above(spread, each) for each in thresholds) for spread in spreads]


@pytest.mark.parametrize("spread", [0.5, 0.0])
def test_result_is_no_slice(spread: float) -> None:
    """What passes does not carry the buffers of what it came from, whether all of it passes or nothing."""
    large = summaries([0.5] * 10 + [0.0] * 5_000)
    assert len(pickle.dumps(above(large, 0.001))) < 5_000
    part = summaries([spread] * 5_000).slice(100, 10)
    passed = above(part, 0.001)
    assert passed.num_rows == (10 if spread else 0)
    assert len(pickle.dumps(passed)) < 5_000
    assert all(column.offset == 0 for column in passed.columns)
