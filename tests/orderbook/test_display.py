"""Text for people: exact where it must be, and never able to steer a terminal."""

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook import display
from orderbook.schema import TIME


@given(st.text(), st.integers(4, 40))
def test_untrusted_text_stays_on_its_line(text: str, longest: int) -> None:
    """No control character, line break or escape sequence of others gets through."""
    shown = display.printable(text, longest)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == (text if len(text) <= longest else f"{text[: longest - 3]}...")


@given(st.integers(1, 10**15))
def test_a_price_keeps_all_of_its_decimals(units: int) -> None:
    """A price of the book is shown with every digit that it has."""
    shown = display.price(units / 10**8)
    assert Decimal(shown.replace(",", "")) == Decimal(f"{units / 10**8:.8f}")
    assert len(shown.partition(".")[2]) >= 2


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1.5 * 2**30, "1.5 GiB")]
)
def test_size(size: float, text: str) -> None:
    """Bytes are shown in binary units."""
    assert display.size(size) == text


def test_rows_of_a_strategy_are_json_lines() -> None:
    """Times of any unit are ISO text in UTC with nanoseconds; null is null."""
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array([1, 2]),
            pa.array([1_500_000_001, None], pa.int64()).cast(TIME),
            pa.array([1, 2], pa.int64()).cast(pa.timestamp("s")),
            pa.array(["a\n", None]),
        ],
        names=["seq", "at", "coarse", "name"],
    )
    first, second = (json.loads(line) for line in display.row_lines("BTC-USD", rows))
    assert first == {
        "product": "BTC-USD",
        "seq": 1,
        "at": "1970-01-01T00:00:01.500000001Z",
        "coarse": "1970-01-01T00:00:01.000000000Z",
        "name": "a\n",
    }
    assert second["at"] is None
