"""Arguments of the API: every spelling of a value is the same value, and a wrong one is named."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import booktape as bt
from booktape import arguments
from orderbook.errors import OptionError

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@given(number=st.integers(1, 10**5), unit=st.sampled_from(sorted(UNITS)), space=st.sampled_from(["", " "]))
def test_sizes(number: int, unit: str, space: str) -> None:
    """A size is its number times its unit, and is written in a unit that loses nothing."""
    size = number * UNITS[unit]
    assert arguments.size(f"{number}{space}{unit}", "segment_bytes") == size
    assert arguments.size(size, "segment_bytes") == size
    assert arguments.size(arguments.format_size(size), "segment_bytes") == size
    assert arguments.size("1.5 KiB", "segment_bytes") == 1536


@pytest.mark.parametrize("value", ["", "0", "1.MiB", "-1", "1 TiB", "MiB", "1e3", "١KiB", -1, 0, 0.5, None])
def test_no_sizes(value: object) -> None:
    """What is not a whole number of bytes above 0 is refused by name."""
    with pytest.raises(OptionError, match=r"^queue_bytes: ") as found:
        arguments.size(value, "queue_bytes")  # type: ignore[arg-type]  # that is what is tested
    assert (found.value.option, found.value.value) == ("queue_bytes", value)


def test_whole_numbers() -> None:
    """A whole number is one of Python or numpy, within its limits, which the error names."""
    assert arguments.whole_number(np.int64(5), "depth", 1) == arguments.whole_number(5, "depth", 1, 5) == 5
    for value in (0, True, 1.0, "5", None):
        with pytest.raises(OptionError, match=f"^depth: {value!r} is not a whole number of 1 or more$"):
            arguments.whole_number(value, "depth", 1)  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(OptionError, match=r"from 1 to 64$"):
        arguments.whole_number(65, "processes", 1, 64)


@pytest.mark.parametrize("value", [5, b"x", [1], np.array([1, 2]), pa.table({"a": [1]}), object()])
def test_values_of_wrong_types(value: Any) -> None:
    """A value of a wrong type is one line that names its argument, whatever it is equal to."""
    tape = bt.open("sample:")
    for option, call in (
        ("by", lambda: tape.compare("5bps", by=value)),
        ("execution", lambda: tape.compare("5bps", execution=value)),
        ("execution", lambda: tape.walk_forward(walk="1s:1s", execution=value)),
        ("cluster", lambda: tape.replay(cluster=value)),
        ("strategy", lambda: bt.check(None, tape.path)),  # type: ignore[arg-type]  # that is what is tested
        ("product", lambda: tape.book(value, "+1s")),
        ("product", lambda: tape.trades(value)),
    ):
        with pytest.raises(OptionError) as found:
            call()
        assert found.value.option == option
        assert "\n" not in str(found.value)


def test_products() -> None:
    """One value or several, each once."""
    assert arguments.products_of(None) == ()
    assert arguments.products_of("BTC-USD") == ("BTC-USD",)
    assert arguments.products_of(iter(["B", "A", "B"])) == ("B", "A")


def test_an_error_keeps_the_innermost_name() -> None:
    """An error that names its argument keeps the name; any other gets the one that is checked."""
    with (
        pytest.raises(OptionError) as found,
        arguments.naming("outer", 1, "2"),
        arguments.naming("inner", 1, "3"),
    ):
        raise TypeError("of no type")
    assert str(found.value) == "inner: 1 cannot be used: write 3"
