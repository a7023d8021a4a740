"""Thresholds are read exactly, in three spellings, and nothing else is read."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.errors import BooktapeError, ThresholdError
from orderbook.threshold import (
    DEFAULT_THRESHOLD,
    format_threshold,
    parse_threshold,
    parse_threshold_exact,
    sweep_thresholds,
    sweep_thresholds_log,
)


@pytest.mark.parametrize("text", ["0.1%", "10bps", "0.001", "00.10%", "10.0bps", "1e-3", "1E-03", "0.01e-1"])
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
        ("1e+2", 100.0),
    ],
)
def test_nearest_float(text: str, value: float) -> None:
    """A threshold is the float nearest to the exact decimal, rounded once."""
    assert parse_threshold(text) == value


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_printed_numbers_are_read_back(value: float) -> None:
    """What JSON prints for a threshold is that threshold."""
    assert parse_threshold(repr(abs(value))) == value


@given(st.integers(0, 10**9), st.integers(0, 9))
def test_units_are_exact(digits: int, decimals: int) -> None:
    """A per cent is exactly a hundredth, a basis point exactly a hundredth of that, for any decimal."""
    whole, rest = divmod(digits, 10**decimals)
    number = f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)
    plain = Fraction(digits, 10**decimals)
    assert [parse_threshold_exact(number + unit) for unit in ("", "%", "bps")] == [
        plain,
        plain / 100,
        plain / 10**4,
    ]
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
            "10 bps",
            "1 %",
            " 0.1%",
            "0.1% ",
            "0.1%\n",
        ),
        *("10BPS", "10bp", "0.1%%", "0.1%bps", "1e-5%", "1e2bps", "1e", "1e-", "1e--5", "1e1.5"),
        *("1e999999999", "1e-999999999", "1e1000", "1e999", "1e309", "9" * 65, "0." + "0" * 10**6 + "1"),
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
    for sweep in [("0", "1", "0.00001"), ("0", "0.999991", "0.00001"), ("0", "1e300", "1e-300")]:
        with pytest.raises(ThresholdError, match="more than 100,000"):
            sweep_thresholds(*sweep)


def test_sweep_log() -> None:
    """Thresholds stand at equal ratios, the ends are exactly what was written, and any unit goes."""
    values = sweep_thresholds_log("0.7bps", "0.7%", "101")
    assert (len(values), values[0], values[50], values[-1]) == (101, 0.00007, 0.0007, 0.007)
    ratios = [high / low for low, high in pairwise(values)]
    assert max(ratios) / min(ratios) == pytest.approx(1, abs=1e-4)
    assert len(sweep_thresholds_log("1e-9", "1", "100000")) == 100_000


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
    ],
)
def test_format(value: float, text: str) -> None:
    """A table shows a threshold in basis points with no digit too many."""
    assert format_threshold(value) == text


@given(st.floats(min_value=1e-9, max_value=1))
def test_format_names_the_same_float(value: float) -> None:
    """What a table shows for a threshold that a market can have is read back as the same threshold."""
    text = format_threshold(value)
    assert text.endswith(" bps")
    if "e" not in text:
        assert parse_threshold(text.replace(" ", "")) == value
